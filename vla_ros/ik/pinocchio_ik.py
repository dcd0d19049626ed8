"""Damped least squares on the CPU, on Pinocchio's kinematics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.core.kinematics import IkResult
from vla_ros.ik.arm import ArmProfile

Array = NDArray[np.float64]

POSITION_TOLERANCE = 1e-5  # m
ROTATION_TOLERANCE = 1e-4  # rad
MAX_ITERATIONS = 20
DAMPING_BELOW = 0.03  # smallest singular value at which damping sets in
MAX_DAMPING = 0.05
MAX_JOINT_STEP = 0.3  # rad per iteration; the linear model holds no further


class PinocchioIk:
    """Follows a pose from a nearby seed; never looks for another branch.

    The step is dq = J^T (J J^T + lambda^2 I)^-1 e with the pose error e in the tool frame and
    lambda^2 = lambda_max^2 (1 - (s / s_0)^2) where the smallest singular value s is below s_0
    (Nakamura and Hanafusa 1986). Every iterate is clipped to the joint limits.

    Parameters
    ----------
    profile : ArmProfile
        Arm, limits and tool frame. Joints of the URDF that the profile does not name (the fingers)
        stay at zero.

    Raises
    ------
    DependencyError
        When Pinocchio is not installed.
    ConfigError
        When the URDF cannot be read or lacks a joint or frame that the profile names.

    """

    def __init__(self, profile: ArmProfile) -> None:
        pin = _pinocchio()
        self._pin: Any = pin
        try:
            full = pin.buildModelFromUrdf(str(profile.urdf_path))
        except Exception as error:  # pinocchio raises ValueError or RuntimeError by version
            raise ConfigError(f'{profile.urdf_path}: not a URDF that can be read: {error}',
                              file=str(profile.urdf_path)) from error
        missing = [name for name in profile.joints.names if not full.existJointName(name)]
        if missing:
            raise ConfigError(
                f'{profile.urdf_path}: no joint {", ".join(missing)}; the URDF has '
                f'{", ".join(list(full.names)[1:])}', file=str(profile.urdf_path))
        locked = [i for i in range(1, full.njoints)
                  if full.names[i] not in set(profile.joints.names)]
        self._model = pin.buildReducedModel(full, locked, pin.neutral(full))
        self._data = self._model.createData()
        if list(self._model.names)[1:] != list(profile.joints.names):
            raise ConfigError(
                f'robot {profile.name!r}: joints.names must be in the order of the chain, '
                f'{", ".join(list(self._model.names)[1:])}')
        self._frame = self._frame_id(profile.tool_frame, profile)
        base = self._frame_id(profile.base_frame, profile)
        pin.framesForwardKinematics(self._model, self._data, pin.neutral(self._model))
        self._base_world = self._data.oMf[base].inverse()
        margin = profile.joints.margin
        self._lower = np.asarray(profile.joints.lower) + margin
        self._upper = np.asarray(profile.joints.upper) - margin

    def _frame_id(self, name: str, profile: ArmProfile) -> int:
        if not self._model.existFrame(name):
            raise ConfigError(
                f'{profile.urdf_path}: no link {name!r} that robot {profile.name!r} names; the '
                f'URDF has {", ".join(f.name for f in self._model.frames)}')
        return int(self._model.getFrameId(name))

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) [m] for joint positions (n,) [rad]."""
        return np.array((self._base_world * self._placement(q)).homogeneous)

    def _placement(self, q: Array) -> Any:
        self._pin.forwardKinematics(self._model, self._data, q)
        return self._pin.updateFramePlacement(self._model, self._data, self._frame)

    def jacobian(self, q: Array) -> Array:
        """Return the Jacobian (6, n) of the tool frame in its own axes [m/rad, rad/rad]."""
        return np.array(self._pin.computeFrameJacobian(
            self._model, self._data, q, self._frame, self._pin.LOCAL))

    def solve(self, T_base_tool: Array, seed: Array, dt: float) -> IkResult:
        """Return joint positions near ``seed`` (n,) [rad] that reach T_base_tool (4, 4) [m].

        ``dt`` is not used by this backend: it starts at the seed and stays on its branch.
        """
        pin = self._pin
        q = np.array(seed, dtype=np.float64)
        if not (np.isfinite(T_base_tool).all() and np.isfinite(q).all()):
            return IkResult(np.array(seed), False, math.inf, math.inf, 0.0, 0,
                            'goal or seed is not finite')
        T_world_goal = self._base_world.inverse() * pin.SE3(T_base_tool[:3, :3],
                                                            T_base_tool[:3, 3])
        for iteration in range(MAX_ITERATIONS + 1):
            error = pin.log6(self._placement(q).actInv(T_world_goal)).vector
            position, rotation = _norm(error[:3]), _norm(error[3:])
            J = self.jacobian(q)
            JJt = J @ J.T
            smallest = math.sqrt(max(float(np.linalg.eigvalsh(JJt)[0]), 0.0))
            if position <= POSITION_TOLERANCE and rotation <= ROTATION_TOLERANCE:
                return IkResult(q, True, position, rotation, smallest, iteration)
            if iteration == MAX_ITERATIONS:
                break
            if smallest < DAMPING_BELOW:
                ratio = smallest / DAMPING_BELOW
                JJt[np.diag_indices(6)] += MAX_DAMPING**2 * (1.0 - ratio * ratio)
            JJt[np.diag_indices(6)] += 1e-12
            dq = J.T @ np.linalg.solve(JJt, error)
            largest = float(np.abs(dq).max())
            if largest > MAX_JOINT_STEP:
                dq *= MAX_JOINT_STEP / largest
            # A joint that the seed already has outside may come back, but goes no further out.
            q = np.clip(q + dq, np.minimum(self._lower, seed), np.maximum(self._upper, seed))
        return IkResult(
            q, False, position, rotation, smallest, MAX_ITERATIONS,
            f'{position * 1e3:.1f} mm and {rotation:.3f} rad away after {MAX_ITERATIONS} steps '
            f'(smallest singular value {smallest:.3f})')


def _norm(v: Array) -> float:
    return math.sqrt(float(v @ v))


def _pinocchio() -> Any:
    try:
        import pinocchio
    except ImportError as error:
        raise DependencyError(
            "the IK backend 'pinocchio' needs Pinocchio: apt install ros-$ROS_DISTRO-pinocchio, "
            f'or pip install "vla_ros[ik]" (import failed: {error})') from error
    return pinocchio

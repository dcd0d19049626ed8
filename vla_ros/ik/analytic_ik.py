"""Closed-form inverse kinematics: every branch, and the one that carries on from the seed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.core.kinematics import IkResult, IkStatus, solve_in_turn
from vla_ros.ik.arm import ArmProfile
from vla_ros.ik.closed_form import FORMS, ClosedForm
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.screw_axes import ScrewAxes
from vla_ros.ik.settings import PinocchioIkSettings

Array = NDArray[np.float64]

POSITION_EXACT = 1e-10  # m
ROTATION_EXACT = 1e-9  # rad
NEWTON_STEPS = 12
TURN = 2.0 * math.pi


class AnalyticIk:
    """Exact joint positions for a Piper or a UR, straight from the geometry in the URDF.

    A pose has up to eight branches. The one whose largest joint motion from the seed is smallest
    is taken, within the limits, a joint that can turn more than once staying in its turn. The
    closed form is that of an ideal arm; Newton steps on the URDF's own kinematics take away the
    0.088 mm by which a Piper's axis 6 passes its wrist point, and the millimetres of a calibrated
    UR. A pose that no branch near the seed reaches is given to :class:`PinocchioIk`, which finds
    the nearest, and which also gets through where the closed form has no say: at a singularity.

    Parameters
    ----------
    profile : ArmProfile
        Arm, limits and tool frame.
    settings : PinocchioIkSettings | None
        Its ``max_joint_change`` holds here too; the rest is for poses out of reach.

    Raises
    ------
    DependencyError
        When Pinocchio is not installed.
    ConfigError
        When the URDF cannot be used, or the arm has neither form; the message says what differs.

    """

    def __init__(self, profile: ArmProfile, settings: PinocchioIkSettings | None = None) -> None:
        self.nearest = PinocchioIk(profile, settings)
        self.settings = self.nearest.settings
        self.arm = self.nearest.arm
        axes = ScrewAxes(self.arm)
        self._form = _closed_form(axes, profile)

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) [m] for joint positions (n,) [rad]."""
        return self.arm.forward(q)

    def jacobian(self, q: Array) -> Array:
        """Return the Jacobian (6, n) of the tool frame in its own axes [m/rad, rad/rad]."""
        return self.arm.jacobian(q)

    def branches(self, T_base_tool: Array, seed: Array | None = None) -> Array:
        """Return all joint positions (k, 6) [rad], -pi to pi, that reach T_base_tool (4, 4) [m].

        The limits are not looked at. At a singularity, where one joint is free, it is that of the
        seed (6,) (none: zero), and branches may coincide.
        """
        around = np.zeros(6) if seed is None else np.asarray(seed, dtype=np.float64)
        goal = self.arm.goal_in_world(T_base_tool)
        exact = (self._exact(goal, q) for q in self._ideal(T_base_tool, around))
        found = [(q + math.pi) % TURN - math.pi for q in exact if q is not None]
        return np.array(found).reshape(-1, 6)

    def solve_batch(self, T_base_tool: Array, seed: Array, dt: float) -> list[IkResult]:
        """Return a result for each pose of a path (B, 4, 4), seeds carried on."""
        return solve_in_turn(self.solve, T_base_tool, seed, dt)

    def solve(self, T_base_tool: Array, seed: Array, dt: float) -> IkResult:
        """Return the joint positions on the branch nearest to ``seed`` (n,) [rad]; ``dt`` unused.

        ``iterations`` counts Newton steps on top of the closed form as one.
        """
        start = np.array(seed, dtype=np.float64)
        if not (math.isfinite(T_base_tool.sum()) and math.isfinite(start.sum())):
            return self.nearest.solve(T_base_tool, start, dt)  # says so
        low, high = np.minimum(self.arm.lower, start), np.maximum(self.arm.upper, start)
        candidates = _in_turn(self._ideal(T_base_tool, start), start, low, high)
        change = np.abs(candidates - start).max(axis=1)
        goal = self.arm.goal_in_world(T_base_tool)
        moved: Array | None = None
        for index in np.argsort(change):
            exact = self._exact(goal, candidates[index])
            if exact is None or not ((low - 1e-9 <= exact) & (exact <= high + 1e-9)).all():
                continue
            q = np.clip(exact, low, high)
            moved = np.abs(q - start)
            if moved.max() <= self.settings.max_joint_change:
                return self._reached(goal, q)
            break
        near = self.nearest.solve(T_base_tool, start, dt)
        return near if moved is None or near.converged else self._far(goal, start, moved)

    def _ideal(self, T_base_tool: Array, seed: Array) -> Array:
        found = self._form.branches(T_base_tool, seed)
        return found[np.isfinite(found).all(axis=1)]

    def _exact(self, goal: object, q: Array) -> Array | None:
        """Return the URDF's solution near the ideal arm's (n,) [rad]; None where there is none."""
        q = np.array(q)
        for _ in range(NEWTON_STEPS):
            error = self._error(goal, q)
            if _norm(error[:3]) <= POSITION_EXACT and _norm(error[3:]) <= ROTATION_EXACT:
                return q
            try:
                step = np.linalg.solve(self.arm.jacobian(q), error)
            except np.linalg.LinAlgError:
                return None
            if not np.abs(step).max() <= 0.3:  # near a singularity: this leads nowhere
                return None
            q += step
        return None

    def _error(self, goal: object, q: Array) -> Array:
        """Return the twist (6,) in the tool's axes from FK(q) to the goal [m, rad]."""
        arm = self.arm
        arm.pin.forwardKinematics(arm.model, arm.data, q)
        placement = arm.pin.updateFramePlacement(arm.model, arm.data, arm.frame)
        return np.array(arm.pin.log6(placement.actInv(goal)).vector)

    def _reached(self, goal: object, q: Array) -> IkResult:
        error = self._error(goal, q)
        return IkResult(q, True, _norm(error[:3]), _norm(error[3:]),
                        self.arm.smallest_singular_value(q), 1, status=IkStatus.CONVERGED)

    def _far(self, goal: object, start: Array, moved: Array) -> IkResult:
        """Stay, and say where the nearest branch is."""
        error = self._error(goal, start)
        joint = int(moved.argmax())
        reason = f'branch change: {self.arm.names[joint]} would move {moved[joint]:.2f} rad'
        return IkResult(start, False, _norm(error[:3]), _norm(error[3:]),
                        self.arm.smallest_singular_value(start), 1, reason, IkStatus.BRANCH,
                        (joint,))


def _closed_form(axes: ScrewAxes, profile: ArmProfile) -> ClosedForm:
    if not (len(axes.directions) == 6 and all(axes.revolute)):
        raise ConfigError(f"IK backend 'analytic': robot {profile.name!r} has not six joints that "
                          "turn; use 'pinocchio'", robot=profile.name)
    why = []
    for name, form in FORMS:
        misfits = form.misfits(axes)
        if not misfits:
            return form(axes)
        why.append(f'for {name}, {", ".join(misfits)}')
    raise ConfigError(f"IK backend 'analytic': robot {profile.name!r} has no closed form that is "
                      f"known here: {'; '.join(why)}; use 'pinocchio'", robot=profile.name)


def _in_turn(q: Array, seed: Array, low: Array, high: Array) -> Array:
    """Return those of (k, n) that can be within the limits, each joint in the turn nearest to seed.

    A little outside is let through: the ideal arm's answer is not yet the exact one.
    """
    turns = np.round((seed - q) / TURN)[..., None] + [-1.0, 0.0, 1.0]
    options = q[..., None] + TURN * turns
    inside = (options >= low[:, None] - 0.02) & (options <= high[:, None] + 0.02)
    away = np.where(inside, np.abs(options - seed[:, None]), np.inf)
    choice = away.argmin(axis=-1)[..., None]
    taken = np.take_along_axis(options, choice, axis=-1)[..., 0]
    possible = np.isfinite(np.take_along_axis(away, choice, axis=-1)[..., 0]).all(axis=-1)
    kept: Array = taken[possible]
    return kept


def _norm(v: Array) -> float:
    return math.sqrt(float(v @ v))

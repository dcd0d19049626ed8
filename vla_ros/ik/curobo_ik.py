"""cuRobo on the GPU: a whole chunk at once, kept on its branch, and never believed unchecked."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import DependencyError
from vla_ros.core.kinematics import IkResult
from vla_ros.core.se3 import quaternion_from_rotation, rotation_angle
from vla_ros.ik.collision_config import CollisionConfig, load_collision_config
from vla_ros.ik.curobo_config import PlannedArm, curobo_robot
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.quaternion_order import wxyz_from_xyzw
from vla_ros.ik.settings import PinocchioIkSettings

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_VERSION = (0, 8)  # older ones are under a non-commercial licence, and have another API
INSTALL = ('install cuRobo >= 0.8 from github.com/NVlabs/curobo into the environment of this '
           "package, with the extra of your CUDA version: pip install '.[cu12]' or '.[cu13]'")

# cuRobo weighs the pose against the motion, so its answer is near the goal but not on it. What is
# nearer than this is made exact; what is not, is no answer.
ACCEPT_POSITION = 0.01  # m
ACCEPT_ROTATION = 0.1  # rad

# Keeps a solution on the branch of the seed: one seed, whose way to the goal is bounded by the
# joints' velocities and weighed; no random starts, and no early end on a seed that happens to
# satisfy the tolerance. The much larger weights of cuRobo's own differential example are for a loop
# that goes after a goal over many ticks; here each pose has to be reached at once.
TRACKING: dict[str, Any] = {
    'optimizer_configs': ['ik/lbfgs_ik.yml'],
    'num_seeds': 1,
    'seed_solver_num_seeds': 1,
    'velocity_regularization_weight': 1.0,
    'success_requires_convergence': False,
    'self_collision_check': True,
    'use_cuda_graph': True,
}


class CuroboIk:
    """Inverse kinematics of NVIDIA's cuRobo, in single and batched form.

    Every answer is checked with this package's own kinematics: finite, within the profile's limits,
    near the goal by forward kinematics, free of self-collision by cuRobo's spheres, and no joint
    further from the pose before it than ``max_joint_change``. It is then made exact by
    :class:`PinocchioIk`. A pose whose answer does not pass is solved by :class:`PinocchioIk` alone,
    from the pose before it, and counted in ``rejected``; cuRobo's ``success`` is not looked at.

    The solvers are built and warmed up here, which takes seconds to minutes the first time
    (kernels are compiled), so that no solve has to.

    Parameters
    ----------
    profile : PlannedArm
        The arm.
    settings : PinocchioIkSettings | None
        Tolerances and bounds, as in :class:`PinocchioIk`.
    collision : CollisionConfig | None
        Spheres and pairs to ignore; by default those in ``config/collision`` for the profile.
    max_batch : int
        Poses that are solved at once; a longer path is solved in parts.
    period : float
        Time step that the solver is set up for [s]; each solve gives its own.
    device : str
        Torch's name of the GPU.

    Attributes
    ----------
    rejected : collections.Counter
        Why answers of cuRobo were not taken, and how often.

    Raises
    ------
    DependencyError
        When cuRobo >= 0.8, PyTorch, a CUDA device or Pinocchio is missing; it says how to install.
    ConfigError
        When the URDF cannot be used or there are no collision spheres for the robot.

    """

    def __init__(self, profile: PlannedArm, settings: PinocchioIkSettings | None = None,
                 collision: CollisionConfig | None = None, max_batch: int = 50,
                 period: float = 0.1, device: str = 'cuda:0') -> None:
        self._torch, self._curobo = _libraries(device)
        self.exact = PinocchioIk(profile, settings)
        self.settings, self.arm = self.exact.settings, self.exact.arm
        self.rejected: Counter[str] = Counter()
        self._device, self._max_batch = device, max_batch
        self._frame = profile.tool_frame
        robot = curobo_robot(profile, collision or load_collision_config(profile.name))
        home = np.asarray(profile.joints.home, dtype=np.float64)
        # A batch is always filled up, so a tick's one pose has a solver of its own.
        self._one = self._solver(robot, 1, period)
        self._many = self._one if max_batch == 1 else self._solver(robot, max_batch, period)
        for solver, size in ((self._one, 1), (self._many, max_batch)):
            self._ask(solver, np.repeat(self.forward(home)[None], size, axis=0), home, period)

    def _solver(self, robot: dict[str, Any], batch: int, period: float) -> Any:
        module = self._curobo['inverse_kinematics']
        config = module.InverseKinematicsCfg.create(
            robot=robot, max_batch_size=batch, optimization_dt=period, **TRACKING)
        config.exit_early = False
        return module.InverseKinematics(config)

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) [m] for joint positions (n,) [rad]."""
        return self.arm.forward(q)

    def jacobian(self, q: Array) -> Array:
        """Return the Jacobian (6, n) of the tool frame in its own axes [m/rad, rad/rad]."""
        return self.arm.jacobian(q)

    def solve(self, T_base_tool: Array, seed: Array, dt: float) -> IkResult:
        """Return joint positions near ``seed`` (n,) [rad] that reach T_base_tool (4, 4) [m].

        No joint moves further than its velocity allows in ``dt`` [s].
        """
        return self._solve(self._one, T_base_tool[None], np.asarray(seed, dtype=np.float64), dt)[0]

    def solve_batch(self, T_base_tool: Array, seed: Array, dt: float) -> list[IkResult]:
        """Return a result for each pose of a path (B, 4, 4), ``dt`` [s] apart.

        All poses of a part are solved from the joints before its first, with the time that there is
        until each; whether the results follow each other is checked one after the other.
        """
        results: list[IkResult] = []
        before = np.asarray(seed, dtype=np.float64)
        for start in range(0, len(T_base_tool), self._max_batch):
            part = T_base_tool[start:start + self._max_batch]
            solver = self._one if len(part) == 1 else self._many
            results += self._solve(solver, part, before, dt)
            before = results[-1].q if np.isfinite(results[-1].q).all() else before
        return results

    def _solve(self, solver: Any, T: Array, seed: Array, dt: float) -> list[IkResult]:
        finite: Flags = np.array([np.isfinite(goal).all() for goal in T])
        if not np.isfinite(seed).all() or not finite.any():
            return self.exact.solve_batch(T, seed, dt)  # says so for each
        # One bad pose must not spoil the others: they share a computation.
        asked = np.where(finite[:, None, None], T, T[finite][0])
        found, free = self._ask(solver, asked, seed, dt)
        results, before = [], seed
        for i, goal in enumerate(T):
            result = self._checked(goal, found[i], bool(free[i]), before, dt)
            results.append(result)
            if result.converged or result.nearest:
                before = result.q
        return results

    def _ask(self, solver: Any, T: Array, seed: Array, dt: float) -> tuple[Array, Flags]:
        """Return cuRobo's joint positions (B, n) [rad] and whether each is free (B,)."""
        types, batch = self._curobo['types'], self._max_batch if solver is self._many else 1
        # cuRobo would fill up a batch itself, but leaves dt as it is.
        rows = np.minimum(np.arange(batch), len(T) - 1)
        quaternion = wxyz_from_xyzw(np.array([quaternion_from_rotation(R) for R in T[:, :3, :3]]))
        goal = types.GoalToolPose.from_poses(
            {self._frame: types.Pose(position=self._tensor(T[rows, :3, 3]),
                                     quaternion=self._tensor(quaternion[rows]))},
            ordered_tool_frames=solver.tool_frames, num_goalset=1)
        names = list(solver.joint_names)
        into = [self.arm.names.index(name) for name in names]
        state = types.JointState.from_position(
            self._tensor(np.repeat(seed[None, into], batch, axis=0)), joint_names=names)
        state.dt = self._tensor((rows + 1.0) * dt)
        answer = solver.solve_pose(goal, current_state=state, return_seeds=1)
        q = np.empty((len(T), self.arm.n))
        q[:, into] = self._numbers(answer.solution).reshape(batch, -1)[:len(T)]
        free: Flags = self._numbers(answer.feasible).reshape(batch)[:len(T)] > 0.5
        return q, free

    def _checked(self, T: Array, q: Array, free: bool, before: Array, dt: float) -> IkResult:
        """Return the answer made exact, or what is found without it."""
        why = self._objection(T, q, free)
        if not why:
            result = self.exact.solve(T, np.clip(q, self.arm.lower, self.arm.upper), dt)
            if not result.converged:
                why = 'cannot be made exact'
            elif not np.abs(result.q - before).max() <= self.settings.max_joint_change:
                why = 'another branch'
            else:
                return result
        if np.isfinite(T).all():
            self.rejected[why] += 1
        return self.exact.solve(T, before, dt)

    def _objection(self, T: Array, q: Array, free: bool) -> str:
        """Return why an answer (n,) is not to be used; empty when nothing speaks against it."""
        if not (np.isfinite(T).all() and np.isfinite(q).all()):
            return 'not finite'
        if not free:
            return 'not feasible'
        slack = 1e-3  # single precision, and cuRobo's limits are not hard
        if not ((self.arm.lower - slack <= q) & (q <= self.arm.upper + slack)).all():
            return 'outside the limits'
        F = self.forward(q)
        if not (np.linalg.norm(F[:3, 3] - T[:3, 3]) <= ACCEPT_POSITION
                and rotation_angle(F[:3, :3], T[:3, :3]) <= ACCEPT_ROTATION):
            return 'not at the pose'
        return ''

    def _tensor(self, array: Array) -> Any:
        return self._torch.as_tensor(np.ascontiguousarray(array, dtype=np.float32),
                                     device=self._device)

    def _numbers(self, tensor: Any) -> Array:
        return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)


def _libraries(device: str) -> tuple[Any, dict[str, Any]]:
    """Return torch and cuRobo's modules, or say what is missing."""
    needs = "the IK backend 'curobo' needs"
    try:
        import torch
    except ImportError as error:
        raise DependencyError(f'{needs} PyTorch with CUDA (import failed: {error}); {INSTALL}'
                              ) from error
    try:
        import curobo
    except ImportError as error:
        raise DependencyError(f'{needs} cuRobo (import failed: {error}); {INSTALL}') from error
    version = str(getattr(curobo, '__version__', 'unknown'))
    numbers = re.match(r'v?(\d+)\.(\d+)', version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < MIN_VERSION:
        raise DependencyError(f'{needs} cuRobo >= {MIN_VERSION[0]}.{MIN_VERSION[1]}, found '
                              f'{version}; {INSTALL}', found=version)
    if not torch.cuda.is_available():
        raise DependencyError(
            f'{needs} a CUDA device ({device}), and torch.cuda.is_available() is false: check the '
            "NVIDIA driver (nvidia-smi), or use the IK backend 'pinocchio'")
    try:
        from curobo import inverse_kinematics, types
    except ImportError as error:
        raise DependencyError(f'{needs} cuRobo that can be imported on this machine (import '
                              f'failed: {error}); {INSTALL}') from error
    return torch, {'inverse_kinematics': inverse_kinematics, 'types': types}

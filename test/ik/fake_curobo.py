"""cuRobo 0.8 as far as this package uses it, on the CPU: same names, shapes, orders and traps.

It solves with Pinocchio what it is asked in cuRobo's terms, so a wrong quaternion order, joint
order, frame or shape gives a wrong answer here too. The traps it has are those of the real one:
single precision, ``success`` that does not mean that the pose was reached, branches that jump, a
batch that must be as large as the solver was made for unless no ``dt`` is given.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pinocchio as pin


class Tensor:
    """A torch tensor in as much as is needed, for environments without torch."""

    def __init__(self, array):
        self.array = array

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: str(self.array.dtype))

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array


def stand_in_torch(available: bool = True) -> types.ModuleType:
    torch = types.ModuleType('torch')
    torch.cuda = types.SimpleNamespace(is_available=lambda: available)

    def as_tensor(array, device):
        assert device.startswith('cuda'), device
        return Tensor(array)
    torch.as_tensor = as_tensor
    return torch


def numbers(tensor) -> np.ndarray:
    array = tensor.detach().cpu().numpy()
    assert array.dtype == np.float32, 'cuRobo takes single precision only'
    assert array.flags['C_CONTIGUOUS']
    return array


class Pose:
    def __init__(self, position, quaternion):
        assert position.shape[-1] == 3 and quaternion.shape[-1] == 4
        assert position.shape[0] == quaternion.shape[0]
        self.position, self.quaternion = position, quaternion


class GoalToolPose:
    @classmethod
    def from_poses(cls, pose_dict, ordered_tool_frames=None, num_goalset=1):
        frames = list(ordered_tool_frames or pose_dict)
        assert set(frames) <= set(pose_dict), 'a tool frame has no pose'
        goal = cls()
        goal.tool_frames, goal.pose = frames, pose_dict[frames[0]]
        return goal


class JointState:
    def __init__(self, position, joint_names):
        self.position, self.joint_names, self.dt = position, joint_names, None

    @classmethod
    def from_position(cls, position, joint_names=None):
        return cls(position, joint_names)


class InverseKinematicsCfg:
    # Those of the real one; anything else is a TypeError there too.
    KNOWN = frozenset({
        'robot', 'optimizer_configs', 'metrics_rollout', 'transition_model', 'scene_model',
        'collision_cache', 'self_collision_check', 'device_cfg', 'num_seeds', 'position_tolerance',
        'orientation_tolerance', 'use_cuda_graph', 'random_seed',
        'optimizer_collision_activation_distance', 'store_debug', 'override_optimizer_num_iters',
        'optimization_dt', 'load_collision_spheres', 'velocity_regularization_weight',
        'acceleration_regularization_weight', 'success_requires_convergence',
        'seed_position_weight', 'seed_orientation_weight', 'seed_velocity_weight',
        'seed_acceleration_weight', 'seed_solver_num_seeds', 'max_batch_size', 'multi_env',
        'max_goalset'})

    @classmethod
    def create(cls, **options):
        unknown = set(options) - cls.KNOWN
        if unknown:
            raise TypeError(f'unexpected keyword arguments {unknown}')
        config = cls()
        config.exit_early = True
        config.options = options
        return config


class InverseKinematics:
    """Solves each pose from the state's joints, as far as the velocities let it."""

    made: list[InverseKinematics] = []  # noqa: RUF012  the test looks here

    def __init__(self, config):
        options = config.options
        kinematics = options['robot']['robot_cfg']['kinematics']
        cspace, locked = kinematics['cspace'], kinematics['lock_joints']
        assert Path(kinematics['urdf_path']).is_absolute()
        full = pin.buildModelFromUrdf(kinematics['urdf_path'])
        assert all(full.existJointName(name) for name in locked)
        assert set(kinematics['collision_link_names']) == set(kinematics['collision_spheres'])
        for link, spheres in kinematics['collision_spheres'].items():
            assert full.existBodyName(link), link
            assert all(set(s) == {'center', 'radius'} and len(s['center']) == 3 for s in spheres)
        assert len(cspace['joint_names']) == len(cspace['default_joint_position'])
        self.model = pin.buildReducedModel(
            full, [full.getJointId(name) for name in locked], pin.neutral(full))
        self.data = self.model.createData()
        self.names = list(self.model.names)[1:]
        clip = cspace['position_limit_clip']
        self.low = self.model.lowerPositionLimit + clip
        self.high = self.model.upperPositionLimit - clip
        self.velocity = self.model.velocityLimit
        self.base = self.model.getFrameId(kinematics['base_link'])
        self.frame = self.model.getFrameId(kinematics['tool_frames'][0])
        self.tool_frames = kinematics['tool_frames']
        # Its own order, which need not be that of whoever asks.
        self.joint_names = self.names[::-1]
        self.batch, self.config = options['max_batch_size'], config
        self.asked: list[int] = []
        self.spoil = None  # called with (q, feasible) of a batch, to give other answers
        InverseKinematics.made.append(self)

    def solve_pose(self, goal_tool_poses, current_state=None, seed_config=None, return_seeds=1,
                   run_optimizer=True):
        position = numbers(goal_tool_poses.pose.position)
        wxyz = numbers(goal_tool_poses.pose.quaternion)
        batch = len(position)
        assert batch <= self.batch, 'exceeds config.max_batch_size'
        state = numbers(current_state.position)
        dt = numbers(current_state.dt)
        assert dt.shape == (self.batch,), 'dt is not filled up with the batch'
        assert state.shape == (self.batch, len(self.names))
        into = [current_state.joint_names.index(name) for name in self.names]
        found = []
        for p, (w, x, y, z), q, step in zip(position, wxyz, state[:, into], dt, strict=True):
            turn = pin.Quaternion(float(w), float(x), float(y), float(z))
            goal = pin.SE3(turn.toRotationMatrix(), p.astype(np.float64))
            found.append(self._solve(goal, q.astype(np.float64), float(step)))
        self.asked.append(batch)
        q, feasible = np.array(found), np.ones(batch, dtype=bool)
        if self.spoil is not None:
            q, feasible = self.spoil(q, feasible)
        order = [self.names.index(name) for name in self.joint_names]
        answer = types.SimpleNamespace()
        answer.solution = self._tensor(q[:, None, order].astype(np.float32))
        answer.feasible = self._tensor(feasible[:, None])
        answer.success = answer.feasible  # convergence is not asked for
        return answer

    def _solve(self, goal, seed, dt):
        low = np.maximum(self.low, seed - self.velocity * dt)
        high = np.minimum(self.high, seed + self.velocity * dt)
        q = seed
        for _ in range(50):
            pin.framesForwardKinematics(self.model, self.data, q)
            world_goal = self.data.oMf[self.base] * goal
            error = pin.log6(self.data.oMf[self.frame].actInv(world_goal)).vector
            J = pin.computeFrameJacobian(self.model, self.data, q, self.frame, pin.LOCAL)
            step = J.T @ np.linalg.solve(J @ J.T + 1e-5 * np.eye(6), error)
            q = np.clip(q + step, low, high)
        return q + 0.002 * (seed - q)  # what weighing the motion costs

    def _tensor(self, array):
        return Tensor(array)


def install(monkeypatch, version='0.8.1', torch=None):
    """Put the fake in the place of the real one; return its solver class."""
    curobo = types.ModuleType('curobo')
    curobo.__version__ = version
    curobo.__path__ = []
    solver = types.ModuleType('curobo.inverse_kinematics')
    solver.InverseKinematics = InverseKinematics
    solver.InverseKinematicsCfg = InverseKinematicsCfg
    words = types.ModuleType('curobo.types')
    words.Pose, words.GoalToolPose, words.JointState = Pose, GoalToolPose, JointState
    curobo.inverse_kinematics, curobo.types = solver, words
    for name, module in (('curobo', curobo), ('curobo.inverse_kinematics', solver),
                         ('curobo.types', words), ('torch', torch or stand_in_torch())):
        monkeypatch.setitem(sys.modules, name, module)
    InverseKinematics.made.clear()
    return InverseKinematics

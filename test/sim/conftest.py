"""A crude expert with no policy and no control loop: straight lines, inverse kinematics."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.core.se3 import inverse, pose, rotation_from_vector, vector_from_rotation


class Mover:
    """Moves a world's tool frame along straight lines at 100 Hz and feeds monitors meanwhile."""

    def __init__(self, world, *monitors):
        import mujoco

        self.world, self.monitors = world, monitors
        self.width = world.profile.gripper.open
        self.q = np.array(world.profile.joints.home)
        self._mujoco = mujoco
        self._data = mujoco.MjData(world.model)
        joints = [world.model.joint(name) for name in world.profile.joints.names]
        self._qpos = [int(joint.qposadr[0]) for joint in joints]
        self._dof = [int(joint.dofadr[0]) for joint in joints]
        self._tool = world.model.body(world.profile.tool_frame).id
        self.T = self._forward()

    def wait(self, seconds):
        for _ in range(round(seconds / 0.01)):
            self.world.command(self.q, self.width)
            self.world.step(5)
            for monitor in self.monitors:
                monitor.update(self.world.time_ns, self.world.frames(), self.world.gripper_width)

    def go(self, T_goal, speed=0.12):
        start = self.T
        line = T_goal[:3, 3] - start[:3, 3]
        turn = vector_from_rotation(start[:3, :3].T @ T_goal[:3, :3])
        count = max(1, int(max(np.linalg.norm(line) / speed, np.linalg.norm(turn) / 0.8) / 0.01))
        for i in range(1, count + 1):
            u = (i / count) ** 2 * (3 - 2 * i / count)
            self._solve(pose(start[:3, :3] @ rotation_from_vector(u * turn),
                             start[:3, 3] + u * line))
            self.wait(0.01)
        self.T = T_goal

    def grip(self):
        self.width = 0.0
        self.wait(0.9)

    def release(self):
        self.width = self.world.profile.gripper.open
        self.wait(0.6)

    def grasp_insulator(self):
        grasp = self.world.frames()['insulator_grasp']
        self.go(ahead(grasp, -0.10), 0.25)
        self.go(grasp)
        self.grip()
        return grasp

    def _forward(self):
        self._data.qpos[self._qpos] = self.q
        self._mujoco.mj_kinematics(self.world.model, self._data)
        self._mujoco.mj_comPos(self.world.model, self._data)
        return pose(self._data.xmat[self._tool].reshape(3, 3), self._data.xpos[self._tool])

    def _solve(self, T_goal):
        model, joints = self.world.model, self.world.profile.joints
        for _ in range(30):
            T = self._forward()
            error = np.r_[T_goal[:3, 3] - T[:3, 3],
                          T[:3, :3] @ vector_from_rotation(T[:3, :3].T @ T_goal[:3, :3])]
            if np.linalg.norm(error) < 1e-5:
                return
            jacobian = np.zeros((6, model.nv))
            self._mujoco.mj_jacBody(model, self._data, jacobian[:3], jacobian[3:], self._tool)
            J = jacobian[:, self._dof]
            step = J.T @ np.linalg.solve(J @ J.T + 1e-5 * np.eye(6), error)
            self.q = np.clip(self.q + np.clip(step, -0.1, 0.1), joints.lower + joints.margin,
                             joints.upper - joints.margin)
        raise AssertionError(f'the test asks for a pose out of reach: {T_goal}')


def ahead(T, distance):
    """Return ``T`` moved along its own z axis [m]."""
    return T @ pose(np.eye(3), np.array([0.0, 0.0, distance]))


def above(T, distance):
    """Return ``T`` moved up [m]."""
    return pose(T[:3, :3], T[:3, 3] + [0.0, 0.0, distance])


@pytest.fixture
def mover():
    """Return the class that moves a world's arm."""
    return Mover


@pytest.fixture
def hang():
    """Return a function that threads a held insulator on the peg, without letting go."""

    def carry(move):
        frames = move.world.frames()
        T_ring_tool = inverse(frames['insulator_ring']) @ frames['tcp']
        tip, seat = frames['hook_tip'], frames['hook_seat']
        over_seat = tip.copy()
        over_seat[0, 3] = seat[0, 3]
        for T_base_ring in (tip, over_seat, seat):
            move.go(T_base_ring @ T_ring_tool)

    return carry


@pytest.fixture
def shift():
    """Return ``ahead`` and ``above``: poses moved along the tool and up."""
    return ahead, above

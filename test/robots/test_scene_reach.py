"""Every scene can be worked in: the arm reaches all of it, clear of limits and singularities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vla_ros.robots import load_profile, robot_names

pin = pytest.importorskip('pinocchio')
mujoco = pytest.importorskip('mujoco')

PITCH = np.radians(55)  # below horizontal, as at home
GRASP_HEIGHTS = (0.065, 0.09)  # m, on the upper half of an insulator that stands on the table
RING_ABOVE_GRASP = 0.04  # m
LIFT = 0.20  # m
BACK = 0.10  # m, approach along the tool's axis

# Least singular value of the Jacobian (m and rad mixed), clear of each arm's singularities.
SINGULAR = {'piper': 0.04, 'piper_old_dh': 0.04, 'ur3e': 0.04, 'ur5e': 0.08, 'ur10e': 0.15}
LIMIT_MARGIN = 0.1  # rad


class Arm:
    """Damped least squares on the six arm joints; a plain oracle, apart from the package's own."""

    def __init__(self, profile):
        full = pin.buildModelFromUrdf(str(profile.urdf_path))
        fingers = [full.getJointId(name) for name in profile.gripper.fingers]
        self.model = pin.buildReducedModel(full, fingers, pin.neutral(full))
        self.data = self.model.createData()
        self.frame = self.model.getFrameId(profile.tool_frame)
        self.home = profile.joints.home

    def jacobian(self, q):
        return pin.computeFrameJacobian(self.model, self.data, q, self.frame, pin.LOCAL)

    def solve(self, T_base_tool):
        """Return joint positions from home, or None when the pose is not reached."""
        q = self.home.copy()
        lower, upper = self.model.lowerPositionLimit, self.model.upperPositionLimit
        for _ in range(150):
            pin.framesForwardKinematics(self.model, self.data, q)
            error = pin.log6(self.data.oMf[self.frame].actInv(T_base_tool)).vector
            if np.linalg.norm(error) < 1e-7:
                return q
            J = self.jacobian(q)
            step = J.T @ np.linalg.solve(J @ J.T + 1e-6 * np.eye(6), error)
            step *= min(1.0, 0.3 / np.abs(step).max())
            q = np.clip(q + step, lower, upper)
        return None


def tool_pose(position, yaw=0.0, back=0.0):
    approach = np.array([np.cos(PITCH) * np.cos(yaw), np.cos(PITCH) * np.sin(yaw), -np.sin(PITCH)])
    closing = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    rotation = np.column_stack([np.cross(closing, approach), closing, approach])
    return pin.SE3(rotation, np.asarray(position, dtype=float) - back * approach)


def around(centre, spread):
    return itertools.product(*((c - s, c, c + s) for c, s in zip(centre, spread, strict=True)))


def poses_of_the_task(scene):
    """Yield what the tool must reach to pick the insulator up and hang it, at every extreme."""
    insulator, hook = scene['insulator'], scene['hook']
    for x, y in around(insulator['center'], insulator['spread']):
        for yaw in (-insulator['yaw_spread'], 0.0, insulator['yaw_spread']):
            for z in GRASP_HEIGHTS:
                yield tool_pose((x, y, z), yaw)
                yield tool_pose((x, y, z), yaw, BACK)
            yield tool_pose((x, y, LIFT), yaw)
    for x, y, z in around(hook['position'], hook['spread']):
        grasp = np.array([x, y, z - RING_ABOVE_GRASP])
        yield tool_pose(grasp)
        yield tool_pose(grasp + [-0.08, 0, 0.02])
        yield tool_pose(grasp, back=0.06)


@pytest.mark.parametrize('name', robot_names())
def test_pick_and_hang_are_reachable_with_room_to_spare(name):
    profile = load_profile(name)
    arm = Arm(profile)
    collider = mujoco.MjSpec.from_file(str(profile.urdf_path)).compile()
    data = mujoco.MjData(collider)
    for finger, factor in profile.gripper.fingers.items():
        data.joint(finger).qpos[0] = factor * profile.gripper.open
    for T_base_tool in poses_of_the_task(profile.scene):
        where = f'at {T_base_tool.translation.round(3)}'
        q = arm.solve(T_base_tool)
        assert q is not None, f'not reached {where}'
        margin = min((q - profile.joints.lower).min(), (profile.joints.upper - q).min())
        assert margin >= LIMIT_MARGIN, f'{margin:.3f} rad from a limit {where}'
        singular = np.linalg.svd(arm.jacobian(q), compute_uv=False)[-1]
        assert singular >= SINGULAR[name], f'smallest singular value {singular:.3f} {where}'
        for joint, position in zip(profile.joints.names, q, strict=True):
            data.joint(joint).qpos[0] = position
        mujoco.mj_forward(collider, data)
        assert data.ncon == 0, f'the arm touches itself {where}'

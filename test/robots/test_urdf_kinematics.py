"""The URDFs put every frame where the makers' own models put it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vla_ros.robots import RobotProfile, load_profile, robot_names

SAMPLES = json.loads(
    (Path(__file__).parents[1] / 'data' / 'robots_fk.json').read_text(encoding='utf-8')
)
ROBOTS = sorted(SAMPLES)
TOLERANCE = 1e-6  # m and rad


@pytest.fixture(params=ROBOTS)
def profile(request: pytest.FixtureRequest) -> RobotProfile:
    return load_profile(request.param)


def pinocchio_frames(profile: RobotProfile, positions: dict[str, float]) -> dict[str, np.ndarray]:
    """Return every link's pose in the base frame, at these joint positions and 0 elsewhere."""
    pin = pytest.importorskip('pinocchio')
    model = pin.buildModelFromUrdf(str(profile.urdf_path))
    data = model.createData()
    q = pin.neutral(model)
    for name, position in positions.items():
        q[model.joints[model.getJointId(name)].idx_q] = position
    pin.framesForwardKinematics(model, data, q)
    return {frame.name: data.oMf[index].homogeneous for index, frame in enumerate(model.frames)}


def mujoco_frames(profile: RobotProfile, positions: dict[str, float]) -> dict[str, np.ndarray]:
    """Return the same from MuJoCo."""
    mujoco = pytest.importorskip('mujoco')
    model = mujoco.MjSpec.from_file(str(profile.urdf_path)).compile()
    data = mujoco.MjData(model)
    for name, position in positions.items():
        data.joint(name).qpos[0] = position
    mujoco.mj_kinematics(model, data)
    frames = {}
    for index in range(1, model.nbody):
        body = data.body(index)
        T_base_body = np.eye(4)
        T_base_body[:3, :3] = body.xmat.reshape(3, 3)
        T_base_body[:3, 3] = body.xpos
        frames[body.name] = T_base_body
    return frames


def test_samples_cover_every_robot_that_comes_with_the_package():
    assert robot_names() == ROBOTS


@pytest.mark.parametrize('engine', [pinocchio_frames, mujoco_frames])
def test_every_tool_frame_is_where_the_makers_model_has_it(profile, engine):
    checked = 0
    for sample in SAMPLES[profile.name]:
        frames = engine(profile, dict(zip(profile.joints.names, sample['q'], strict=True)))
        for frame, expected in sample['T'].items():
            expected = np.array(expected)
            T_base_frame = frames[frame]
            assert np.linalg.norm(T_base_frame[:3, 3] - expected[:, 3]) <= TOLERANCE, frame
            # ||R - R'|| = 2 sqrt(2) sin(angle / 2): the angle, without arccos's loss near zero
            gap = np.linalg.norm(T_base_frame[:3, :3] - expected[:, :3])
            assert 2 * np.arcsin(gap / np.sqrt(8)) <= TOLERANCE, frame
            checked += 1
    assert checked >= 22  # 11 joint vectors, at least two frames each


@pytest.mark.parametrize('engine', [pinocchio_frames, mujoco_frames])
def test_home_has_the_tool_ahead_55_degrees_below_horizontal(profile, engine):
    home = dict(zip(profile.joints.names, profile.joints.home, strict=True))
    T_base_tool = engine(profile, home)[profile.tool_frame]
    x, y, z = T_base_tool[:3, 3]
    assert 0.30 <= x <= 0.62
    assert y == pytest.approx(0, abs=1e-3)
    assert 0.22 <= z <= 0.31
    pitch = np.radians(55)
    np.testing.assert_allclose(
        T_base_tool[:3, 2], [np.cos(pitch), 0, -np.sin(pitch)], atol=2e-3, err_msg='approach'
    )
    np.testing.assert_allclose(T_base_tool[:3, 1], [0, 1, 0], atol=2e-3, err_msg='closing axis')


def test_tool_frame_lies_on_the_flange_axis(profile):
    frames = pinocchio_frames(profile, {})
    T_flange_tool = np.linalg.inv(frames[profile.flange_frame]) @ frames[profile.tool_frame]
    np.testing.assert_allclose(T_flange_tool[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(T_flange_tool[:2, 3], 0, atol=1e-12)
    assert 0.1 < T_flange_tool[2, 3] < 0.2


@pytest.mark.parametrize('share', [0.0, 0.3, 1.0])
def test_pads_are_flat_and_as_far_apart_as_the_gripper_says(profile, share):
    mujoco = pytest.importorskip('mujoco')
    model = mujoco.MjSpec.from_file(str(profile.urdf_path)).compile()
    data = mujoco.MjData(model)
    gripper = profile.gripper
    width = gripper.closed + share * (gripper.open - gripper.closed)
    for finger, factor in gripper.fingers.items():
        data.joint(finger).qpos[0] = factor * width
    mujoco.mj_kinematics(model, data)
    tool = data.body(profile.tool_frame)
    R_base_tool = tool.xmat.reshape(3, 3)
    faces = []
    for finger in gripper.fingers:
        body = model.body(model.joint(finger).bodyid[0])
        innermost = []
        for geom in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]):
            if model.geom_contype[geom] == 0:
                continue  # only drawn
            assert model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX
            R_tool_geom = R_base_tool.T @ data.geom_xmat[geom].reshape(3, 3)
            # axis-aligned with the tool, so its inner face is flat and square to the closing axis
            np.testing.assert_allclose(np.abs(R_tool_geom).max(axis=1), 1, atol=1e-9)
            centre = R_base_tool.T @ (data.geom_xpos[geom] - tool.xpos)
            half = np.abs(R_tool_geom) @ model.geom_size[geom]
            side = np.sign(centre[1])
            innermost.append(side * (abs(centre[1]) - half[1]))
        faces.append(min(innermost, key=abs))
    assert sorted(faces) == pytest.approx([-width / 2, width / 2], abs=1e-9)

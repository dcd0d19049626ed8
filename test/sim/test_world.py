"""The simulated arm: kinematics, servos, commands, resets and time."""

import math
import time

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.robots import load_profile, robot_names

mujoco = pytest.importorskip('mujoco')

from vla_ros.sim.world import SimWorld  # noqa: E402

pytestmark = pytest.mark.sim


@pytest.fixture(scope='module', params=robot_names())
def world(request):
    return SimWorld(load_profile(request.param))


@pytest.fixture
def piper():
    return SimWorld(load_profile('piper'))


def state(world):
    return world.data.qpos.tobytes() + world.data.qvel.tobytes() + world.data.mocap_pos.tobytes()


def contacts(world):
    """Return the pairs of bodies that touch."""
    model = world.model
    return {tuple(sorted(model.body(model.geom_bodyid[geom]).name for geom in contact.geom))
            for contact in world.data.contact}


def test_tool_pose_equals_that_of_pinocchio(world):
    pin = pytest.importorskip('pinocchio')
    profile = world.profile
    model = pin.buildModelFromUrdf(str(profile.urdf_path))
    data = model.createData()
    rng = np.random.default_rng(3)
    low, high = np.maximum(profile.joints.lower, -3), np.minimum(profile.joints.upper, 3)
    scratch = mujoco.MjData(world.model)
    for _ in range(20):
        q = rng.uniform(low, high)
        full = pin.neutral(model)
        for name, value in zip(profile.joints.names, q, strict=True):
            full[model.joints[model.getJointId(name)].idx_q] = value
            scratch.qpos[int(world.model.joint(name).qposadr[0])] = value
        pin.framesForwardKinematics(model, data, full)
        mujoco.mj_kinematics(world.model, scratch)
        tool = data.oMf[model.getFrameId(profile.tool_frame)]
        body = world.model.body(profile.tool_frame).id
        assert np.allclose(scratch.xpos[body], tool.translation, atol=1e-6)
        assert np.allclose(scratch.xmat[body].reshape(3, 3), tool.rotation, atol=1e-6)


def test_arm_at_home_neither_moves_nor_touches_anything(world):
    world.reset(0)
    home = world.profile.joints.home
    world.step(500)
    assert np.allclose(world.joint_position, home, atol=1e-4)
    assert np.allclose(world.joint_velocity, 0.0, atol=1e-3)
    moving = {world.model.body(i).name for i in range(world.model.nbody)} - set(world.frames())
    arm = moving - {'world', 'hook', 'stand', world.profile.base_frame}
    assert not [pair for pair in contacts(world) if arm & set(pair)]


def test_efforts_are_those_that_hold_the_arm_up(world):
    world.reset(0)
    scratch = mujoco.MjData(world.model)
    scratch.qpos[:] = world.data.qpos
    mujoco.mj_forward(world.model, scratch)
    dofs = [int(world.model.joint(name).dofadr[0]) for name in world.profile.joints.names]
    assert np.allclose(world.joint_effort, scratch.qfrc_bias[dofs], atol=0.05)
    assert np.abs(world.joint_effort).max() > 1.0


@pytest.mark.parametrize('joint', range(6))
def test_servos_follow_a_ramp_within_tens_of_milliseconds_and_stop_without_overshoot(world, joint):
    world.reset(0)
    speed = 0.4 * (-1 if joint == 1 else 1)  # away from the table
    q = np.array(world.profile.joints.home)
    for _ in range(30):
        q[joint] += speed * 0.01
        world.command(q, 0.05)
        world.step(5)
    lag = (q - world.joint_position)[joint] / speed
    assert 0.0 < lag < 0.04
    overshoot = []
    for _ in range(50):
        world.step(5)
        overshoot.append((world.joint_position - q)[joint] * np.sign(speed))
    assert max(overshoot) < 1e-3
    assert np.allclose(world.joint_position, q, atol=1e-4)


def test_the_last_command_is_held(piper):
    q = piper.profile.joints.home + 0.1
    piper.command(q, 0.03)
    piper.step(1000)
    assert np.allclose(piper.joint_position, q, atol=1e-3)
    assert math.isclose(piper.gripper_width, 0.03, abs_tol=5e-4)


@pytest.mark.parametrize(('change', 'width'), [
    (lambda q: q[:5], 0.02), (lambda q: np.append(q, 0.0), 0.02), (lambda q: q[None], 0.02),
    (lambda q: np.where(np.arange(6) == 2, np.nan, q), 0.02),
    (lambda q: np.where(np.arange(6) == 2, np.inf, q), 0.02),
    (lambda q: q + 0.1, math.nan), (lambda q: q + 0.1, math.inf), (lambda q: q + 0.1, None),
    (lambda q: ['a'] * 6, 0.02),
])
def test_a_command_that_cannot_be_used_is_refused_and_changes_nothing(piper, change, width):
    twin = SimWorld(piper.profile)
    with pytest.raises(InputError, match='simulated arm'):
        piper.command(change(np.array(piper.profile.joints.home)), width)
    for world in (piper, twin):
        world.step(100)
    assert state(piper) == state(twin)


def test_a_command_beyond_the_limits_stops_at_them(piper):
    joints = piper.profile.joints
    q = np.array(joints.home)
    q[5] = joints.upper[5] + 0.5
    piper.command(q, 1.0)
    piper.step(1500)
    assert math.isclose(piper.joint_position[5], joints.upper[5], abs_tol=5e-3)
    assert piper.gripper_width <= piper.profile.gripper.open + 1e-4


def test_a_callers_array_is_copied(piper):
    q = np.array(piper.profile.joints.home)
    piper.command(q, 0.05)
    q += 0.5
    piper.step(500)
    assert np.allclose(piper.joint_position, piper.profile.joints.home, atol=1e-3)


def test_fingers_move_symmetrically_with_limited_speed(world):
    world.reset(0)
    gripper = world.profile.gripper
    world.command(world.profile.joints.home, gripper.closed)
    fingers = [(int(world.model.joint(name).qposadr[0]), factor)
               for name, factor in gripper.fingers.items()]
    expected = (gripper.open - gripper.closed) / gripper.speed
    widths = []
    for _ in range(round(2 * expected / 0.01)):
        world.step(5)
        openings = [world.data.qpos[index] / factor for index, factor in fingers]
        assert np.ptp(openings) < 1e-3
        widths.append(world.gripper_width)
    closed_after = 0.01 * next(i for i, width in enumerate(widths) if width < gripper.closed + 1e-3)
    assert 0.95 * expected < closed_after < 1.2 * expected
    assert abs(world.gripper_width - gripper.closed) < 1e-3


def test_the_same_seed_gives_the_same_world_bit_for_bit_whatever_happened_before(piper):
    start = {}
    for seed in (1, 2, 1, 2):
        piper.reset(seed)
        assert start.setdefault(seed, state(piper)) == state(piper)
        piper.command(piper.profile.joints.home + 0.2, 0.0)
        piper.step(300)
    assert start[1] != start[2]
    assert state(SimWorld(piper.profile, seed=2)) == start[2]


def test_the_same_commands_give_the_same_motion_bit_for_bit(piper):
    twin = SimWorld(piper.profile)
    for world, pieces in ((piper, [200]), (twin, [1, 99, 100])):
        world.command(world.profile.joints.home + 0.1, 0.01)
        for piece in pieces:
            world.step(piece)
    assert state(piper) == state(twin)


def test_time_never_goes_back(piper):
    piper.step(50)
    assert piper.time_ns == 100_000_000
    piper.reset(3)
    assert piper.time_ns >= 100_000_000
    before = piper.time_ns
    piper.step()
    assert piper.time_ns - before == piper.timestep_ns == 2_000_000


def test_objects_are_at_rest_apart_and_within_their_regions_after_a_reset(world):
    scene, layout = world.settings, world.layout
    for seed in range(8):
        world.reset(seed)
        before = world.frames()
        world.step(250)
        after = world.frames()
        cubes = [name for name in before if name.startswith('cube_')]
        assert len(cubes) == 4
        for name in ('insulator', *cubes):
            assert np.allclose(before[name], after[name], atol=2e-4), name
            assert after[name][2, 2] > 0.999
        spots = [after[name][:2, 3] for name in cubes]
        gaps = [math.dist(a, b) for i, a in enumerate(spots) for b in spots[:i]]
        assert min(gaps) > math.sqrt(2) * scene.cubes.width
        insulator = after['insulator'][:2, 3]
        assert min(math.dist(spot, insulator) for spot in spots) > 0.06
        assert not [pair for pair in contacts(world) if 'world' not in pair]
        for place, spots_there in ((layout.insulator, [insulator]), (layout.cubes, spots)):
            off = np.abs(np.array(spots_there) - place.center)
            assert (off <= np.array(place.spread) + 1e-3).all()


def test_seeds_spread_the_insulator_and_the_hook(world):
    places = []
    for seed in range(12):
        world.reset(seed)
        frames = world.frames()
        places.append([*frames['insulator'][:2, 3], frames['insulator'][1, 0],
                       *frames['hook_seat'][:3, 3]])
    assert (np.std(places, axis=0) > 0.003).all()


def test_frames_are_rigid_poses_with_the_axes_that_are_promised(world):
    world.reset(4)
    frames = world.frames()
    for T in frames.values():
        assert np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)
        assert np.allclose(T[3], [0, 0, 0, 1])
    assert np.allclose(frames['hook_seat'][:3, 0], [1, 0, 0])
    assert frames['hook_tip'][0, 3] < frames['hook_seat'][0, 3]
    assert np.allclose(frames['insulator_ring'][:3, 0], frames['insulator'][:3, 0], atol=1e-9)
    assert abs(frames['insulator_grasp'][2, 1]) < 1e-3  # the closing axis is horizontal
    assert np.allclose(frames['tcp'], world.T_base_tool)


def test_physics_alone_runs_at_five_times_real_time_or_more(piper):
    start = time.process_time()
    piper.step(2000)
    assert 4.0 / (time.process_time() - start) >= 5.0


def test_a_timestep_that_cannot_be_simulated_is_refused():
    with pytest.raises(ConfigError, match='timestep'):
        SimWorld(load_profile('piper'), timestep=0.1)
    with pytest.raises(ConfigError, match='timestep'):
        SimWorld(load_profile('piper'), timestep=math.nan)

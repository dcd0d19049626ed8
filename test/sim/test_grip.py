"""Friction alone holds what the gripper grips, and what it must not hold falls."""

from dataclasses import replace

import numpy as np
import pytest

from vla_ros.core.se3 import inverse, pose, rotation_angle
from vla_ros.robots import load_profile

pytest.importorskip('mujoco')

from vla_ros.sim import world as world_module
from vla_ros.sim.settings import physics_settings
from vla_ros.sim.tasks import TaskMonitor
from vla_ros.sim.world import SimWorld

pytestmark = pytest.mark.sim
ROBOTS = ('piper', 'ur5e')


def T_tool_insulator(world):
    return inverse(world.T_base_tool) @ world.frames()['insulator']


@pytest.mark.parametrize('robot', ROBOTS)
def test_a_gripped_insulator_stays_in_the_gripper_for_ten_seconds_of_motion(robot, mover, shift):
    _, above = shift
    world = SimWorld(load_profile(robot), seed=2)
    move = mover(world)
    grasp = move.grasp_insulator()
    move.go(above(grasp, 0.15))
    move.wait(0.3)
    start, held, moved = world.time_ns, T_tool_insulator(world), 0
    while world.time_ns - start < 10e9:
        side = np.array([-0.02 * np.sin(moved), 0.04 * (-1) ** moved, 0.02 * np.cos(moved)])
        move.go(pose(grasp[:3, :3], grasp[:3, 3] + [-0.02, 0.0, 0.12] + side), 0.25)
        moved += 1
    slip = T_tool_insulator(world)
    assert moved >= 10
    assert np.linalg.norm(slip[:3, 3] - held[:3, 3]) < 0.004
    assert rotation_angle(slip[:3, :3], held[:3, :3]) < 0.05


def test_a_gripped_insulator_does_not_creep_while_the_arm_holds_still(mover, shift):
    _, above = shift
    world = SimWorld(load_profile('piper'), seed=2)
    move = mover(world)
    move.go(above(move.grasp_insulator(), 0.1))
    move.wait(0.3)
    held, tool = T_tool_insulator(world), world.T_base_tool
    move.wait(10.0)
    assert np.linalg.norm(T_tool_insulator(world)[:3, 3] - held[:3, 3]) < 5e-4
    assert np.linalg.norm(world.T_base_tool[:3, 3] - tool[:3, 3]) < 2e-4


def test_with_little_force_it_falls_out(mover, shift):
    _, above = shift
    profile = load_profile('piper')
    weak = replace(profile, gripper=replace(profile.gripper, force=0.4))
    world = SimWorld(weak, seed=2)
    move = mover(world)
    move.go(above(move.grasp_insulator(), 0.1))
    assert world.frames()['insulator'][2, 3] < 0.02


def test_without_friction_it_slips_out(monkeypatch, mover, shift):
    _, above = shift
    physics = physics_settings()
    slippery = replace(physics, contact=replace(physics.contact, finger_friction=0.02))
    monkeypatch.setattr(world_module, 'physics_settings', lambda: slippery)
    world = SimWorld(load_profile('piper'), seed=2)
    move = mover(world)
    move.go(above(move.grasp_insulator(), 0.1))
    assert world.frames()['insulator'][2, 3] < 0.02


@pytest.mark.parametrize('robot', ROBOTS)
def test_gripper_reports_width_and_force_of_what_it_holds(robot, mover):
    world = SimWorld(load_profile(robot), seed=1)
    assert abs(world.gripper_force) < 0.5
    mover(world).grasp_insulator()
    assert abs(world.gripper_width - world.object_widths['insulator']) < 1e-3
    assert abs(world.gripper_force - world.profile.gripper.force) < 0.5


def test_an_object_off_centre_is_gripped_all_the_same(mover, shift):
    _, above = shift
    world = SimWorld(load_profile('piper'), seed=1)
    move = mover(world)
    grasp = world.frames()['insulator_grasp']
    beside = grasp @ pose(np.eye(3), np.array([0.0, 0.008, 0.0]))
    move.go(above(beside, 0.1), 0.25)
    move.go(beside)
    move.grip()
    move.go(above(beside, 0.08))
    assert world.frames()['insulator'][2, 3] > 0.06
    fingers = [world.data.qpos[int(world.model.joint(name).qposadr[0])] / factor
               for name, factor in world.profile.gripper.fingers.items()]
    assert np.ptp(fingers) < 1e-3


@pytest.mark.parametrize('robot', ROBOTS)
@pytest.mark.parametrize('seed', [0, 1])
def test_the_insulator_can_be_picked_and_hung(robot, seed, mover, hang, shift):
    ahead, above = shift
    world = SimWorld(load_profile(robot), seed=seed)
    pick, hung = TaskMonitor('pick up the insulator'), TaskMonitor('hang the insulator on the hook')
    move = mover(world, pick, hung)
    move.go(above(move.grasp_insulator(), 0.16))
    move.wait(0.7)
    assert pick.state.success, pick.state
    hang(move)
    move.wait(1.2)
    assert not hung.state.success  # the gripper still holds it
    assert 'gripper' in hung.state.detail
    move.release()
    move.go(ahead(move.T, -0.1))
    move.wait(2.0)
    assert hung.state.success, hung.state
    assert not pick.state.success
    ring, seat = world.frames()['insulator_ring'], world.frames()['hook_seat']
    assert np.linalg.norm(ring[:3, 3] - seat[:3, 3]) < 0.015
    move.wait(10.0)
    assert hung.state.success, 'it did not stay there'


@pytest.mark.parametrize('error', [[0.0, 0.005, 0.0], [0.0, -0.005, 0.0], [0.0, 0.0, 0.005],
                                   [0.0, 0.0, -0.005], [-0.005, 0.0, 0.0]])
def test_hanging_forgives_five_millimetres(error, mover, shift):
    ahead, above = shift
    world = SimWorld(load_profile('piper'), seed=0)
    hung = TaskMonitor('hang the insulator on the hook')
    move = mover(world, hung)
    move.go(above(move.grasp_insulator(), 0.16), 0.2)
    frames = world.frames()
    T_ring_tool = inverse(frames['insulator_ring']) @ frames['tcp']
    tip, seat = frames['hook_tip'].copy(), frames['hook_seat'].copy()
    over_seat = tip.copy()
    over_seat[0, 3] = seat[0, 3]
    for T in (tip, over_seat, seat):
        T[:3, 3] += error
        move.go(T @ T_ring_tool)
    move.release()
    move.go(ahead(move.T, -0.1))
    move.wait(2.5)
    assert hung.state.success, hung.state

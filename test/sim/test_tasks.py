"""Success is judged from what happened, and is not easily fooled."""

import math

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.se3 import pose, rotation_from_vector
from vla_ros.sim.settings import scene_settings
from vla_ros.sim.tasks import HANG_INSULATOR, PICK_INSULATOR, TaskMonitor, task_names

SCENE = scene_settings()
STEP_NS = 20_000_000
CAP, CUBE = SCENE.insulator.cap_width, SCENE.cubes.width
OPEN = 0.07


def at(x=0.0, y=0.0, z=0.0, turn=(0.0, 0.0, 0.0)):
    return pose(rotation_from_vector(np.array(turn)), np.array([x, y, z]))


def scene(foot, tool=None, **others):
    """Return frames with the insulator's foot at ``foot`` and the hook's seat at height 0.3."""
    size = SCENE.insulator
    return {
        'insulator': foot, 'insulator_grasp': foot @ at(z=size.grasp_height),
        'insulator_ring': foot @ at(z=size.ring_height), 'hook_seat': at(z=0.3),
        'tcp': foot @ at(z=size.grasp_height) if tool is None else tool,
        'cube_red': at(0.5, 0.5, CUBE / 2), 'cube_blue': at(0.6, 0.5, CUBE / 2), **others,
    }


def hung(x=0.0, y=0.0, z=0.0, turn=(0.0, 0.0, 0.0), tool=None):
    """Return frames with the ring at an offset from the hook's seat."""
    ring = at(x, y, 0.3 + z, turn)
    return scene(ring @ at(z=-SCENE.insulator.ring_height),
                 at(-0.3, 0, 0.3) if tool is None else tool)


def watch(task, frames, seconds, width, monitor=None):
    """Feed a monitor; ``frames`` is constant or a function of the time [s]."""
    monitor = monitor or TaskMonitor(task)
    start = monitor._last_ns or 0
    for i in range(1, round(seconds * 1e9 / STEP_NS) + 1):
        now = frames(i * STEP_NS * 1e-9) if callable(frames) else frames
        monitor.update(start + i * STEP_NS, now, width)
    return monitor.state


def test_every_instruction_of_the_contract_is_known():
    assert set(task_names()) == {
        'pick up the insulator', 'hang the insulator on the hook',
        *(f'pick up the {colour} cube' for colour in ('red', 'green', 'blue', 'yellow'))}


def test_an_unknown_task_lists_the_choices():
    with pytest.raises(ConfigError, match=r'hang the insulator.*pick up the red cube'):
        TaskMonitor('pick up the red cup')


def test_case_and_spaces_do_not_matter():
    assert TaskMonitor('  Pick up  the RED cube ').task == 'pick up the red cube'


def test_lifted_and_held_for_half_a_second_is_picked():
    lifted = scene(at(z=0.06))
    assert not watch(PICK_INSULATOR, lifted, 0.4, CAP).success
    assert watch(PICK_INSULATOR, lifted, 0.6, CAP).success


@pytest.mark.parametrize(('frames', 'width', 'why'), [
    (scene(at(z=0.04)), CAP, 'lifted'),
    (scene(at(z=0.10), tool=at(z=0.30)), CAP, 'away'),
    (scene(at(z=0.10)), OPEN, 'open'),
    (scene(at(z=0.10)), 0.0, 'open'),
    (scene(at(z=0.10)), math.nan, 'open'),
    (scene(at(z=math.nan)), CAP, 'lifted'),
])
def test_what_is_not_held_above_the_table_is_not_picked(frames, width, why):
    state = watch(PICK_INSULATOR, frames, 2.0, width)
    assert not state.success
    assert why in state.detail


def test_an_object_that_slips_through_the_fingers_is_not_picked():
    def slipping(t):
        return scene(at(z=0.20 - 0.03 * t), tool=at(z=0.19 + SCENE.insulator.grasp_height))

    assert not watch(PICK_INSULATOR, slipping, 1.0, CAP).success


def test_success_ends_when_the_object_is_dropped():
    monitor = TaskMonitor(PICK_INSULATOR)
    assert watch('', scene(at(z=0.06)), 1.0, CAP, monitor).success
    assert not watch('', scene(at(z=0.0)), 0.02, CAP, monitor).success


def test_the_cube_of_the_named_colour_counts_and_no_other():
    frames = scene(at(), cube_red=at(z=0.1), tool=at(z=0.1))
    assert watch('pick up the red cube', frames, 0.6, CUBE).success
    assert not watch('pick up the blue cube', frames, 0.6, CUBE).success
    assert not watch(PICK_INSULATOR, frames, 0.6, CUBE).success


def test_the_ring_at_rest_on_the_peg_for_a_second_is_hung():
    assert not watch(HANG_INSULATOR, hung(), 0.9, OPEN).success
    assert watch(HANG_INSULATOR, hung(), 1.1, OPEN).success
    assert watch(HANG_INSULATOR, hung(x=0.01, y=0.002, turn=(0.2, 0.1, 0.2)), 1.1, OPEN).success


PEG = SCENE.insulator.ring_inner_radius - SCENE.hook.peg_radius


@pytest.mark.parametrize('frames', [
    hung(x=-SCENE.hook.tip_distance - 0.005),  # in front of the tip
    hung(x=SCENE.hook.root_distance + 0.005),  # behind the pole
    hung(y=SCENE.insulator.ring_inner_radius + 0.005, z=PEG),  # beside the peg
    hung(z=PEG + SCENE.insulator.ring_inner_radius + 0.004),  # standing on the peg
    hung(turn=(0.0, 0.0, math.pi / 2)),  # along the peg, not around it
    scene(at(0.3, 0.3, 0.0), tool=at(-0.3, 0, 0.3)),  # on the table
    hung(tool=at(0, 0, 0.3 - SCENE.insulator.ring_height + SCENE.insulator.grasp_height)),  # held
    hung(x=math.nan),
], ids=['in front', 'behind', 'beside', 'on top', 'across', 'on the table', 'held', 'nan'])
def test_a_ring_that_is_not_around_the_peg_or_still_held_is_not_hung(frames):
    assert not watch(HANG_INSULATOR, frames, 2.0, OPEN).success


def test_a_swinging_insulator_is_not_hung_until_it_rests():
    def swinging(t):
        return hung(turn=(0.2 * math.sin(6 * t), 0.0, 0.0))

    monitor = TaskMonitor(HANG_INSULATOR)
    assert not watch('', swinging, 3.0, OPEN, monitor).success
    assert not watch('', hung(), 0.8, OPEN, monitor).success
    assert watch('', hung(), 0.4, OPEN, monitor).success


def test_a_period_of_swing_equal_to_the_window_does_not_pass_for_rest():
    def swinging(t):
        return hung(turn=(0.2 * math.sin(2 * math.pi * t), 0.0, 0.0))

    monitor = TaskMonitor(HANG_INSULATOR)
    for seconds in np.full(40, 0.1):
        assert not watch('', swinging, seconds, OPEN, monitor).success


def test_missing_frames_are_named():
    frames = hung()
    del frames['hook_seat']
    with pytest.raises(InputError, match='hook_seat'):
        TaskMonitor(HANG_INSULATOR).update(0, frames, OPEN)


def test_time_that_goes_back_is_refused_and_the_same_moment_changes_nothing():
    monitor = TaskMonitor(HANG_INSULATOR)
    state = monitor.update(10, hung(), OPEN)
    assert monitor.update(10, scene(at()), OPEN) is state
    with pytest.raises(InputError, match='went back'):
        monitor.update(9, hung(), OPEN)


def test_evaluate_judges_a_world_as_it_is(mover, shift):
    pytest.importorskip('mujoco')
    from vla_ros.robots import load_profile
    from vla_ros.sim.tasks import evaluate
    from vla_ros.sim.world import SimWorld

    _, above = shift
    world = SimWorld(load_profile('piper'))
    before = evaluate(PICK_INSULATOR, world)
    assert not before.success
    assert 'lifted 0.0 cm' in before.detail or 'lifted -0.0 cm' in before.detail
    move = mover(world)
    move.go(above(move.grasp_insulator(), 0.1))
    assert evaluate(PICK_INSULATOR, world).success
    assert not evaluate(HANG_INSULATOR, world).success

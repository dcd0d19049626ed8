"""From states and actions alone, every convention that a recorder may have used is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')

from convention_runs import Made, made_run, made_runs

from vla_ros.core.errors import InputError
from vla_ros.core.quaternions import conjugate, from_rpy, product, rotated, to_vectors
from vla_ros.replay.convention.estimate import estimate
from vla_ros.replay.convention.evidence import ArmModel

DEGREE = np.pi / 180.0


@pytest.mark.parametrize('made', [
    Made(),
    Made(rotation='rpy', state_rotation='axis_angle'),
    Made(frame='tool', rotation='rpy'),
    Made(frame='tool', noise=0.05),
    Made(space='ee_pose'),
    Made(space='ee_pose', rotation='rpy', state_rotation='quaternion_xyzw', noise=0.02),
    Made(translation_unit=0.001, rotation_unit=DEGREE, state_rotation='quaternion_wxyz'),
    Made(translation_unit=0.05, rotation_unit=0.5, gripper=(-1.0, 1.0)),
    Made(lag=1, gripper=(0.0, 1.0)),
    Made(lag=2, noise=0.1, rotation='rpy'),
    Made(lag=3, frame='tool', noise=0.1, dt=0.2),
], ids=lambda made: f'{made.space} {made.frame} {made.rotation} lag {made.lag} '
                    f'unit {made.translation_unit:g} state {made.state_rotation}')
def test_each_convention_is_found(made: Made) -> None:
    found = estimate(made_runs(made))
    assert found.value('action') == ('delta' if made.space == 'ee_delta' else 'absolute')
    assert found.value('space') == made.space
    assert found.value('frame') == made.frame
    assert found.value('rotation') == made.rotation
    assert found.value('translation_scale') == pytest.approx(made.translation_unit, rel=0.05)
    assert found.value('rotation_scale') == pytest.approx(made.rotation_unit, rel=0.05)
    assert found.value('lag') == pytest.approx(made.lag, abs=0.15)
    assert found.value('dt') == pytest.approx(made.dt)
    assert found.value('gripper') == {'open': made.gripper[0], 'closed': made.gripper[1]}
    assert found.value('gripper_kind') == 'binary'
    rotation = {'rpy': ['roll', 'pitch', 'yaw'], 'axis_angle': ['rx', 'ry', 'rz'],
                'quaternion_xyzw': ['qx', 'qy', 'qz', 'qw'],
                'quaternion_wxyz': ['qw', 'qx', 'qy', 'qz']}[made.state_rotation]
    assert found.value('proprio') == ['x', 'y', 'z', *rotation, 'gripper']
    assert found.findings['space'].sure >= 0.95
    assert made.space == 'ee_pose' or found.findings['frame'].margin > 0.0


def test_a_noisy_answer_says_how_much_it_explains() -> None:
    clean, noisy = (estimate(made_runs(Made(noise=noise))) for noise in (0.0, 1.0))
    assert clean.findings['space'].explained > 0.999
    # Noise of the size of the motion, in the difference of two states, leaves about a third.
    assert 0.2 < noisy.findings['space'].explained < 0.9


def test_an_arm_at_rest_tells_nothing_of_its_motion() -> None:
    found = estimate(made_runs(Made(still=True)))
    for name in ('action', 'space', 'frame', 'rotation', 'translation_scale'):
        assert found.value(name) is None
        assert 'does not move' in found.findings[name].text
    assert found.value('gripper') == {'open': 1.0, 'closed': 0.0}, 'the gripper did move'


def test_a_gripper_that_never_moves_tells_nothing_of_its_sign() -> None:
    found = estimate(made_runs(Made(gripper_still=True)))
    assert found.value('gripper') is None
    assert '1 in every action' in found.findings['gripper'].text


def test_actions_that_have_nothing_to_do_with_the_motion_tell_nothing() -> None:
    runs = []
    for run in made_runs(Made()):
        actions = np.random.default_rng(5).normal(0.0, 0.01, run.actions.shape)
        runs.append(replace(run, actions=actions))
    found = estimate(runs)
    assert found.value('space') is None
    assert found.value('frame') is None
    assert found.findings['space'].explained < 0.1


def test_small_turns_leave_the_kind_of_rotation_to_the_state_beside_them() -> None:
    finding = estimate(made_runs(Made(turn=0.02, noise=0.2))).findings['rotation']
    assert finding.text.startswith('by the state beside them')
    assert 'too small to tell' in finding.text
    no_hint = estimate(made_runs(Made(turn=0.02, noise=0.2, state_rotation='quaternion_xyzw')))
    assert no_hint.value('rotation') is None
    assert 'too small to tell' in no_hint.findings['rotation'].text


def test_the_same_rotation_numbers_in_state_and_absolute_action_cannot_be_told() -> None:
    found = estimate(made_runs(Made(space='ee_pose', rotation='rpy')))
    assert found.value('space') == 'ee_pose'
    assert found.value('rotation') is None
    assert found.value('proprio') is None


def test_one_gain_for_each_axis_is_seen() -> None:
    runs = made_runs(Made(noise=0.1))
    runs = [replace(run, actions=run.actions / np.array([0.02, 0.05, 0.1, 1, 1, 1, 1]))
            for run in runs]
    finding = estimate(runs).findings['translation_scale']
    assert 'differ by axis' in finding.text
    assert [float(word) for word in finding.text.split(': ')[-1].split()] == pytest.approx(
        [0.02, 0.05, 0.1], rel=0.1)


def test_axes_turned_against_the_state_are_named() -> None:
    swap = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    runs = [replace(run, actions=np.hstack((run.actions[:, :3] @ swap, run.actions[:, 3:6] @ swap,
                                            run.actions[:, 6:]))) for run in made_runs(Made())]
    finding = estimate(runs).findings['frame']
    assert finding.value == 'other axes'
    assert 'x along y, y along -x, z along z' in finding.text


def test_translations_in_one_frame_and_rotations_in_another_are_named() -> None:
    runs = []
    for run, other in zip(made_runs(Made()), made_runs(Made(frame='tool')), strict=True):
        runs.append(replace(run, actions=np.hstack((run.actions[:, :3], other.actions[:, 3:]))))
    found = estimate(runs)
    assert found.value('frame') == 'base'
    assert any('about tool axes' in note for note in found.notes)


def test_differences_of_roll_pitch_yaw_are_not_taken_for_turns() -> None:
    runs = []
    for run in made_runs(Made(turn=0.1)):
        change = np.diff(run.state[:, 3:6], axis=0)
        change = (change + np.pi) % (2 * np.pi) - np.pi
        runs.append(replace(run, actions=np.hstack((run.actions[:, :3], change,
                                                    run.actions[:, 6:]))))
    found = estimate(runs)
    assert found.value('rotation') == 'rpy'
    assert any('added to roll, pitch, yaw' in note for note in found.notes)


@pytest.mark.parametrize('seed', range(8))
def test_turns_about_one_axis_do_not_tell_the_kind_of_rotation(seed: int) -> None:
    runs = []
    for run in made_runs(Made(noise=0.2, seed=10 * seed)):
        turns = np.zeros_like(run.actions[:, 3:6])
        turns[:, 2] = 0.05 * run.actions[:, 5]
        rpy = np.vstack((np.zeros((2, 3)), np.cumsum(turns, axis=0)))[:len(run.state)]
        rpy += np.random.default_rng(seed).normal(scale=2e-4, size=rpy.shape)
        runs.append(replace(
            run, state=np.hstack((run.state[:, :3], rpy, run.state[:, 6:])),
            actions=np.hstack((run.actions[:, :3], turns, run.actions[:, 6:]))))
    finding = estimate(runs).findings['rotation']
    assert finding.value is None, finding
    assert 'first order' in finding.text or 'explain about the same' in finding.text
    assert 'e+' not in finding.text and len(finding.text) < 250


def test_poses_relative_to_the_tool_at_the_observation_are_found_in_chunks() -> None:
    runs = []
    for run in made_runs(Made()):
        p, q = run.state[:, :3], from_rpy(run.state[:, 3:6])
        count = len(run.actions)
        anchor = np.arange(count) // 4 * 4
        back = conjugate(q[anchor])
        after = np.arange(1, count + 1)
        actions = np.column_stack((rotated(back, p[after] - p[anchor]),
                                   to_vectors(product(back, q[after])), run.actions[:, 6]))
        runs.append(replace(run, actions=actions, anchor_ns=run.action_ns[anchor], chunk_steps=4))
    found = estimate(runs)
    assert (found.value('space'), found.value('frame')) == ('ee_pose', 'tool')


@pytest.mark.parametrize('space', ['joint_position', 'joint_delta'])
@pytest.mark.parametrize('unit', [1.0, DEGREE])
def test_joint_actions_are_found_with_and_without_the_arm(space: str, unit: float) -> None:
    names = tuple(f'joint{i + 1}' for i in range(6))
    runs = []
    for seed in range(2):
        base = made_run(Made(seed=seed))
        rng = np.random.default_rng(seed + 10)
        q = np.cumsum(np.column_stack([np.convolve(rng.normal(0, 0.02, len(base.state) + 8),
                                                   np.hanning(9), 'valid') for _ in names]), axis=0)
        actions = q[1:] if space == 'joint_position' else np.diff(q, axis=0)
        runs.append(replace(base, state=np.column_stack((q, base.state[:, -1])),
                            state_names=(*names, 'gripper'), action_names=(*names, 'gripper'),
                            actions=np.column_stack((actions / unit, base.actions[:, -1]))))
    model = ArmModel(names, 'gripper', _forward)
    for given in (None, model):
        found = estimate(runs, given)
        assert found.value('space') == space
        assert found.value('joint_scale') == pytest.approx(unit, rel=1e-3)
        assert found.value('proprio') == [*names, 'gripper']


def test_tool_actions_are_found_from_joints_through_the_kinematics() -> None:
    names = tuple(f'joint{i + 1}' for i in range(6))
    runs = []
    for run in made_runs(Made(frame='tool')):
        # An arm whose joints are its pose: the kinematics are those of the state, read as rpy.
        runs.append(replace(run, state_names=(*names, 'gripper')))
    found = estimate(runs, ArmModel(names, 'gripper', _forward))
    assert (found.value('space'), found.value('frame')) == ('ee_delta', 'tool')


def _forward(q: np.ndarray) -> np.ndarray:
    from vla_ros.core.se3 import pose, rotation_from_rpy

    return pose(rotation_from_rpy(*q[3:6]), q[:3])


def test_recordings_that_differ_are_not_mixed() -> None:
    first, second = made_runs(Made())
    with pytest.raises(InputError, match='state names are'):
        estimate([first, replace(second, state_names=tuple('abcdefg'))])


@pytest.mark.parametrize(('noise', 'sure'), [(0.0, True), (0.3, True), (1.5, False)])
def test_actions_that_come_after_their_motion_are_told_only_where_that_is_sure(
        noise: float, sure: bool) -> None:
    late = 100_000_000  # one step
    runs = [replace(run, action_ns=run.action_ns + late, anchor_ns=run.anchor_ns + late)
            for run in made_runs(Made(noise=noise))]
    lag = estimate(runs).findings['lag']
    if sure:
        assert lag.value == pytest.approx(-1.0, abs=0.15) and 'already over' in lag.text
    else:
        assert lag.value is None and lag.interval[1] > -0.5 and 'already over' not in lag.text

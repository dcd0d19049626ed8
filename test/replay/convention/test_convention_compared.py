"""A recording and a policy's convention are held against each other, property by property."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

pytest.importorskip('rosbags', reason='rosbags is not installed')

from convention_runs import Made, made_runs

from vla_ros.core.types import ActionConvention, ActionFrame, ActionSpace, Rotation
from vla_ros.replay.convention.comparison import PolicyConvention, compared, verdict_of
from vla_ros.replay.convention.estimate import Estimate, estimate
from vla_ros.replay.convention.finding import Verdict
from vla_ros.replay.convention.report import as_dict, as_text, as_yaml

CONVENTION = ActionConvention(ActionSpace.EE_DELTA, ActionFrame.BASE, Rotation.AXIS_ANGLE)
POLICY = PolicyConvention('mine', CONVENTION, 0.1, ('x', 'y', 'z', 'roll', 'pitch', 'yaw',
                                                    'gripper'))


@pytest.fixture(scope='module')
def found() -> Estimate:
    return estimate(made_runs(Made()))


def disagreeing(found: Estimate) -> set[str]:
    return {finding.name for finding in found.findings.values()
            if finding.verdict is Verdict.DISAGREE}


def test_the_right_policy_agrees(found: Estimate) -> None:
    both = compared(found, POLICY)
    assert disagreeing(both) == set()
    assert verdict_of(both) is Verdict.AGREE


@pytest.mark.parametrize(('changed', 'wrong'), [
    ({'space': ActionSpace.EE_POSE}, {'space', 'action'}),
    ({'space': ActionSpace.JOINT_DELTA}, {'space'}),
    ({'frame': ActionFrame.TOOL}, {'frame'}),
    ({'rotation': Rotation.RPY}, {'rotation'}),
    ({'translation_scale': 0.001}, {'translation_scale'}),
    ({'rotation_scale': 0.5}, {'rotation_scale'}),
    ({'gripper_open': 0.0, 'gripper_closed': 1.0}, {'gripper'}),
    ({'gripper_open': 1.0, 'gripper_closed': -1.0}, {'gripper'}),
])
def test_each_wrong_word_of_a_policy_is_named(found: Estimate, changed: dict[str, object],
                                              wrong: set[str]) -> None:
    both = compared(found, replace(POLICY, convention=replace(CONVENTION, **changed)))
    assert disagreeing(both) == wrong
    assert verdict_of(both) is Verdict.DISAGREE
    assert 'mine: disagree' in as_text(both, 'mine')


def test_a_wrong_rate_is_named(found: Estimate) -> None:
    both = compared(found, replace(POLICY, dt=0.2))
    assert disagreeing(both) == {'dt'}
    assert '0.5 times as fast' in both.findings['dt'].text


def test_both_scales_wrong_by_one_factor_are_called_a_rate_mix_up() -> None:
    # The file says 10 Hz, but each action was carried out for two steps.
    runs = [replace(run, actions=run.actions * np.array([0.5] * 6 + [1.0]))
            for run in made_runs(Made())]
    both = compared(estimate(runs), POLICY)
    assert disagreeing(both) == {'translation_scale', 'rotation_scale'}
    assert any('rate mix-up' in note for note in both.notes)


def test_a_wrong_layout_of_the_state_is_named(found: Estimate) -> None:
    both = compared(found, replace(POLICY, proprio=('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')))
    assert disagreeing(both) == {'proprio'}


def test_an_arm_at_rest_confirms_no_policy() -> None:
    both = compared(estimate(made_runs(Made(still=True))), POLICY)
    assert verdict_of(both) is Verdict.CANNOT_TELL
    assert disagreeing(both) == set()


def test_statistics_of_other_data_are_named(found: Estimate) -> None:
    actions = [run.actions for run in made_runs(Made())]
    wide, far = np.full(7, 1.0), np.full(7, 100.0)
    good = compared(found, replace(POLICY, action_range=(-wide, wide)), actions)
    assert good.findings['statistics'].verdict is Verdict.AGREE
    for low, high in ((-far, far), (wide * 0.5, wide)):
        other = compared(found, replace(POLICY, action_range=(low, high)), actions)
        assert other.findings['statistics'].verdict is Verdict.DISAGREE


def test_the_block_for_a_policy_file_has_what_was_found(found: Estimate) -> None:
    block = yaml.safe_load(as_yaml(found))
    assert block['convention'] == {
        'space': 'ee_delta', 'frame': 'base', 'rotation': 'axis_angle', 'translation_scale': 1.0,
        'rotation_scale': 1.0, 'gripper_open': 1.0, 'gripper_closed': 0.0}
    assert block['dt'] == pytest.approx(0.1)
    assert block['proprio'] == list(POLICY.proprio or ())
    still = as_yaml(estimate(made_runs(Made(still=True))))
    assert '# space: cannot be told' in still
    assert 'space' not in yaml.safe_load(still)['convention']


def test_the_values_for_programs_are_json_without_nan() -> None:
    both = compared(estimate(made_runs(Made(still=True, gripper_still=True))), POLICY)
    text = json.dumps(as_dict(both, 'mine'), allow_nan=False)
    assert json.loads(text)['findings']['space']['verdict'] == 'cannot tell'

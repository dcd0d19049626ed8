"""Every rule speaks on its evidence, with the numbers, and is silent without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vla_ros.replay.open_loop.causes import Fit
from vla_ros.replay.open_loop.result import (
    Ablation,
    Counterfactual,
    GripperMetrics,
    OpenLoopResult,
)
from vla_ros.replay.open_loop.settings import open_loop_settings
from vla_ros.replay.open_loop.suggestions import RULES, Evidence, suggestions

SAMPLE = Path(__file__).resolve().parents[2] / 'data' / 'open_loop_result.json'
DT = 100_000_000
WELL = replace(OpenLoopResult.load(SAMPLE).metrics, gripper=None, horizon=6, motion_ratio=1.0,
               answer_ratio=1.0)
GRIPPER = GripperMetrics((0, 2, 0), (0, 0, 0), None, 0.0, None, None, 0.5, 0.7, True)
QUIET = Evidence(WELL, open_loop_settings(), DT, 6, ('x', 'gripper'), DT)


def undone(cause: str, after: float = 0.0, before: float = 0.4) -> Counterfactual:
    return Counterfactual(cause, before, after, 24, f'{cause} undone')


CASES = {
    'rate': (replace(QUIET, recorded_dt_ns=2 * DT, counterfactuals=[undone('dt')]),
             'the bag runs at 5 Hz, the policy expects 10 Hz'),
    'channels': (replace(QUIET, counterfactuals=[undone('channels')]),
                 'channels look swapped (BGR for RGB): with channels undone the error falls from '
                 '0.4 to 0 of the spread'),
    'cameras': (replace(QUIET, counterfactuals=[undone('cameras')]), 'cameras look swapped'),
    'upside_down': (replace(QUIET, counterfactuals=[undone('upside_down')]), 'upside down'),
    'statistics_key': (replace(QUIET, counterfactuals=[undone('statistics_key')]),
                       'the statistics key looks wrong'),
    'gripper': (replace(QUIET, counterfactuals=[undone('gripper')]),
                'the gripper sign looks flipped'),
    'scale': (replace(QUIET, scales=[(20.0, undone('scale'))]),
              'actions are about 20 times too large'),
    'mirrored': (replace(QUIET, scales=[(-1.0, undone('scale'))]), 'point the other way'),
    'statistics': (replace(QUIET, fits=[Fit('y', 1.5, 0.001, 0.5, 1e-9)]),
                   'y is 1.5 × the recorded +0.001 (error 0.5 of the spread'),
    'never_closes': (replace(QUIET, metrics=replace(WELL, gripper=GRIPPER)),
                     'never closes the gripper: the recording closes it 2 times'),
    'stands_still': (replace(QUIET, metrics=replace(WELL, motion_ratio=0.02)),
                     'stands still: it moves 2.0% of what was recorded'),
    'same_action': (replace(QUIET, metrics=replace(WELL, answer_ratio=0.001)),
                    'the same action for every input'),
    'ignores_input': (replace(QUIET, ablations=[Ablation('black images', np.zeros(2), 0.0, 9)]),
                      'black images: the actions change by 0 of the spread'),
    'gripper_timing': (replace(QUIET, metrics=replace(WELL, gripper=replace(
        GRIPPER, hovers=False, offset_s=0.3, offset_max_s=0.4))), 'acts 0.30 s late'),
    'first_step': (replace(QUIET, metrics=replace(WELL, horizon=0)), 'already the first step'),
    'horizon': (replace(QUIET, metrics=replace(WELL, horizon=2)),
                'use fewer than 3 steps of the chunk'),
    'picture_size': (replace(QUIET, image_objections=['camera wrist sends 480x640']),
                     'camera wrist sends 480x640'),
}


def test_without_evidence_nothing_is_said() -> None:
    assert suggestions(QUIET) == ()


@pytest.mark.parametrize('cause', CASES)
def test_a_rule_speaks_on_its_evidence_and_names_the_cause(cause: str) -> None:
    evidence, text = CASES[cause]
    found = suggestions(evidence)
    assert [said.cause for said in found] == [cause]
    assert text in found[0].text


def test_every_rule_has_its_case() -> None:
    assert set(RULES) | {'mirrored'} == set(CASES)


@pytest.mark.parametrize('counterfactual', [
    undone('channels', after=0.25), undone('channels', before=0.005),
    undone('channels', after=float('nan')), undone('channels', before=float('nan'))])
def test_what_leaves_much_or_explains_little_is_not_named(counterfactual: Counterfactual) -> None:
    assert suggestions(replace(QUIET, counterfactuals=[counterfactual])) == ()


def test_a_line_that_fits_only_somewhat_better_is_no_statistic() -> None:
    assert suggestions(replace(QUIET, fits=[Fit('y', 0.6, 0.001, 0.5, 0.1)])) == ()


def test_what_explains_an_error_better_is_named_alone() -> None:
    evidence = replace(QUIET, counterfactuals=[undone('channels')],
                       scales=[(1.4, undone('scale', after=0.1))],
                       fits=[Fit('z', 1.2, 0.0, 0.3, 0.02)])
    assert [said.cause for said in suggestions(evidence)] == ['channels']


def test_steps_of_twice_the_length_are_one_cause_and_not_a_scale_too() -> None:
    evidence = replace(QUIET, recorded_dt_ns=DT // 2, counterfactuals=[undone('dt')],
                       scales=[(0.5, undone('scale'))])
    assert [said.cause for said in suggestions(evidence)] == ['rate']


def test_against_states_the_rate_of_the_pictures_is_the_evidence() -> None:
    slow = replace(QUIET, recorded_dt_ns=None, picture_hz=5.0, counterfactuals=[undone('dt')],
                   scales=[(0.5, undone('scale'))])
    said, = suggestions(slow)
    assert said.text.startswith('the bag runs at 5 Hz, the policy expects 10 Hz')


def test_the_certain_come_first() -> None:
    evidence = replace(QUIET, image_objections=['odd size'], metrics=replace(WELL, horizon=2))
    assert [said.certain for said in suggestions(evidence)] == [True, False]

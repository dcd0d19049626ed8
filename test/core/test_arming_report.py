"""A verdict counts for the policy that was tried, and for no other."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from vla_ros.core.arming_report import ArmingReport
from vla_ros.core.errors import InputError
from vla_ros.core.policy_identity import PolicyIdentity

TRIED = PolicyIdentity('openvla_oft', 'run', 'w', 'k:s', 'c', 'nf4', 'bfloat16')
PASSED = ArmingReport(True, TRIED, 'bags/one', (), ('golden x: 0, expected <= 0.05',))


def test_a_report_comes_back_as_it_was() -> None:
    assert ArmingReport.from_json(PASSED.to_json(), 'f') == PASSED
    assert PASSED.objection(TRIED) == ''


@pytest.mark.parametrize('field', [f.name for f in fields(PolicyIdentity) if f.name != 'model'])
def test_every_part_of_the_identity_counts_and_is_named(field: str) -> None:
    other = replace(TRIED, **{field: 'other'})
    assert f'{field} {getattr(TRIED, field)} is not other' in PASSED.objection(other)


def test_a_copy_of_the_checkpoint_elsewhere_is_the_same_policy() -> None:
    assert PASSED.objection(replace(TRIED, model='copy')) == ''


def test_a_policy_that_does_not_say_which_one_it_is_may_not_move_the_arm() -> None:
    assert PASSED.objection(None)


def test_one_that_fell_short_may_not_move_the_arm() -> None:
    assert 'x: 1' in ArmingReport(False, TRIED, 'b', ('x: 1',), ('x: 1',)).objection(TRIED)


@pytest.mark.parametrize(('change', 'message'), [
    ({'passed': 1}, 'expected passed'),
    ({'version': 2}, 'version 2'),
    ({'kind': ''}, 'not an arming report'),
    ({'limits': []}, 'says that it passed, with no limit'),
    ({'shortfalls': ['x']}, 'says that it passed, with limits not kept'),
    ({'identity': {'name': 'x'}}, 'expected the identity of a policy'),
    ({'identity': {**TRIED.as_dict(), 'weights': 3}}, 'weights must be a string'),
])
def test_a_report_that_was_tampered_with_is_refused(change: dict, message: str) -> None:
    values = {**json.loads(PASSED.to_json()), **change}
    with pytest.raises(InputError, match=r'^there') as caught:
        ArmingReport.from_json(json.dumps(values), 'there')
    assert message in str(caught.value)

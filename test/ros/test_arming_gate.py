"""An arm is armed only for the policy that kept its limits, in a real control node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from test_control_node import DESCRIPTION, Rig

from vla_ros.core.arming_report import ArmingReport
from vla_ros.core.policy_identity import PolicyIdentity
from vla_ros.ros.arming_gate import ArmingGate

pytestmark = pytest.mark.ros

TRIED = PolicyIdentity('played', 'run', 'w1', 'bridge:s1', 'c1', 'nf4', 'bfloat16')
OTHER = replace(TRIED, quantization='int8')


def report(passed: bool = True, identity: PolicyIdentity = TRIED) -> str:
    short = () if passed else ('golden x l1 / spread: 0.2, expected <= 0.05',)
    return ArmingReport(passed, identity, 'bag', short, ('golden x',)).to_json()


def described(identity: PolicyIdentity | None) -> str:
    return replace(DESCRIPTION, identity=identity).to_json()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Return what starts a control node that asks for a report."""
    made = []

    def make(text: str, **parameters: object) -> Rig:
        path = tmp_path / 'verdict.json'
        path.write_text(text, encoding='utf-8')
        made.append(Rig(tmp_path, '/gated', arming_report=str(path), **parameters))
        made[-1].process.start()
        return made[-1]

    yield make
    for rig in made:
        rig.process.clean_up()
        rig.observer.close()


def refused(rig: Rig) -> str:
    answer = rig.observer.ask('alone/arm')
    assert not answer.success
    return str(answer.message)


def test_auto_arm_and_arm_wait_for_the_policy_of_the_report(start: Callable[..., Rig]) -> None:
    rig = start(report(), auto_arm=True)
    rig.wait_mode('HOLD', 'not armed yet')
    assert 'the running policy does not say which one it is' in refused(rig)
    since = len(rig.observer.diagnostics)
    rig.policy.describe(described(OTHER))
    rig.observer.wait_diagnostic('alone: arming_report', 'quantization nf4 is not int8', level=2,
                                 since=since)
    assert 'it is about another policy: quantization nf4 is not int8 as announced' in refused(rig)
    assert not rig.robot.commands, 'it commanded an arm for a policy that was not tried'
    rig.policy.leave()
    rig.policy.describe(described(TRIED))  # nobody asks: auto_arm does it now
    rig.robot.commands.wait(lambda m: True, 'commands for the policy that was tried')


def test_another_policy_disarms_and_only_a_person_arms_again(start: Callable[..., Rig]) -> None:
    rig = start(report(), auto_arm=True)
    rig.wait_mode('HOLD', 'not armed yet')
    rig.policy.describe(described(TRIED))
    rig.robot.commands.wait(lambda m: True, 'commands for the policy that was tried')
    rig.policy.describe(described(OTHER))
    rig.wait_mode('HOLD', 'it is about another policy')
    rig.policy.describe(described(TRIED))
    rig.observer.wait_diagnostic('alone: arming_report', 'the policy kept its limits', level=0,
                                 since=len(rig.observer.diagnostics))
    rig.wait_mode('HOLD', 'it is about another policy')
    rig.observer.trigger('alone/arm')


def test_a_report_that_fell_short_arms_nobody(start: Callable[..., Rig]) -> None:
    rig = start(report(passed=False), auto_arm=False)
    rig.wait_mode('HOLD', 'not armed yet')
    rig.policy.describe(described(TRIED))
    rig.observer.wait_diagnostic('alone: arming_report', 'fell short', level=2)
    assert 'the policy fell short: golden x l1 / spread: 0.2, expected <= 0.05' in refused(rig)
    assert not rig.robot.commands


@pytest.mark.parametrize(('text', 'why'), [
    (None, 'cannot be read'), ('[]', 'not an arming report'), ('{', 'not JSON')])
def test_a_report_that_cannot_be_used_is_an_objection_that_names_the_file(
        tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / 'verdict.json'
    if text is not None:
        path.write_text(text, encoding='utf-8')
    gate = ArmingGate(str(path))
    gate.announced = TRIED
    assert str(path) in gate.objection()
    assert why in gate.objection()


def test_without_a_file_nothing_is_asked_for() -> None:
    assert ArmingGate('').objection() == ''

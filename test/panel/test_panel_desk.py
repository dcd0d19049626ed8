"""Who of several panels holds what, and what is let go of when one is gone."""

from __future__ import annotations

import pytest
from panel_rig import FakeRobot

from vla_ros.panel.desk import Desk, Holding

MINE = Holding('TAKEOVER', 'panel', 'panel')
NOBODYS = Holding('POLICY', '', '')
FORWARD = (0.05, 0.0, 0.0, 0.0, 0.0, 0.0)
STILL = (0.0,) * 6


class Two:
    """A desk with panels 1 and 2 that are heard of until the test says otherwise."""

    def __init__(self):
        self.robot = FakeRobot()
        self.told = []
        self.desk = Desk(self.robot, 0.5, lambda number, answer: self.told.append((number, answer)))
        self.now = 0.0
        self.here = {1, 2}
        for number in (1, 2):
            self.desk.join(0.0, number, f'panel {number}')

    def later(self, seconds, holding=MINE):
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            for number in self.here:
                self.desk.beat(self.now, number)
            self.desk.update(self.now, holding)

    def alive(self):
        return sum(said == ('arm', 'alive') for said in self.robot.said)


@pytest.fixture
def two():
    return Two()


def test_one_has_the_arm_and_the_other_is_told_who(two):
    assert two.desk.arm(0.0, 1, 'takeover').ok
    assert two.desk.arm(0.0, 2, 'takeover') == (two.desk.arm(0.0, 2, 'release'))
    assert two.desk.arm(0.0, 2, 'hold').text == 'panel 1 has the arm'
    assert not two.desk.twist(0.0, 2, FORWARD, 'base').ok
    assert two.desk.twist(0.0, 1, FORWARD, 'tool').ok
    assert two.robot.words('arm') == ['takeover']
    assert two.robot.words('twist') == [(FORWARD, True)]
    assert two.desk.view()['holder'] == 1
    two.desk.arm(0.0, 1, 'release')
    assert two.desk.arm(0.0, 2, 'takeover').ok


def test_nobody_moves_the_arm_without_having_taken_it(two):
    assert not two.desk.twist(0.0, 1, FORWARD, 'base').ok
    assert two.robot.words('twist') == []


def test_the_robot_hears_of_a_panel_that_holds_something_and_of_no_other(two):
    two.later(1.0, NOBODYS)
    assert two.alive() == 0
    two.desk.arm(two.now, 1, 'takeover')
    two.later(1.0)
    assert two.alive() == 20


@pytest.mark.parametrize('how', ['silent', 'left'])
def test_a_panel_that_is_gone_gives_the_arm_back(two, how):
    two.desk.arm(0.0, 1, 'takeover')
    two.later(0.2)
    if how == 'left':
        two.desk.leave(two.now, 1)
    two.here.discard(1)
    two.later(0.45)
    assert ('arm', 'release') in two.robot.said if how == 'left' else (
        'arm', 'release') not in two.robot.said
    two.later(0.2)
    assert two.robot.words('arm') == ['takeover', 'release']
    heard = two.alive()
    two.later(0.5, NOBODYS)
    assert two.alive() == heard
    assert two.desk.arm(two.now, 2, 'takeover').ok


@pytest.mark.parametrize('how', ['silent', 'left'])
def test_a_panel_that_is_gone_lets_a_pressed_gripper_go_but_no_latched_one(two, how):
    two.desk.gripper(0.0, 1, 'close', 'latched')
    two.desk.gripper(0.0, 2, 'open', 'momentary')
    two.here.clear()
    if how == 'left':
        two.desk.leave(0.0, 1)
        assert two.robot.words('gripper') == ['close latched', 'open momentary']
        two.desk.leave(0.0, 2)
    two.later(0.6)
    assert two.robot.words('gripper') == ['close latched', 'open momentary', 'release']


def test_a_pressed_gripper_is_its_pressers_alone_until_it_is_let_go(two):
    two.desk.gripper(0.0, 1, 'close', 'momentary')
    assert two.desk.gripper(0.0, 2, 'open', 'latched').text == (
        'panel 1 is pressing a gripper button')
    two.desk.gripper(0.0, 1, 'release', 'momentary')
    assert two.desk.gripper(0.0, 2, 0.03, 'latched').ok
    assert two.robot.words('gripper') == ['close momentary', 'release', '0.03 latched']


def test_a_press_that_the_robot_refuses_is_taken_back(two):
    two.desk.gripper(0.0, 1, 'close', 'momentary')
    two.later(1.2, Holding('POLICY', '', 'joystick'))
    assert two.robot.words('gripper') == ['close momentary', 'release']
    assert two.desk.view()['presser'] is None


def test_an_arm_that_was_told_to_hold_goes_on_holding_when_the_panel_is_gone(two):
    two.desk.arm(0.0, 1, 'hold')
    two.later(0.2)
    two.here.discard(1)
    two.later(2.0)
    assert two.robot.words('arm') == ['hold']
    assert two.desk.view()['kept_hold']
    heard = two.alive()
    two.later(0.5)
    assert two.alive() == heard + 10
    assert two.desk.arm(two.now, 2, 'release').ok
    assert two.robot.words('arm') == ['hold', 'release']
    two.later(0.1, NOBODYS)
    assert not two.desk.view()['kept_hold']


def test_a_panel_that_moved_the_arm_after_it_held_gives_it_back(two):
    two.desk.arm(0.0, 1, 'hold')
    two.later(0.2)
    two.desk.twist(two.now, 1, FORWARD, 'base')
    two.desk.leave(two.now, 1)
    assert two.robot.words('arm') == ['hold', 'release']


@pytest.mark.parametrize(('holding', 'why'), [
    (Holding('JOINTS', 'leader', ''), 'leader has taken it'),
    (Holding('STOPPED', '', ''), 'the arm was stopped'), (NOBODYS, 'the robot gave it back')])
def test_who_loses_the_arm_is_told_why(two, holding, why):
    two.desk.arm(0.0, 1, 'takeover')
    two.later(0.2)
    two.later(0.05, holding)
    assert [(number, answer.ok) for number, answer in two.told] == [(1, False)]
    assert why in two.told[0][1].text
    assert not two.desk.twist(two.now, 1, FORWARD, 'base').ok


def test_a_takeover_that_the_robot_refuses_is_taken_back_with_its_reason(two):
    two.desk.arm(0.0, 1, 'takeover')
    two.later(0.9, Holding('TWIST', 'joystick', '', 'refused: joystick has the arm'))
    assert two.told == []
    two.later(0.3, Holding('TWIST', 'joystick', '', 'refused: joystick has the arm'))
    assert [answer.text for _, answer in two.told] == ['refused: joystick has the arm']
    assert two.robot.words('arm') == ['takeover', 'release']
    assert two.desk.view()['holder'] is None

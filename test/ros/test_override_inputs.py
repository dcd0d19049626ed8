"""What comes on ``override/…``: understood, or reported by its topic with nothing done."""

from __future__ import annotations

import math
import queue

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_ros.core.errors import InputError
from vla_ros.core.limits import GripperRange
from vla_ros.core.override import OverrideConfig, Overrides
from vla_ros.core.override_arm import ArmOverrideConfig, ArmState
from vla_ros.core.override_gripper import GripperOverrideConfig, GripperOverrideMode
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.joint_states import joint_state_message
from vla_ros.ros.override_inputs import OverrideInputs, parse_gripper
from vla_ros.ros.override_publisher import OverridePublisher
from vla_ros.ros.stamps import time_message

PROFILE = load_profile('piper')
NAMES = PROFILE.joints.names
MODE = GripperOverrideMode
CONFIG = OverrideConfig(
    ('panel', 'leader', 'topic'), GripperOverrideConfig(0.3, 0.5, 0.5, 10.0, True, 0.4, 0.6, 0.1),
    ArmOverrideConfig(0.3, 0.3, 0.8))

# The words on the gripper's topic


@pytest.mark.parametrize(('text', 'expected'), [
    ('close', ('close', MODE.UNTIL_AGREE)), ('open latched', ('open', MODE.LATCHED)),
    ('  close   momentary ', ('close', MODE.MOMENTARY)), ('0.03', (0.03, MODE.UNTIL_AGREE)),
    ('3e-2 latched', (0.03, MODE.LATCHED)), ('release', ('release', MODE.UNTIL_AGREE))])
def test_gripper_words_are_a_target_and_perhaps_a_mode(text, expected):
    assert parse_gripper(text, 'override/panel/gripper', MODE.UNTIL_AGREE) == expected


@pytest.mark.parametrize(('text', 'part'), [
    ('', 'close, open, release or a width'), ('shut', "'shut'"), ('close hard', "'hard'"),
    ('close latched now', 'a mode'), ('release latched', 'expected nothing'), ('3 cm', "'cm'"),
    ('x' * 10_000_000, "'xxxx")])
def test_other_words_are_refused_with_the_topic_and_what_may_be_said(text, part):
    with pytest.raises(InputError) as error:
        parse_gripper(text, 'override/panel/gripper', MODE.UNTIL_AGREE)
    assert str(error.value).startswith('override/panel/gripper: ')
    assert part in str(error.value)
    assert len(str(error.value)) < 300


@given(st.text(max_size=30))
def test_any_text_is_understood_or_refused(text):
    try:
        target, mode = parse_gripper(text, 't', MODE.LATCHED)
    except InputError:
        return
    assert mode in MODE
    assert isinstance(target, float) or target in ('close', 'open', 'release')


# On real topics


class Rig:
    """Inputs on a real node, with a loop that runs when the test says so."""

    def __init__(self, make_node, spin_until) -> None:
        self.node, self.human = make_node('control_node'), make_node('human')
        self._spin_until = spin_until
        self.overrides = Overrides(CONFIG, GripperRange(0.0, 0.07), 6)
        self.overrides.arm.measured(np.zeros(6))
        self.posted: queue.SimpleQueue = queue.SimpleQueue()
        self.reports: list[tuple[str, str]] = []
        self.now = 0
        self.publisher = OverridePublisher(self.node, lambda act: act(), 'piper')
        self.inputs = OverrideInputs(
            self.node, PROFILE, self.overrides, self.posted.put, lambda act: act(),
            lambda topic, problem: self.reports.append((topic, problem)), MODE.UNTIL_AGREE,
            300_000_000)
        self._publishers: dict[str, object] = {}

    def spin_until(self, condition, what):
        self._spin_until([self.node, self.human], condition, what)

    def send(self, topic, message):
        """Publish one message and run what it had posted; wait until it was posted or reported."""
        publisher = self._publishers.get(topic)
        if publisher is None:
            publisher = self._publishers[topic] = self.human.create_publisher(
                type(message), topic, 10)
            self.spin_until(publisher.get_subscription_count, f'subscription of {topic}')
        before = len(self.reports)
        publisher.publish(message)
        self.spin_until(lambda: not self.posted.empty() or len(self.reports) > before, topic)
        self.loop()

    def say(self, topic, text):
        self.send(topic, String(data=text))

    def loop(self):
        while not self.posted.empty():
            self.posted.get()(self.now)


@pytest.fixture
def rig(make_node, spin_until):
    return Rig(make_node, spin_until)


def twist_message(vector=(0.1, 0, 0, 0, 0, 0.2), frame='', stamp_ns=0):
    msg = TwistStamped()
    msg.header.frame_id, msg.header.stamp = frame, time_message(stamp_ns)
    linear, angular = msg.twist.linear, msg.twist.angular
    linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = map(float, vector)
    return msg


@pytest.mark.ros
def test_the_gripper_is_overridden_and_released_by_topic(rig):
    rig.say('override/panel/gripper', 'close latched')
    assert rig.overrides.gripper.step(0, 1.0).label == 'gripper override: panel latched'
    rig.say('override/panel/gripper', 'release')
    assert rig.overrides.gripper.step(0, 1.0).fraction is None
    rig.say('override/topic/gripper', '0.035')
    decision = rig.overrides.gripper.step(0, 1.0)
    assert (decision.fraction, decision.mode) == (pytest.approx(0.5), 'until_agree')
    assert rig.reports == []


@pytest.mark.ros
@pytest.mark.parametrize(('word', 'kind'), [('takeover', ArmState.TAKEOVER),
                                            ('hold', ArmState.HOLD)])
def test_the_arm_is_taken_kept_alive_and_released_by_topic(rig, word, kind):
    rig.say('override/panel/arm', word)
    assert rig.overrides.arm.step(0).kind is kind
    rig.say('override/panel/arm', 'alive')
    rig.now = 250_000_000
    rig.say('override/panel/arm', 'alive')
    assert rig.overrides.arm.step(500_000_000).kind is kind
    rig.say('override/panel/arm', 'release')
    assert rig.overrides.arm.step(500_000_001).kind is ArmState.POLICY


@pytest.mark.ros
@pytest.mark.parametrize(('frame', 'in_tool_frame'), [('', False), ('base_link', False),
                                                      ('tcp', True)])
def test_a_twist_is_of_the_base_or_the_tool_frame(rig, frame, in_tool_frame):
    rig.send('override/panel/twist', twist_message(frame=frame))
    decision = rig.overrides.arm.step(0)
    assert decision.twist.tolist() == [0.1, 0, 0, 0, 0, 0.2]
    assert decision.in_tool_frame == in_tool_frame


@pytest.mark.ros
def test_a_stamped_twist_must_be_of_now(rig):
    now = rig.node.get_clock().now().nanoseconds
    rig.send('override/panel/twist', twist_message(stamp_ns=now - 2_000_000_000))
    rig.send('override/panel/twist', twist_message(stamp_ns=now + 60_000_000_000))
    assert [topic for topic, _ in rig.reports] == ['override/panel/twist'] * 2
    assert ' s old' in rig.reports[0][1]
    assert 'in the future; is there one clock?' in rig.reports[1][1]
    assert rig.overrides.arm.step(0).kind is ArmState.POLICY
    # However busy the machine is: as late as that a message is not.
    rig.inputs._latest_ns = 60_000_000_000
    rig.send('override/panel/twist',
             twist_message(stamp_ns=rig.node.get_clock().now().nanoseconds))
    assert rig.overrides.arm.step(0).kind is ArmState.TWIST


@pytest.mark.ros
def test_a_leader_arm_is_followed_by_name_and_its_gripper_too(rig):
    names = [PROFILE.gripper.joint, *reversed(NAMES)]
    rig.send('override/leader/joints', joint_state_message(
        names, [0.08, 0.6e-1, 0.05, 0.04, 0.03, 0.02, 0.01], [9, 6, 5, 4, 3, 2, 1], stamp_ns=0))
    decision = rig.overrides.arm.step(0)
    assert decision.joints.tolist() == [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
    assert decision.joint_velocity.tolist() == [1, 2, 3, 4, 5, 6]
    gripper = rig.overrides.gripper.step(0, 0.0)
    assert (gripper.fraction, gripper.source) == (1.0, 'leader')


@pytest.mark.ros
def test_a_leader_that_is_refused_does_not_move_the_gripper(rig):
    rig.send('override/leader/joints', joint_state_message(
        [*NAMES, PROFILE.gripper.joint], [1.0] * 6 + [0.0], stamp_ns=0))
    assert rig.overrides.arm.step(0).kind is ArmState.POLICY
    assert rig.overrides.gripper.step(0, 1.0).fraction is None
    assert 'from the measured one' in rig.reports[-1][1]


BAD = [
    ('override/panel/gripper', String(data='shut'), 'shut'),
    ('override/panel/gripper', String(data='nan'), 'width'),
    ('override/panel/gripper', String(data='30'), 'width'),
    ('override/panel/arm', String(data='dance'), 'takeover, hold, release, alive'),
    ('override/panel/arm', String(data=''), "found ''"),
    ('override/panel/twist', twist_message((math.nan, 0, 0, 0, 0, 0)), 'not finite'),
    ('override/panel/twist', twist_message((0, 0, 0, 0, 0, -math.inf)), 'not finite'),
    ('override/panel/twist', twist_message((1e9, 0, 0, 0, 0, 0)), 'at most'),
    ('override/panel/twist', twist_message(frame='world'), "'world'"),
    ('override/leader/joints', JointState(), 'missing joints'),
    ('override/leader/joints', JointState(name=NAMES, position=[math.nan] * 6), 'not finite'),
    ('override/leader/joints', JointState(name=NAMES, position=[0.0] * 5), '5 values'),
    ('override/leader/joints', JointState(name=[*NAMES, 'gripper'],
                                          position=[0.0] * 6 + [math.inf]), 'not finite'),
]


@pytest.mark.ros
@pytest.mark.parametrize(('topic', 'message', 'part'), BAD)
def test_a_bad_message_is_reported_by_its_topic_and_changes_nothing(rig, topic, message, part):
    before = rig.overrides.status
    rig.send(topic, message)
    assert rig.overrides.status == before
    assert len(rig.reports) == 1
    assert rig.reports[0][0] == topic
    assert rig.reports[0][1].startswith(topic)
    assert part in rig.reports[0][1]


@pytest.mark.ros
def test_a_refusal_is_reported_and_so_is_that_it_is_over(rig):
    rig.say('override/panel/gripper', 'close latched')
    rig.say('override/topic/gripper', 'open')
    topic, problem = rig.reports[-1]
    assert topic == 'override/topic/gripper'
    assert 'panel has the gripper' in problem
    rig.say('override/panel/gripper', 'release')
    rig.say('override/topic/gripper', 'open')
    rig.say('override/topic/gripper', 'open')
    assert rig.reports[1:] == [('override/topic/gripper', '')]


# Services


@pytest.mark.ros
def test_the_services_act_as_source_topic_and_say_what_became_of_it(rig):
    def call(name):
        client = rig.human.create_client(Trigger, f'control_node/{name}')
        rig.spin_until(client.service_is_ready, name)
        future = client.call_async(Trigger.Request())
        rig.spin_until(future.done, name)
        rig.loop()
        return future.result().success, future.result().message

    gripper, arm = rig.overrides.gripper, rig.overrides.arm
    assert call('gripper_close')[0]
    assert (gripper.source, gripper.mode, gripper.step(0, 1.0).fraction) == ('topic', 'latched', 0)
    assert call('gripper_open')[0]
    assert gripper.step(0, 0.0).fraction == 1.0
    assert call('gripper_release')[0]
    assert gripper.step(0, 1.0).fraction is None
    assert call('hold')[0]
    assert arm.step(0).label == 'hold: topic'
    assert call('release')[0]
    assert arm.step(0).kind is ArmState.POLICY
    arm.hold(0, 'panel')
    assert call('hold') == (False, 'arm override of topic refused: panel has the arm')
    assert call('release') == (False, 'arm override of topic refused: panel has the arm')
    rig.overrides.stop(0)
    assert call('release')[0]
    done, text = call('gripper_close')
    assert not done
    assert 'stopped (~/start) or not armed' in text
    assert rig.reports == []


# The topic override


@pytest.mark.ros
def test_who_has_what_is_published_when_it_changes_and_a_late_listener_learns_it(rig):
    def update():
        rig.publisher.update(rig.overrides.status, rig.now)

    update()
    rig.overrides.gripper.command(5, 'panel', 'close', 'latched')
    update()
    update()
    heard = []
    rig.human.create_subscription(DiagnosticStatus, 'override', heard.append, qos.LATCHED)
    rig.spin_until(lambda: heard, 'override')
    values = {v.key: v.value for v in heard[0].values}
    assert heard[0].message == 'gripper override: panel latched'
    assert (values['gripper'], values['gripper_source'], values['gripper_mode'],
            values['gripper_since_ns'], values['arm'], values['arm_source']) == (
        'LATCHED', 'panel', 'latched', '5', 'POLICY', '')
    rig.overrides.gripper.release(6, 'panel')
    update()
    rig.spin_until(lambda: len(heard) > 1, 'override')
    assert [m.message for m in heard] == ['gripper override: panel latched', 'none']

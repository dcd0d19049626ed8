"""The control node as a process, with a robot and a policy that the tests play."""

from __future__ import annotations

import signal
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from graph_rig import Observer, node_process, reason, speed, stamp_ns, wait_until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.core.observation_record import ObservationRecord
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.provenance import decode
from vla_ros.core.safety import LIMITERS
from vla_ros.core.types import ActionChunk, ActionConvention, ActionSpace
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.chunk_message import chunk_message, withdrawal_message
from vla_ros.ros.joint_states import joint_state_message
from vla_ros.ros.stamps import duration_message, time_message

pytestmark = pytest.mark.ros

PROFILE = load_profile('piper')
HOME = np.array(PROFILE.joints.home)
NAMES = [*PROFILE.joints.names, PROFILE.gripper.joint]
DT_NS = 100_000_000
DESCRIPTION = PolicyDescription('played', 'played by a test', ActionConvention(), DT_NS, 8)
AHEAD, BACK = 0.005, -0.02  # m a step: bad chunks would move the arm the other way than good ones


class Robot:
    """An arm that is at once where it was told to be, or does not answer."""

    def __init__(self, observer: Observer, period_s: float = 0.02) -> None:
        self.q = HOME.copy()
        self.width = 0.05
        self.answers = True
        self.stuck = False  # then it trembles where it is
        self._node = observer.node
        self.states = observer.publisher(JointState, 'joint_states', qos.JOINTS)
        self.commands = observer.hear(JointState, 'joint_command', qos.JOINTS, self._follow)
        observer.every(period_s, self._say)

    def _follow(self, command: JointState) -> None:
        if not self.stuck:
            self.q = np.array(command.position[:6])

    def now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def state(self) -> JointState:
        return joint_state_message(NAMES, [*self.q, self.width], stamp_ns=self.now_ns())

    def _say(self) -> None:
        if self.stuck:
            self.q = self.q + 1e-6 * np.sign(np.sin(time.monotonic() * 50.0))
        if self.answers:
            self.states.publish(self.state())


class Played:
    """A policy: its description with liveliness, and chunks."""

    def __init__(self, observer: Observer, robot: Robot) -> None:
        self._observer = observer
        self._robot = robot
        self._described: Any = None
        self.chunks = observer.publisher(JointTrajectory, 'action_chunk', qos.CHUNK)

    def describe(self, text: str | None = None) -> None:
        if self._described is None:
            self._described = self._observer.publisher(String, 'policy', qos.policy_profile(0.12))
        self._described.publish(String(data=DESCRIPTION.to_json() if text is None else text))

    def leave(self) -> None:
        if self._described is not None:
            self._observer.node.destroy_publisher(self._described)
            self._described = None

    def chunk(self, x: float = AHEAD, age_s: float = 0.0, steps: int = 8) -> JointTrajectory:
        actions = np.zeros((steps, 7))
        actions[:, 0], actions[:, 6] = x, 1.0
        stamp = self._robot.now_ns() - round(age_s * 1e9)
        return chunk_message(ActionChunk(stamp, DT_NS, actions), PROFILE.base_frame)

    def send(self, message: JointTrajectory) -> None:
        self.chunks.publish(message)


class Rig:
    def __init__(self, folder: Any, namespace: str = '', **parameters: object) -> None:
        self.observer = Observer('robot_and_policy', namespace)
        self.robot = Robot(self.observer)
        self.policy = Played(self.observer, self.robot)
        self.modes = self.observer.hear(DiagnosticStatus, 'mode', qos.LATCHED)
        renamed = ['-r', f'__ns:={namespace}', '-r', '__node:=alone'] if namespace else []
        # The tests play the robot in Python on a busy machine: it may be a little late.
        self.process = node_process('control_node', folder, *renamed,
                                    **{'joint_state_timeout_s': 0.4, 'auto_arm': True,
                                       'stop_after_s': 0.0,  # it waits between two tests
                                       'driver': 'sim', **parameters})

    @property
    def mode(self) -> str:
        return self.modes[-1][1].message if self.modes else ''

    def wait_mode(self, mode: str, why: str = '', since: int | None = None) -> DiagnosticStatus:
        """Wait until the newest mode is this one for this reason (or, with since, has been)."""
        def fits(m: DiagnosticStatus) -> bool:
            return m.message == mode and why in reason(m)

        if since is not None:
            return self.modes.wait(fits, f'mode {mode} {why}', since)
        return wait_until(lambda: bool(self.modes) and fits(self.modes[-1][1])
                          and self.modes[-1][1], f'mode {mode} {why}')

    def more_commands(self) -> None:
        seen = len(self.robot.commands)
        wait_until(lambda: len(self.robot.commands) > seen + 5, 'more commands')

    def drive(self) -> None:
        """Have the policy move the arm."""
        self.policy.describe()
        wait_until(self._send_and_look, 'mode AUTONOMOUS on valid chunks')

    def _send_and_look(self) -> bool:
        self.policy.send(self.policy.chunk())
        time.sleep(0.05)
        return self.mode == 'AUTONOMOUS'


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp('control'))
    try:
        rig.process.start()
        rig.robot.commands.wait(lambda m: True, 'a first command')
        yield rig
    finally:
        rig.process.clean_up()
        rig.observer.close()


@pytest.fixture
def rig(running: Rig) -> Iterator[Rig]:
    """The running node, holding, with a robot that answers and no policy."""
    running.robot.answers = True
    running.policy.leave()
    running.wait_mode('HOLD')
    wait_until(lambda: speed(running.robot.commands[-1][1]) < 1e-9, 'the arm at rest')
    yield running
    assert running.process.alive, running.process.log


def test_holds_the_measured_joints_when_there_is_no_policy(rig: Rig) -> None:
    first = rig.robot.commands.messages[0]
    assert first.name == NAMES
    np.testing.assert_allclose(first.position, [*HOME, 0.05], atol=1e-9)
    np.testing.assert_allclose(first.velocity, 0.0, atol=1e-9)
    assert rig.modes.messages[0].message == 'HOLD'


def test_commands_come_at_the_rate_that_is_set(rig: Rig) -> None:
    since = len(rig.robot.commands)
    wait_until(lambda: len(rig.robot.commands) >= since + 101, 'a hundred commands')
    stamps = [stamp_ns(m) for m in rig.robot.commands.messages[since:since + 101]]
    # By their own stamps: how soon this process hears of them is not the node's doing. The median,
    # because a busy machine delays some.
    assert np.median(np.diff(stamps)) == pytest.approx(10e6, rel=0.1)


def test_a_valid_chunk_moves_the_arm_the_way_it_says(rig: Rig) -> None:
    before = _x(rig.robot.q)
    rig.drive()
    wait_until(lambda: _x(rig.robot.q) > before + 0.003, 'motion along x')


def test_an_arm_that_presses_against_something_is_told_and_followed_when_it_is_free(
        rig: Rig) -> None:
    rig.drive()
    rig.robot.stuck = True
    chunks = rig.observer.every(0.1, lambda: rig.policy.send(rig.policy.chunk()))
    try:
        since = len(rig.observer.diagnostics)
        status = rig.observer.wait_diagnostic('control_node: arm', 'has stood still for',
                                              'told to go on (lead 0.', level=1, since=since)
        assert 'touches something' in status.message
        assert 'the arm has stood still' in rig.process.log
        rig.robot.stuck = False
        rig.observer.wait_diagnostic('control_node: arm', 'follows', level=0,
                                     since=len(rig.observer.diagnostics))
    finally:
        rig.robot.stuck = False
        rig.observer.node.destroy_timer(chunks)


def test_diagnostics_tell_how_even_the_period_is_and_what_the_system_granted(rig: Rig) -> None:
    since = len(rig.observer.diagnostics)
    status = rig.observer.wait_diagnostic('control_node: loop', '100 Hz', since=since)
    values = {v.key: v.value for v in status.values}
    for name in ('period_error', 'wake_up', 'decide'):
        p50, p99, longest = (float(values[f'{name}_{part}_ms']) for part in ('p50', 'p99', 'max'))
        assert 0.0 <= p50 <= p99 <= longest
    assert ' ms: ' in values['period_error_histogram']
    assert int(values['overruns']) >= 0
    realtime = rig.observer.wait_diagnostic('control_node: realtime')
    granted = {v.key: v.value for v in realtime.values}['thread_priority']
    assert granted == 'SCHED_FIFO 50' if realtime.level == b'\x00' else 'rtprio' in granted
    assert f'thread_priority: {granted}' in rig.process.log


def test_provenance_says_from_which_chunks_each_command_came(rig: Rig) -> None:
    texts = rig.observer.hear(String, 'provenance', qos.CHUNK)
    observations = rig.observer.publisher(String, 'observation', qos.CHUNK)
    texts.wait(lambda m: True, 'provenance while holding')
    commands = len(rig.robot.commands)
    rig.drive()
    # The record of an observation, for a chunk that is sent after it.
    chunk = rig.policy.chunk()
    stamp = stamp_ns(chunk)
    observations.publish(String(data='no json'))
    rig.observer.wait_diagnostic('control_node: observation', 'expected an observation', level=2)
    observations.publish(String(data=ObservationRecord(
        stamp, {'camera': stamp - 5_000_000}, 0, 'go', 80.0).to_json()))
    rig.policy.send(chunk)

    def told(message: String) -> bool:
        return any(c.stamp_ns == stamp and c.sources == {'camera': stamp - 5_000_000}
                   and c.source == 'played' for c in decode(message.data).chunks)

    texts.wait(told, 'the chunk with its sources')
    texts.wait(lambda m: any(stamp in t.chunk_stamps_ns for t in decode(m.data).ticks),
               'a tick with the chunk')
    sent = {stamp_ns(m): m for m in rig.robot.commands.messages[commands:]}
    ticks = [t for m in texts.messages for t in decode(m.data).ticks if t.stamp_ns in sent]
    assert len([t for t in ticks if t.mode == 'AUTONOMOUS' and sum(t.weights) > 0.99]) > 3
    for tick in ticks:
        np.testing.assert_allclose(tick.q, sent[tick.stamp_ns].position[:6], atol=1e-6)


def test_a_limiter_that_acts_is_in_provenance_and_counted_on_diagnostics(rig: Rig) -> None:
    texts = rig.observer.hear(String, 'provenance', qos.CHUNK)
    rig.drive()

    def told() -> bool:
        rig.policy.send(rig.policy.chunk(x=-0.06))  # 0.6 m/s
        time.sleep(0.05)
        return any(text.startswith('speed 0.') for m in texts.messages
                   for t in decode(m.data).ticks for text in t.acted)

    wait_until(told, 'a tick that was too fast')
    rig.policy.leave()
    since = len(rig.observer.diagnostics)
    status = rig.observer.wait_diagnostic('control_node: mode', '', since=since)
    counts = literal_eval({v.key: v.value for v in status.values}['limiters'])
    assert counts['speed'] >= 1 and set(counts) <= set(LIMITERS)


def test_the_mode_tells_a_late_subscriber_what_is_and_why(rig: Rig) -> None:
    late = rig.observer.hear(DiagnosticStatus, 'mode', qos.LATCHED)
    mode = late.wait(lambda m: True, 'the latched mode')
    assert mode.message == 'HOLD'
    assert reason(mode)
    assert mode.hardware_id == 'piper'


def test_chunks_that_stop_coming_hold_the_arm(rig: Rig) -> None:
    rig.drive()
    since = len(rig.modes)
    rig.policy.send(rig.policy.chunk(steps=40))
    slow = rig.wait_mode('AUTONOMOUS', 'action_chunk: late, none for 0.5 s', since)
    assert {v.key: v.value for v in slow.values}['level'] == 'SLOW'
    rig.wait_mode('HOLD', 'action_chunk: none for 1 s', since)


def test_a_policy_that_takes_back_what_it_said_holds_the_arm_at_once(rig: Rig) -> None:
    rig.drive()
    since = len(rig.modes)
    rig.policy.send(withdrawal_message(rig.robot.now_ns()))
    rig.wait_mode('HOLD', 'policy: played has nothing to do', since)
    rig.drive()


def test_a_policy_that_leaves_holds_the_arm_and_says_so(rig: Rig) -> None:
    rig.drive()
    since = len(rig.modes)
    rig.policy.leave()
    mode = rig.wait_mode('HOLD', since=since)
    assert reason(mode) == 'policy process is gone'


def test_stop_brakes_and_stays_until_start(rig: Rig) -> None:
    rig.drive()
    rig.observer.trigger('control_node/stop')
    rig.wait_mode('STOPPED', 'stopped by service')
    wait_until(lambda: speed(rig.robot.commands[-1][1]) < 1e-9, 'the arm at rest')
    at, since, modes = rig.robot.q.copy(), len(rig.robot.commands), len(rig.modes)
    for _ in range(5):
        rig.policy.send(rig.policy.chunk())
        rig.more_commands()
    rig.observer.trigger('control_node/start')
    rig.drive()
    # Commands and modes come on two topics: look at what left before the one after ~/start.
    assert rig.modes.messages[modes].message == 'HOLD'
    started = to_int(rig.modes.messages[modes], 'stamp_ns')
    stopped = [m for m in rig.robot.commands.messages[since:] if stamp_ns(m) < started]
    assert len(stopped) > 20
    np.testing.assert_allclose([m.position[:6] for m in stopped],
                               np.broadcast_to(at, (len(stopped), 6)), atol=2e-3)


# Bad chunks

def _set(message: JointTrajectory, **values: object) -> JointTrajectory:
    for name, value in values.items():
        setattr(message, name, value)
    return message


def _with_nan(chunk: JointTrajectory) -> JointTrajectory:
    chunk.points[3].positions[1] = float('nan')
    return chunk


def _in_frame(chunk: JointTrajectory) -> JointTrajectory:
    chunk.header.frame_id = 'camera'
    return chunk


def _uneven(chunk: JointTrajectory) -> JointTrajectory:
    chunk.points[2].time_from_start = duration_message(250_000_000)
    return chunk


def _short_step(chunk: JointTrajectory) -> JointTrajectory:
    chunk.points[1].positions = [0.0] * 6
    return chunk


def _shifted(seconds: float) -> Callable[[JointTrajectory], JointTrajectory]:
    def shift(chunk: JointTrajectory) -> JointTrajectory:
        chunk.header.stamp = time_message(stamp_ns(chunk) + round(seconds * 1e9))
        return chunk
    return shift


BAD_CHUNKS: dict[str, tuple[Callable[[JointTrajectory], JointTrajectory], str]] = {
    'nan': (_with_nan, 'step 3 has nan in'),
    'infinity': (lambda c: _set_position(c, float('inf')), 'step 0 has inf in'),
    'wrong dimensions': (lambda c: _set(c, joint_names=['x', 'y', 'z']), 'dimensions x y z'),
    'no dimensions': (lambda c: _set(c, joint_names=[]), 'dimensions none'),
    'a short step': (_short_step, 'step 1 has 6 values'),
    'wrong frame': (_in_frame, "in frame 'camera', expected 'base_link'"),
    'uneven times': (_uneven, 'step 2 is at 0.250000 s, expected 0.200000 s'),
    'from the future': (_shifted(60.0), 'refused as future'),
    'from the past': (_shifted(-60.0), 'refused as late'),
}


def _set_position(chunk: JointTrajectory, value: float) -> JointTrajectory:
    chunk.points[0].positions[0] = value
    return chunk


@pytest.mark.parametrize('what', BAD_CHUNKS)
def test_a_bad_chunk_is_refused_whole_and_named(rig: Rig, what: str) -> None:
    damage, message = BAD_CHUNKS[what]
    rig.policy.describe()
    modes, commands, diagnostics = _marks(rig)
    at = rig.robot.q.copy()
    rig.policy.send(damage(rig.policy.chunk(BACK)))
    rig.observer.wait_diagnostic('control_node: action_chunk', 'action_chunk', message,
                                 level=2, since=diagnostics)
    rig.more_commands()
    rig.drive()  # the sentinel: what is valid still works, so the bad one had been dealt with
    rig.observer.wait_diagnostic('control_node: action_chunk', 'received', level=0,
                                 since=diagnostics)
    _assert_still_until_autonomous(rig, modes, commands, at)
    assert 'action_chunk' in rig.process.log


def test_a_chunk_for_joints_in_another_order_is_refused(rig: Rig) -> None:
    other = ActionConvention(space=ActionSpace.JOINT_POSITION)
    dims = (*reversed(PROFILE.joints.names), 'gripper')
    rig.policy.describe(PolicyDescription('played', 'joints', other, DT_NS, 8, dims).to_json())
    modes, commands, diagnostics = _marks(rig)
    at = rig.robot.q.copy()
    chunk = chunk_message(ActionChunk(rig.robot.now_ns(), DT_NS, np.zeros((8, 7)), dims, other),
                          PROFILE.base_frame)
    rig.observer.wait_diagnostic('control_node: policy', 'joints', since=diagnostics)
    rig.policy.send(chunk)
    rig.observer.wait_diagnostic('control_node: action_chunk', 'expected the joints', level=2,
                                 since=diagnostics)
    rig.more_commands()
    rig.policy.describe()
    rig.drive()
    _assert_still_until_autonomous(rig, modes, commands, at)


@pytest.mark.parametrize(('text', 'message'), [
    ('no json', 'policy: expected a policy description as JSON'),
    ('[1]', 'policy: expected a policy description as a JSON object'),
    ('{"name": "x"}', 'policy: policy description is missing'),
    (DESCRIPTION.to_json().replace('"ee_delta"', '"ee_dleta"'), "Did you mean 'ee_delta'?"),
    (DESCRIPTION.to_json().replace('"dt_ns": 1', '"dt_ns": -1'), 'dt_ns must be a positive'),
])
def test_a_bad_policy_description_is_refused_and_named(rig: Rig, text: str, message: str) -> None:
    modes, commands, diagnostics = _marks(rig)
    at = rig.robot.q.copy()
    rig.policy.describe(text)
    rig.observer.wait_diagnostic('control_node: policy', message, level=2, since=diagnostics)
    rig.more_commands()
    rig.drive()
    _assert_still_until_autonomous(rig, modes, commands, at)


# Bad joint states

def _renamed(m: JointState) -> JointState:
    return _named(m, ['joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'jiont6', 'gripper'])


def _named(m: JointState, names: list[str]) -> JointState:
    m.name = names
    m.position = list(m.position)[:len(names)]
    return m


def _at(m: JointState, index: int, value: float) -> JointState:
    m.position[index] = value
    return m


def _later(m: JointState, seconds: float) -> JointState:
    m.header.stamp = time_message(stamp_ns(m) + round(seconds * 1e9))
    return m


BAD_JOINTS: dict[str, tuple[Callable[[JointState], JointState], str]] = {
    'a missing joint': (lambda m: _named(m, list(m.name)[:5]), 'missing joints: joint6'),
    'a misspelt joint': (_renamed, 'missing joints: joint6'),
    'a joint twice': (lambda m: _named(m, ['joint1', *list(m.name)[:6]]),
                      'joint named more than once: joint1'),
    'nan': (lambda m: _at(m, 2, float('nan')), 'joint3 = nan'),
    'infinity': (lambda m: _at(m, 0, float('inf')), 'joint1 = inf'),
    'a gripper that is nan': (lambda m: _at(m, 6, float('nan')), 'gripper = nan'),
    'too few positions': (lambda m: _set_list(m, [0.1]), '7 joint names but 1 values'),
    'no positions': (lambda m: _set_list(m, []), "7 joint names but 0 values in 'position'"),
    'a stamp from the future': (lambda m: _later(m, 3600.0), 'in the future'),
}


def _set_list(m: JointState, position: list[float]) -> JointState:
    m.position = position
    return m


@pytest.mark.parametrize('what', BAD_JOINTS)
def test_bad_joint_states_are_named_and_never_taken_for_fresh(rig: Rig, what: str) -> None:
    damage, message = BAD_JOINTS[what]
    rig.robot.answers = False
    modes, commands, diagnostics = _marks(rig)
    at = rig.robot.q.copy()
    rig.wait_mode('HOLD', 'joint_states: older than')
    stale = len(rig.modes)
    rig.robot.states.publish(damage(rig.robot.state()))
    rig.observer.wait_diagnostic('control_node: joint_states', 'joint_states', message, level=2,
                                 since=diagnostics)
    assert len(rig.modes) == stale, 'the mode changed without a valid joint state'
    rig.robot.answers = True  # the sentinel
    wait_until(lambda: 'joint_states' not in reason(rig.modes[-1][1]), 'a mode with valid joints')
    rig.drive()
    _assert_still_until_autonomous(rig, modes, commands, at)


def test_reordered_and_further_joints_are_read_by_name(rig: Rig) -> None:
    rig.robot.answers = False
    rig.wait_mode('HOLD', 'joint_states: older than')
    since = len(rig.robot.commands)
    shuffled = rig.robot.state()
    shuffled.name = ['lift', *reversed(NAMES)]
    shuffled.position = [9.9, *reversed(list(shuffled.position))]
    stale = len(rig.modes)
    rig.robot.states.publish(shuffled)
    rig.modes.wait(lambda m: 'joint_states' not in reason(m), 'a fresh joint state', stale)
    np.testing.assert_allclose(rig.robot.commands.messages[-1].position[:6], rig.robot.q, atol=1e-6)
    assert all(m.name == NAMES for m in rig.robot.commands.messages[since:])


def test_joint_states_of_another_arm_on_the_topic_are_not_an_error(rig: Rig) -> None:
    diagnostics = len(rig.observer.diagnostics)
    other = joint_state_message(['wheel_left', 'wheel_right'], [1.0, 2.0], stamp_ns=1)
    rig.robot.states.publish(other)
    rig.drive()
    arrays = rig.observer.diagnostics.messages[diagnostics:]
    assert not [s for a in arrays for s in a.status
                if s.name == 'control_node: joint_states' and s.level[0] == 2]


def test_joint_states_that_stop_hold_the_arm_at_the_last_command(rig: Rig) -> None:
    rig.drive()
    since = len(rig.modes)
    rig.robot.answers = False
    rig.wait_mode('HOLD', 'joint_states: older than 0.4 s', since)
    wait_until(lambda: speed(rig.robot.commands[-1][1]) < 1e-9, 'the arm at rest')
    resumed = len(rig.modes)
    rig.robot.answers = True
    rig.drive()
    assert len(rig.modes) > resumed


def test_an_arm_that_was_moved_while_it_was_silent_is_not_pulled_back(rig: Rig) -> None:
    rig.robot.answers = False
    rig.wait_mode('HOLD', 'joint_states: older than')
    wait_until(lambda: len(set(map(tuple, (m.position for _, m in rig.robot.commands[-5:])))) == 1,
               'a steady command')
    moved = rig.robot.q + [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]  # less than max_joint_lead
    since, modes = len(rig.robot.commands), len(rig.modes)
    rig.robot.states.publish(joint_state_message(NAMES, [*moved, 0.05],
                                                 stamp_ns=rig.robot.now_ns()))
    back = rig.modes.wait(lambda m: 'joint_states' not in reason(m), 'fresh joints', modes)
    rig.more_commands()
    later = [m for m in rig.robot.commands.messages[since:]
             if stamp_ns(m) >= to_int(back, 'stamp_ns')]
    assert abs(later[0].position[0] - moved[0]) < 0.01


# Each with a process of its own, in a namespace of its own

@pytest.fixture
def alone(tmp_path: Any) -> Iterator[Callable[..., Rig]]:
    """Return what starts a control node with these parameters, and the rig around it."""
    made = []

    def make(**parameters: object) -> Rig:
        made.append(Rig(tmp_path, '/alone', **parameters))
        made[-1].robot.answers = False
        made[-1].process.start()
        return made[-1]

    yield make
    for rig in made:
        rig.process.clean_up()
        rig.observer.close()


def test_nothing_is_sent_before_the_first_valid_joint_state(alone: Callable[..., Rig]) -> None:
    rig = alone()
    rig.wait_mode('HOLD', 'joint_states: none received yet')
    rig.policy.send(rig.policy.chunk())
    rig.observer.wait_diagnostic('alone: action_chunk', 'nobody has said on the topic policy')
    rig.policy.describe()
    rig.observer.wait_diagnostic('alone: policy', 'played by a test', level=0)

    def taken() -> bool:  # the first may answer an observation from before the policy was known
        # Without motion: the policy that leaves below may still count as there for a tick.
        rig.policy.send(rig.policy.chunk(x=0.0))
        time.sleep(0.05)
        return any(s.name == 'alone: action_chunk' and s.message == 'received'
                   for m in rig.observer.diagnostics.messages for s in m.status)

    wait_until(taken, 'a chunk that is taken')
    for damage, _ in BAD_JOINTS.values():
        rig.robot.states.publish(damage(rig.robot.state()))
    rig.observer.wait_diagnostic('alone: joint_states', 'joint_states', level=2)
    rig.policy.leave()
    rig.robot.q = HOME + 0.1  # the sentinel: the first command there is comes from this state
    rig.robot.states.publish(rig.robot.state())
    first = rig.robot.commands.wait(lambda m: True, 'a first command')
    np.testing.assert_allclose(first.position[:6], HOME + 0.1, atol=1e-9)


def test_ctrl_c_brakes_the_moving_arm_and_then_ends(alone: Callable[..., Rig]) -> None:
    rig = alone(brake_timeout_s=10.0)
    rig.robot.answers = True
    rig.drive()
    rig.robot.commands.wait(lambda m: speed(m) > 0.05, 'motion')
    since = len(rig.robot.commands)
    rig.process.signal(signal.SIGINT)
    started = time.monotonic()
    assert rig.process.wait() == 0
    assert time.monotonic() - started < 9.0, 'it did not end when the arm had come to rest'
    rig.wait_mode('STOPPED', 'shutting down')
    braking = rig.robot.commands.messages[since:]
    assert speed(braking[-1]) < 1e-6
    _assert_smooth(rig.robot.commands.messages[since - 1:])


def test_ctrl_c_ends_a_stopped_arm_at_once(alone: Callable[..., Rig]) -> None:
    rig = alone(brake_timeout_s=10.0)
    rig.robot.answers = True
    rig.robot.commands.wait(lambda m: True, 'a first command')
    rig.observer.trigger('alone/stop')
    rig.wait_mode('STOPPED', 'stopped by service')
    started = time.monotonic()
    assert rig.process.stop() == 0
    assert time.monotonic() - started < 9.0, 'it waited for the arm to brake, which was at rest'


def test_without_a_clock_nothing_is_sent_and_diagnostics_say_so(alone: Callable[..., Rig]) -> None:
    rig = alone(use_sim_time=True, brake_timeout_s=0.2)
    rig.robot.states.publish(rig.robot.state())
    rig.observer.wait_diagnostic('alone: mode', 'no control tick', '/clock', level=2)
    assert not rig.robot.commands
    clock, now = rig.observer.publisher(Clock, '/clock', qos.CLOCK), [5_000_000_000]

    def tick() -> None:
        now[0] += 10_000_000
        clock.publish(Clock(clock=time_message(now[0])))
        rig.robot.states.publish(joint_state_message(NAMES, [*HOME, 0.05], stamp_ns=now[0]))

    timer = rig.observer.every(0.01, tick)
    first = rig.robot.commands.wait(lambda m: True, 'a first command')
    assert stamp_ns(first) >= 5_000_000_000, 'commanded before there was a time'
    rig.observer.wait_diagnostic('alone: mode', 'HOLD: action_chunk')
    timer.cancel()  # the simulation is killed
    since = len(rig.observer.diagnostics)
    rig.observer.wait_diagnostic('alone: mode', 'no control tick', level=2, since=since)
    assert rig.process.stop() == 0


@pytest.mark.parametrize(('arguments', 'parts'), [
    (['-p', 'robot:=pipr'], ["unknown robot 'pipr'", "Did you mean 'piper'?", 'ur5e']),
    (['-p', 'rate_hz:=.nan'], ["'rate_hz'", 'finite', 'Hz']),
    (['-p', 'rate_hz:=5000'], ["'rate_hz'", '10.0 to 500.0 Hz', '5000']),
    (['-p', 'rate_hz:=fast'], ["'rate_hz'", 'a number', "'fast'"]),
    (['-p', 'rate_Hz:=100.0'], ["'rate_Hz'", "did you mean 'rate_hz'?"]),
    (['--params-file', '/no/such.yaml'], ['/no/such.yaml']),
    (['--params-file', '{typo}'], ["'chunk_timeout'", "did you mean 'chunk_timeout_s'?"]),
    (['-p', 'robot:={profile}'], ['arm.yaml', "missing key 'gripper.speed'"]),
    (['-p', 'ik_backend:=curob'], ["'ik_backend'", 'pinocchio']),
    (['-p', 'cpu_affinity:=[4095]'], ['cpu_affinity', 'no core 4095', 'its cores: ']),
    (['-p', 'thread_priority:=100'], ["'thread_priority'", '0 to 99']),
])
def test_a_wrong_start_ends_with_status_2_and_one_line(
        tmp_path: Any, repo_root: Any, arguments: list[str], parts: list[str]) -> None:
    typo, profile = tmp_path / 'typo.yaml', tmp_path / 'arm.yaml'
    typo.write_text('/**:\n  ros__parameters:\n    chunk_timeout: 0.3\n')
    text = (repo_root / 'config/robots/piper.yaml').read_text()
    assert '  speed: 0.10\n' in text
    profile.write_text(text.replace('  speed: 0.10\n', '', 1))
    process = node_process('control_node', tmp_path,
                           *(a.format(typo=typo, profile=profile) for a in arguments)).start()
    assert process.wait() == 2
    lines = process.log.splitlines()
    errors = [line for line in lines if line.startswith('[control_node] error: ')]
    assert len(errors) == 1, process.log
    for part in parts:
        assert part in errors[0]
    assert 'Traceback' not in process.log


def test_a_whole_number_will_do_for_a_rate(alone: Callable[..., Rig]) -> None:
    rig = alone(rate_hz=50)
    rig.robot.answers = True
    wait_until(lambda: len(rig.robot.commands) > 50, 'fifty commands')
    stamps = [stamp_ns(m) for m in rig.robot.commands.messages[:50]]
    assert np.median(np.diff(stamps)) == pytest.approx(20e6, rel=0.1)


def _marks(rig: Rig) -> tuple[int, int, int]:
    return len(rig.modes), len(rig.robot.commands), len(rig.observer.diagnostics)


def _assert_still_until_autonomous(rig: Rig, modes: int, commands: int, at: np.ndarray) -> None:
    """Assert that the arm was where it was until the first valid chunk, and that none went back."""
    later = rig.modes.messages[modes:]
    first = next(m for m in later if m.message == 'AUTONOMOUS')
    started = to_int(first, 'stamp_ns')
    sent = rig.robot.commands.messages[commands:]
    still = [m.position[:6] for m in sent if stamp_ns(m) < started]
    assert len(still) >= 5
    # Holding settles on the measured joints, which lag a little; BACK would be 0.02 rad in 50 ms.
    np.testing.assert_allclose(still, np.broadcast_to(at, (len(still), 6)), atol=2e-3)
    x = [_x(np.array(m.position[:6])) for m in sent[::10]]
    assert min(x) > _x(at) - 2e-3, 'a refused chunk moved the arm'


def _assert_smooth(commands: list[JointState]) -> None:
    """Assert that the joints' accelerations stay within the profile's."""
    velocity = np.array([m.velocity[:6] for m in commands])
    dt = np.diff([stamp_ns(m) for m in commands]) * 1e-9
    # A tick that came late may make up for its time, at most for five ticks.
    bound = np.array(PROFILE.joints.acceleration) * np.maximum(dt, 0.01)[:, None] * 1.01 + 1e-9
    assert (np.abs(np.diff(velocity, axis=0)) <= bound).all()


def to_int(mode: DiagnosticStatus, key: str) -> int:
    return int(next(v.value for v in mode.values if v.key == key))


_IK = []


def _x(q: np.ndarray) -> float:
    """Return the tool's x [m]."""
    if not _IK:
        from vla_ros.ik import load_ik
        _IK.append(load_ik('pinocchio', PROFILE))
    return float(_IK[0].forward(q)[0, 3])


def _still_since(rig: Rig, since: int) -> bool:
    return all(speed(m) < 1e-9 for _, m in rig.robot.commands[since:])


def test_unarmed_it_sends_nothing_until_it_is_armed(alone: Callable[..., Rig]) -> None:
    rig = alone(auto_arm=False)
    rig.robot.answers = True
    rig.policy.describe()
    rig.wait_mode('HOLD', 'not armed yet')
    for _ in range(5):
        rig.policy.send(rig.policy.chunk())
    rig.observer.wait_diagnostic('alone: mode', 'not armed yet')
    assert not rig.robot.commands
    rig.observer.trigger('alone/arm')
    rig.drive()
    rig.observer.trigger('alone/disarm')
    rig.wait_mode('HOLD', 'disarmed by service')


def test_an_emergency_stop_is_latched_until_it_is_released_reset_and_armed(rig: Rig) -> None:
    rig.drive()
    estop = rig.observer.publisher(Bool, 'estop', qos.SAFETY)
    wait_until(lambda: estop.get_subscription_count() > 0, 'the node listening to estop')
    estop.publish(Bool(data=True))
    rig.wait_mode('HOLD', 'emergency stop by topic estop')
    wait_until(lambda: speed(rig.robot.commands[-1][1]) < 1e-9, 'the arm at rest')
    since = len(rig.robot.commands)
    assert not rig.observer.ask('control_node/reset_estop').success
    assert not rig.observer.ask('control_node/arm').success
    for _ in range(5):
        rig.policy.send(rig.policy.chunk())
        rig.more_commands()
    estop.publish(Bool(data=False))
    wait_until(lambda: rig.observer.ask('control_node/reset_estop').success, 'the reset')
    assert _still_since(rig, since)
    wait_until(lambda: rig.observer.ask('control_node/arm').success, 'the arm being armed')
    rig.drive()


def test_a_dry_run_computes_and_sends_nothing(alone: Callable[..., Rig]) -> None:
    rig = alone(dry_run=True)
    rig.robot.answers = True
    ticks = rig.observer.hear(String, 'provenance', qos.CHUNK)
    rig.policy.describe()

    def moves() -> bool:
        rig.policy.send(rig.policy.chunk())
        if not ticks:
            return False
        records = decode(ticks[-1][1].data).ticks
        return any(r.q is not None and np.abs(r.velocity).max() > 1e-2 for r in records)

    wait_until(moves, 'motion in the provenance')
    assert not rig.robot.commands


def test_hold_to_run_lets_the_arm_move_only_while_it_is_held(alone: Callable[..., Rig]) -> None:
    rig = alone(hold_to_run_timeout_s=0.5)
    rig.robot.answers = True
    rig.policy.describe()
    rig.wait_mode('HOLD', 'hold to run: the switch is not held')
    switch = rig.observer.publisher(Bool, 'hold_to_run', qos.SAFETY)
    timer = rig.observer.every(0.1, lambda: switch.publish(Bool(data=True)))
    rig.drive()
    timer.cancel()
    rig.wait_mode('HOLD', 'hold to run: not heard of for 0.5 s')

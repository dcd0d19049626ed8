"""With random weights the verdict is about the graph, and says so."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from vla_ros.demo.graph_check import (
    NOTE,
    WatchMonitor,
    autonomous_share,
    beyond_limits,
    has_random_weights,
    judge_graph,
)
from vla_ros.demo.recording import HEIGHTS, Recording, Status, Stream
from vla_ros.demo.sequence import Outcome, TaskSequence
from vla_ros.robots import load_profile

PROFILE = load_profile('piper')
S = 1_000_000_000
END = 10 * S


def recorded(chunks: int = 100, autonomous_from_s: float = 0.5) -> Recording:
    recording = Recording(PROFILE.joints.names, PROFILE.gripper.joint, HEIGHTS)
    recording.instructions.append((0, 'pick up the insulator'))
    recording.add_mode(0, 'HOLD', 'action_chunk: none received yet')
    recording.add_mode(round(autonomous_from_s * S), 'AUTONOMOUS', '')
    stream = recording.streams['action_chunk'] = Stream()
    for i in range(chunks):
        stream.add(i * END // chunks, 0)
    for i in range(1000):
        home = np.append(PROFILE.joints.home, 0.03)
        home[0] += 0.1 * np.sin(i / 100)
        recording.commanded.add(i * S // 100, home.tolist())
        recording.measured.add(i * S // 100, home.tolist())
    return recording


def verdict(recording: Recording, **options):
    statuses = options.pop('statuses', {})
    return judge_graph(recording, PROFILE, statuses, END, **options)


def test_a_graph_that_works_is_ok_and_no_task_is_claimed():
    found = verdict(recorded())
    assert (found.word, found.status) == ('GRAPH OK', 0)
    for part in ('random weights, no task was tried', '100 chunks', '95 % of the time',
                 '1000 commands were all within the limits'):
        assert part in found.reason, part
    assert 'SUCCESS' not in found.word + found.reason
    assert 'without purpose' in NOTE


@pytest.mark.parametrize(('recording', 'part'), [
    (recorded(chunks=0), 'no chunk arrived'),
    (recorded(autonomous_from_s=9.0), 'only 10 % of the time'),
])
def test_chunks_that_do_not_come_or_are_not_followed_fail_it(recording, part):
    found = verdict(recording)
    assert found.status == 1
    assert part in found.reason
    assert 'no task was tried' in found.reason


def test_chunks_that_stop_coming_fail_it():
    recording = recorded(chunks=0)
    recording.streams['action_chunk'].add(5 * S, 0)
    assert 'the last of 1 chunks came 5.0 s before the end' in verdict(recording).reason


@pytest.mark.parametrize(('joint', 'value', 'part'), [
    (1, PROFILE.joints.upper[1] + 0.01, f'{PROFILE.joints.names[1]} was commanded to'),
    (0, PROFILE.joints.lower[0] - 0.01, f'{PROFILE.joints.names[0]} was commanded to'),
    (6, PROFILE.gripper.open + 0.001, 'gripper was commanded to'),
    (2, float('nan'), f'{PROFILE.joints.names[2]} was commanded to nan'),
])
def test_a_command_beyond_a_limit_fails_it_and_is_named(joint, value, part):
    recording = recorded()
    command = np.append(PROFILE.joints.home, 0.03)
    command[joint] = value
    recording.commanded.add(END, command.tolist())
    assert any(part in text for text in beyond_limits(recording, PROFILE))
    assert verdict(recording).status == 1


def test_a_command_that_moves_too_fast_fails_it():
    recording = recorded()
    command = np.append(PROFILE.joints.home, 0.03)
    for i in range(20):
        command[0] += 1.2 * PROFILE.joints.velocity[0] * 0.01
        recording.commanded.add(END + i * S // 100, command.tolist())
    assert 'was commanded to move at' in verdict(recording).reason


def test_a_lasting_error_a_stop_and_an_ended_process_fail_it():
    found = verdict(recorded(), statuses={'sim_node: simulation': Status(2, 'broken', {})})
    assert 'sim_node: simulation: broken' in found.reason
    recording = recorded()
    recording.add_mode(9 * S, 'STOPPED', 'stopped by service')
    assert 'the arm was stopped: stopped by service' in verdict(recording).reason
    assert verdict(recorded(), problems=['policy_node ended']).reason.startswith('policy_node')


def test_what_comes_and_goes_on_a_busy_machine_does_not_fail_it():
    late = Status(2, 'no chunk: camera/wrist/image_raw: 0.4 s old', {})
    assert verdict(recorded(), statuses={'policy_node: inference': late}).success


def test_the_stop_at_the_end_of_the_demo_is_no_fault():
    recording = recorded()
    recording.add_mode(END + 1, 'STOPPED', 'shutting down')
    assert verdict(recording).success
    assert autonomous_share(recording, END) == pytest.approx(0.95)


def test_a_signal_interrupts():
    found = verdict(recorded(), signal_number=signal.SIGINT)
    assert (found.word, found.status) == ('INTERRUPTED', 130)


def test_the_monitor_watches_each_instruction_for_its_time_and_judges_nothing():
    sequence = TaskSequence(('a', 'b'), 4.0, lambda task: WatchMonitor(task, 2.0), Outcome.WATCHED)
    sequence.begin(0)
    instructions = [sequence.update(i * S // 10, {}, 0.0) for i in range(60)]
    assert [text for text in instructions if text] == ['b']
    assert sequence.ended
    assert {result.outcome for result in sequence.results()} == {Outcome.WATCHED}
    assert 'no task' in sequence.detail


@pytest.mark.parametrize(('content', 'expected'), [
    ('{"random_weights": true}', True), ('{}', False), ('[1]', False), ('{', False), (None, False)])
def test_a_checkpoint_says_itself_that_it_is_random(tmp_path, content, expected):
    if content is not None:
        (tmp_path / 'config.json').write_text(content)
    assert has_random_weights(tmp_path) is expected

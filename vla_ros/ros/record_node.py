"""``record_node``: writes a run into bags, or keeps its last seconds until they are asked for.

A process of its own that only listens. What it hears stays bytes; a thread of the session writes
them. It slows nobody: see ``record_subscriptions`` for how it listens.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.context import Context
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_ros.core.errors import VlaRosError
from vla_ros.replay.record_queue import Importance, LiveMessage
from vla_ros.replay.record_topics import RECORDING
from vla_ros.replay.recorder import RecorderState
from vla_ros.replay.recording import RecordingSession
from vla_ros.replay.recording_summary import RecordingSummary
from vla_ros.replay.topic_choice import STRING
from vla_ros.ros import qos
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, Level, status_message
from vla_ros.ros.fault_watch import FaultWatch
from vla_ros.ros.parameter_snapshot import ParameterSnapshot
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.record_settings import MB, session_settings, topics_of
from vla_ros.ros.record_subscriptions import RecordSubscriptions
from vla_ros.ros.recording_facts import file_facts, machine_facts

_LOOK_S = 0.5
_START_S = 0.02
_TF_STATIC = '/tf_static'
_BAD_ENDS = (RecorderState.FULL, RecorderState.FAILED)


class RecordNode(Node):
    """Records one run; see docs/recording.md for its topics, services and parameters.

    Parameters
    ----------
    context : Context
        Where it lives.
    free_bytes : Callable[[], int] | None
        Returns the free space of the disk [bytes]; None: asks it.

    """

    def __init__(self, context: Context, free_bytes: Callable[[], int] | None = None,
                 **options: Any) -> None:
        super().__init__('record_node', context=context, **options)
        p = self.parameters = NodeParameters(self, 'record_node')
        self.summaries: list[RecordingSummary] = []
        self._simulated = bool(self.get_parameter('use_sim_time').value)
        topics = topics_of(p, self._simulated)
        latched = [self.resolve_topic_name(t.name) for t in topics if t.latched]
        self._session = RecordingSession(session_settings(p), [*latched, RECORDING], [_TF_STATIC],
                                         free_bytes)
        self._worker = ThreadPoolExecutor(1, 'disk')  # one at a time: begin, end, save
        self._facts: dict[str, Any] = {}
        self._facts_new = False
        self._closing = False
        self._problem = ''
        self._told: tuple[Any, ...] = ()
        self._saved_at: float | None = None  # monotonic [s]
        self._fault = ''
        self._due: Any = None  # timer of the save that a fault asks for
        self._state = self.create_publisher(DiagnosticStatus, 'recording_state', qos.LATCHED)
        self._diagnostics = Diagnostics(self, hardware_id=p.robot)
        self._diagnostics.add_source(self._report)
        self._snapshot = ParameterSnapshot(self, self._on_parameters)
        self._snapshot.add(self.get_fully_qualified_name(), p.as_dict())
        self._listening = RecordSubscriptions(self, topics, self._take, self._session.lose,
                                              self._session.latch)
        self._watch = (FaultWatch(self, self._on_fault) if p.keep_last_s and p.save_on_fault
                       else None)
        for name, action in (('start', self._begin), ('stop', self._end),
                             ('save_last', lambda: self._save('asked for'))):
            self.create_service(Trigger, f'~/{name}', self._service(action))
        # On the steady clock: simulated time that stands still must not keep it from ending.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_LOOK_S, self._look, clock=self._steady)
        if p.autostart and not p.keep_last_s:
            self._starting = self.create_timer(_START_S, self._start_with_time,
                                               clock=self._steady)
        else:
            self._submit(self._collect_facts)

    def shutdown(self) -> None:
        """Complete the bag; the executor must still be running."""
        if self._fault and self._due is not None:  # what followed it cannot be waited for
            self._submit(self._save_for, self._fault)
        if self._session.running:
            self._submit(self._answer, self._end)
        self._closing = True
        self._snapshot.close()
        self._worker.shutdown()

    def _submit(self, action: Callable[..., Any], *args: Any) -> Any:
        """Have something done on the worker's thread; not any more once the node ends."""
        if self._closing:
            return None
        return self._worker.submit(action, *args)

    def save_last(self) -> str:
        """Save what is kept in memory, from another thread; return the path or why not."""
        done = self._submit(self._answer, lambda: self._save('asked for'))
        return 'the node ends' if done is None else str(done.result()[1])

    # What comes in, on the executor's thread

    def _take(self, message: LiveMessage) -> None:
        if message.receive_ns == 0:
            return self._session.hold(message)  # simulated time has not begun
        self._session.offer(message)

    def _look(self) -> None:
        self._listening.look()
        if self.parameters.snapshot_parameters:
            self._snapshot.look()
        if self._watch is not None:
            self._watch.look()
        if self._facts_new:
            self._facts_new = False
            self._say_facts()
        self._publish_state()

    def _start_with_time(self) -> None:
        if self.get_clock().now().nanoseconds:  # simulated time may not have begun
            self._starting.cancel()
            self._submit(self._answer, self._begin)
            self._submit(self._collect_facts)  # takes a while; the messages do not wait

    def _on_parameters(self) -> None:
        self._submit(self._collect_facts)

    def _collect_facts(self) -> None:
        """Read versions and files; on the worker's thread, which may wait for a disk."""
        policy = next((values for name, values in self._snapshot.values.items()
                       if name.rpartition('/')[2] == 'policy_node'), {})
        if 'versions' not in self._facts:
            self._facts.update(machine_facts())
        self._facts.update(file_facts(self.parameters.robot, policy))
        self._facts_new = True

    def _say_facts(self) -> None:
        facts = {**self._facts, 'parameters': dict(sorted(self._snapshot.values.items())),
                 'not_answered': self._snapshot.pending}
        now_ns = self.get_clock().now().nanoseconds
        data = serialize_message(String(data=json.dumps(facts)))
        self._take(LiveMessage(RECORDING, STRING, now_ns, data, Importance.COMMAND))
        self._session.note(vla_ros=self._facts['versions']['vla_ros'],
                           git=self._facts['git'] or 'none',
                           config=self._facts['config'])

    # Faults

    def _on_fault(self, reason: str) -> None:
        p = self.parameters
        if self._fault:
            return  # one is about to be saved
        if self._saved_at is not None and (
                time.monotonic() - self._saved_at < p.min_between_saves_s):
            self.get_logger().warning(f'not saved, the last save is too near: {reason}')
            return
        self._fault = reason
        self.get_logger().warning(f'{reason}: saved in {p.after_fault_s:g} s')

        self._due = self.create_timer(max(p.after_fault_s, 0.01), self._on_due,
                                      clock=self._steady)

    def _on_due(self) -> None:
        self.destroy_timer(self._due)
        self._due = None
        self._submit(self._save_for, self._fault)

    def _save_for(self, reason: str) -> None:
        try:
            self._answer(lambda: self._save(reason))
        finally:
            self._fault = ''

    # What waits for the disk, on the worker's thread

    def _begin(self) -> str:
        path = self._session.begin(self._name(), self.get_clock().now().nanoseconds)
        self._problem = ''
        self._facts_new = bool(self._facts)
        self.get_logger().info(f'recording to {path}')
        return str(path)

    def _end(self) -> str:
        summary = self._session.end()
        self.summaries.append(summary)
        for line in summary.lines():
            self.get_logger().info(line)
        return str(summary.path)

    def _save(self, reason: str) -> str:
        summary = self._session.save(self._name(), {'reason': reason})
        self._saved_at = time.monotonic()
        self.summaries.append(summary)
        for line in summary.lines():
            self.get_logger().info(line)
        return str(summary.path)

    def _name(self) -> str:
        name = self.parameters.name or datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
        folder, number = self._session.settings.folder, 1
        taken = name
        while (folder / taken).exists():
            number += 1
            taken = f'{name}_{number}'
        return taken

    def _answer(self, action: Callable[[], str]) -> tuple[bool, str]:
        try:
            return True, action()
        except VlaRosError as error:
            self._problem = str(error)
            self.get_logger().error(str(error))
            return False, str(error)

    def _service(self, action: Callable[[], str]) -> Any:
        """Return a service's callback that leaves the executor free while the disk is waited for.

        Messages that come meanwhile would be lost otherwise.
        """
        async def serve(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            done: Future = Future(executor=self.executor)
            if self._submit(lambda: done.set_result(self._answer(action))) is None:
                done.set_result((False, 'the node ends'))
            response.success, response.message = await done
            return response

        return serve

    # Reports

    def _report(self) -> None:
        level, text, values = self._status()
        self._diagnostics.set('recording', level, text, **values)

    def _publish_state(self) -> None:
        level, text, values = self._status()
        told = (level, text.partition(':')[0], values.get('path'))
        if told != self._told:
            self._told = told
            self._state.publish(status_message('recording', level, text, values))

    def _status(self) -> tuple[Level, str, dict[str, object]]:
        summary, ring = self._session.summary(), self._session.ring
        values: dict[str, object] = {}
        if self._listening.problems:
            values['not recorded'] = '; '.join(self._listening.problems.values())
        if self._listening.waiting:
            values['not published yet'] = ', '.join(self._listening.waiting)
        if ring is not None:
            values |= {'kept in memory [MB]': ring.bytes / MB,
                       'seconds of pictures': ring.seconds(Importance.PICTURE),
                       'seconds of commands': ring.seconds(Importance.COMMAND)}
        if summary is None:
            word = f'keeping the last {self.parameters.keep_last_s:g} s' if ring else 'idle'
            if not self.get_clock().now().nanoseconds:
                word = 'waiting for simulated time (/clock)'
            if self.summaries:
                values['last bag'] = str(self.summaries[-1].path)
            return (Level.ERROR if self._problem else Level.OK,
                    word + (f': {self._problem}' if self._problem else ''), values)
        lacking = summary.lacking
        values |= {'path': str(summary.path), 'messages': summary.messages,
                   'on disk [MB]': summary.bytes_on_disk / MB,
                   'dropped': ', '.join(f'{count} of {topic}' for topic, count in
                                        sorted(lacking.items())) or 'none'}
        good = summary.state is RecorderState.RECORDING and not lacking
        level = (Level.ERROR if summary.state in _BAD_ENDS else Level.OK if good else Level.WARN)
        return level, f'{summary.state.value}: {summary.messages} messages', values


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; complete the bag, then end."""
    return run_node(RecordNode, 'record_node', args=argv)


if __name__ == '__main__':
    sys.exit(main())

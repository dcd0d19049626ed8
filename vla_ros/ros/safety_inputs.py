"""Emergency stop, arming and hold to run: the topics and services by which people permit motion."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from vla_ros.core.pipeline import Pipeline
from vla_ros.ros import qos

Post = Callable[[Callable[[int], object]], None]
Answer = tuple[bool, str]

_ANSWER_S = 1.0  # s of real time; a loop that takes longer stands still (no /clock)


class SafetyInputs:
    """Hands what people say about safety to the control loop, and its answer back.

    Parameters
    ----------
    node : rclpy.node.Node
        The control node.
    pipeline : Pipeline
        Belongs to the loop's thread; it is only touched in what is posted.
    post : Callable
        Has an action called in the loop's thread.
    not_ready : Callable[[], str]
        Says why the arm's driver cannot be commanded now; empty when it can.

    """

    def __init__(self, node: Node, pipeline: Pipeline, post: Post,
                 not_ready: Callable[[], str] = lambda: '') -> None:
        self._pipeline = pipeline
        self._post = post
        self._not_ready = not_ready
        node.create_subscription(Bool, 'estop', self._on_estop, qos.SAFETY)
        node.create_subscription(Bool, 'hold_to_run', self._on_hold_to_run, qos.SAFETY)
        for name, action in (
                ('stop', self._stop), ('start', self._start), ('arm', self._arm),
                ('disarm', self._disarm), ('estop', self._estop),
                ('reset_estop', self._reset_estop)):
            node.create_service(Trigger, f'~/{name}', self._service(action))

    def _on_estop(self, msg: Bool) -> None:
        pressed = bool(msg.data)
        self._post(lambda now_ns: self._pipeline.interlock.estop('topic estop', pressed))

    def _on_hold_to_run(self, msg: Bool) -> None:
        held = bool(msg.data)
        self._post(lambda now_ns: self._pipeline.interlock.hold_to_run(held, now_ns))

    # In the loop's thread

    def _stop(self, now_ns: int) -> Answer:
        self._pipeline.stop('stopped by service')
        return True, 'the arm brakes and holds until ~/start'

    def _start(self, now_ns: int) -> Answer:
        self._pipeline.start(now_ns)
        return True, 'the arm follows the policy when it is ready'

    def _arm(self, now_ns: int) -> Answer:
        return self._pipeline.arm(now_ns, self._not_ready())

    def _disarm(self, now_ns: int) -> Answer:
        self._pipeline.interlock.disarm('disarmed by service')
        return True, 'the arm brakes, then nothing is sent until ~/arm'

    def _estop(self, now_ns: int) -> Answer:
        self._pipeline.interlock.estop('service')
        return True, 'the arm brakes and holds until ~/reset_estop and ~/arm'

    def _reset_estop(self, now_ns: int) -> Answer:
        return self._pipeline.interlock.reset('service')

    def _service(self, action: Callable[[int], Answer]) -> Callable[[Any, Any], Any]:
        def serve(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            answers: list[Answer] = []
            answered = threading.Event()

            def do(now_ns: int) -> None:
                answers.append(action(now_ns))
                answered.set()

            self._post(do)
            if answered.wait(_ANSWER_S):
                response.success, response.message = answers[0]
            else:
                response.success = False
                response.message = ('the control loop stands still (is /clock running?); '
                                    'it will be done when that goes on')
            return response
        return serve

"""Emergency stop, arming and hold to run: the topics and services by which people permit motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from vla_ros.core.pipeline import Pipeline
from vla_ros.ros import qos

Post = Callable[[Callable[[int], object]], None]
Answer = tuple[bool, str]


class SafetyInputs:
    """Hands what people say about safety to the control loop.

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
    objection : Callable[[], str]
        Says why the policy may not move the arm; empty when it may. Asked on the executor's thread.

    """

    def __init__(self, node: Node, pipeline: Pipeline, post: Post,
                 not_ready: Callable[[], str] = lambda: '',
                 objection: Callable[[], str] = lambda: '') -> None:
        self._pipeline = pipeline
        self._post = post
        self._not_ready = not_ready
        self._objection = objection
        node.create_subscription(Bool, 'estop', self._on_estop, qos.SAFETY)
        node.create_subscription(Bool, 'hold_to_run', self._on_hold_to_run, qos.SAFETY)
        services: dict[str, Callable[[], Answer]] = {
            'stop': self._stop, 'start': self._start, 'arm': self._arm, 'disarm': self._disarm,
            'estop': self._estop, 'reset_estop': self._reset_estop}
        for name, answer in services.items():
            node.create_service(Trigger, f'~/{name}', _service(answer))

    def _on_estop(self, msg: Bool) -> None:
        pressed = bool(msg.data)
        self._post(lambda now_ns: self._pipeline.interlock.estop('topic estop', pressed))

    def _on_hold_to_run(self, msg: Bool) -> None:
        held = bool(msg.data)
        self._post(lambda now_ns: self._pipeline.interlock.hold_to_run(held, now_ns))

    # Answers are given at once: in simulated time the loop waits for /clock, which this thread
    # brings, so it must not wait for the loop.

    def _stop(self) -> Answer:
        self._post(lambda now_ns: self._pipeline.stop('stopped by service'))
        return True, 'the arm brakes and holds until ~/start'

    def _start(self) -> Answer:
        self._post(self._pipeline.start)
        return True, 'the arm follows the policy when it is ready'

    def _arm(self) -> Answer:
        not_ready = self._not_ready() or self._objection()
        if why := self._pipeline.interlock.why_not_arm(not_ready):
            return False, why
        self._post(lambda now_ns: self._pipeline.arm(now_ns, self._not_ready()))
        return True, 'the arm follows the policy when it is ready'

    def _disarm(self) -> Answer:
        self._post(lambda now_ns: self._pipeline.interlock.disarm('disarmed by service'))
        return True, 'the arm brakes, then nothing is sent until ~/arm'

    def _estop(self) -> Answer:
        self._post(lambda now_ns: self._pipeline.interlock.estop('service'))
        return True, 'the arm brakes and holds until ~/reset_estop and ~/arm'

    def _reset_estop(self) -> Answer:
        if why := self._pipeline.interlock.why_not_reset('service'):
            return False, why
        self._post(lambda now_ns: self._pipeline.interlock.reset('service'))
        return True, 'disarmed; ~/arm lets the arm move again'


def _service(answer: Callable[[], Answer]) -> Callable[[Any, Any], Any]:
    def serve(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = answer()
        return response
    return serve

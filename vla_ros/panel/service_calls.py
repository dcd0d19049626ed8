"""Services that a page asks for: none waits for ever, and the emergency stop has a second way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from vla_ros.panel.port import ESTOP, Answer, RobotPort

_LOG = logging.getLogger(__name__)
_ESTOP_S = 0.2  # for the service to answer, before the topic says it too
_AGAIN_S = 0.2  # between two times that the topic says it, while nothing shows that it was heard
_HEARD_S = 0.2  # for what was said on the topic to arrive before the service asks


class ServiceCalls:
    """Asks the robot's services from the panel's event loop, which goes on meanwhile.

    The emergency stop goes to the service first, since what the service has pressed it can release
    again. The topic belongs to everybody who publishes on it: the panel only says there what it
    has to, and takes back only what nobody else can have said. A stop that nothing confirms is said
    again and again: a control node, or this one, that has just come up is not connected yet, and
    what is said on a topic before that goes to nobody.

    Parameters
    ----------
    robot : RobotPort
        What is asked.
    timeout_s : float
        What a service has to answer [s].
    stopped : callable
        ``stopped() -> bool``: whether the control node shows that it is emergency stopped.

    """

    def __init__(self, robot: RobotPort, timeout_s: float, stopped: Callable[[], bool]) -> None:
        self._robot = robot
        self._timeout_s = timeout_s
        self._stopped = stopped
        self._said_estop = False
        self._again_at: float | None = None  # when an unconfirmed stop is said again [s]

    async def call(self, service: str) -> Answer:
        """Return what a service answered, or that it did not in time."""
        if service == 'reset_estop' and self._said_estop:
            if self._robot.others_say_estop():
                return Answer(False, 'the stop was sent on the topic estop, on which others speak '
                                     'too: release it there (ros2 topic pub --once estop '
                                     "std_msgs/msg/Bool 'data: false')")
            self._again_at = None
            self._robot.say_estop(False)
            await asyncio.sleep(_HEARD_S)
        answer = await self._ask(service, self._timeout_s)
        if service == 'reset_estop' and answer.ok:
            self._said_estop = False
        return answer

    async def estop(self) -> Answer:
        """Stop the arm by the service, and by the topic when that does not confirm at once."""
        answer = await self._ask(ESTOP, _ESTOP_S)
        if answer.ok:
            _LOG.warning('emergency stop confirmed: %s', answer.text)
            return Answer(True, f'emergency stop: {answer.text}')
        self._say_estop()
        text = f'emergency stop sent on the topic estop, unconfirmed ({answer.text})'
        _LOG.error('%s', text)
        return Answer(False, text)

    def step(self, now: float) -> None:
        """Say an unconfirmed stop again; ``now`` is the event loop's time [s]."""
        if self._again_at is None:
            return
        if self._stopped():
            self._again_at = None
            _LOG.warning('emergency stop confirmed: the control node shows it')
        elif now >= self._again_at:
            self._say_estop()

    def _say_estop(self) -> None:
        self._robot.say_estop(True)
        self._said_estop = True
        self._again_at = asyncio.get_running_loop().time() + _AGAIN_S

    async def _ask(self, service: str, timeout_s: float) -> Answer:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._robot.call(service)),
                                          timeout_s)
        except asyncio.TimeoutError:
            return Answer(False, f'{service}: no answer within {timeout_s:g} s')
        except Exception as error:  # whatever the middleware raised: the page must learn it
            return Answer(False, f'{service}: {error}')

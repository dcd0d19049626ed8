"""Who of several panels holds what, without a clock: one has the arm, the others see who.

To the robot all panels are one source. What a panel holds by being there (the arm that it has taken
over, a gripper button that it presses) is let go of when it leaves or is not heard of for the
deadman's time. What stays by itself is left as it is: a latched gripper, and an arm that was told
to hold, which would otherwise begin to move because somebody's phone fell asleep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vla_ros.core.override_arm import ArmState
from vla_ros.core.override_gripper import GripperOverrideMode
from vla_ros.panel.port import Answer, RobotPort

SOURCE = 'panel'
"""The panels' name among the sources of overrides."""

_MOMENTARY = GripperOverrideMode.MOMENTARY.value
_TAKES_S = 1.0  # within which the robot must have said that the arm is the panel's


@dataclass(frozen=True)
class Holding:
    """What the robot says about who has what.

    Attributes
    ----------
    arm, arm_source, gripper_source : str
        As on the topic ``override``.
    problem : str
        Why the last word on the panel's arm topic was refused; empty when it was not.

    """

    arm: str = ArmState.POLICY.value
    arm_source: str = ''
    gripper_source: str = ''
    problem: str = ''


@dataclass
class _Panel:
    name: str
    heard_s: float


class Desk:
    """Takes the commands of all panels; used by one thread.

    Parameters
    ----------
    robot : RobotPort
        Gets what is granted.
    deadman_s : float
        A panel that is not heard of for longer has lost what it held [s].
    tell : Callable[[int, Answer], None]
        Gets, for a panel's number, what became of something that it was not answered before.

    """

    def __init__(self, robot: RobotPort, deadman_s: float,
                 tell: Callable[[int, Answer], None]) -> None:
        self._robot = robot
        self._deadman_s = deadman_s
        self._tell = tell
        self._panels: dict[int, _Panel] = {}
        self._holder: int | None = None  # panel that has the arm
        self._holds = False  # the arm was told to hold, not taken over
        self._asked_s: float | None = None  # when for the arm; None: the robot has confirmed it
        self._presser: int | None = None  # panel that presses a gripper button
        self._pressed_s = 0.0
        self._kept_s: float | None = None  # since when the arm holds for a panel that is gone

    # Panels

    def join(self, now: float, number: int, name: str) -> None:
        """Take in a new panel [s]."""
        self._panels[number] = _Panel(name, now)

    def leave(self, now: float, number: int) -> None:
        """Take in that a panel is gone, and let go of what it held."""
        self._let_go(now, number)
        self._panels.pop(number, None)

    def beat(self, now: float, number: int) -> None:
        """Take in that a panel is there and hears the robot."""
        self._panels[number].heard_s = now

    def view(self) -> dict[str, object]:
        """Return who is here and who has the arm, as JSON can say it."""
        return {'panels': [{'number': number, 'name': panel.name}
                           for number, panel in self._panels.items()],
                'holder': self._holder, 'presser': self._presser,
                'kept_hold': self._kept_s is not None}

    # Commands; each returns what became of it

    def gripper(self, now: float, number: int, to: str | float, mode: str) -> Answer:
        """Move the gripper, or give it back."""
        if self._presser not in (None, number):
            return Answer(False, f'{self._name(self._presser)} is pressing a gripper button')
        if to == 'release':
            self._presser = None
            self._robot.gripper('release')
            return Answer(True, 'the gripper is given back')
        word = to if isinstance(to, str) else f'{to:.6g}'
        self._presser, self._pressed_s = (number, now) if mode == _MOMENTARY else (None, 0.0)
        self._robot.gripper(f'{word} {mode}')
        return Answer(True, f'gripper: {word}, {mode}')

    def arm(self, now: float, number: int, word: str) -> Answer:
        """Take the arm over, have it hold, or give it back."""
        if self._holder not in (None, number):
            return Answer(False, f'{self._name(self._holder)} has the arm')
        if word == 'release':
            self._drop_arm()
            self._kept_s = None
            self._robot.arm('release')
            return Answer(True, 'the arm is given back')
        if self._holder is None:
            self._asked_s = now
        self._holder, self._holds, self._kept_s = number, word == 'hold', None
        self._robot.arm(word)
        return Answer(True, 'the arm holds' if self._holds else 'the arm is taken over')

    def twist(self, now: float, number: int, velocity: tuple[float, ...], frame: str) -> Answer:
        """Move the tool; only for the panel that has taken the arm over."""
        if self._holder != number:
            return Answer(False, f'{self._name(self._holder)} has the arm: take it over first')
        if any(velocity):
            self._holds = False
        self._robot.twist(velocity, frame == 'tool')
        return Answer(True, '')

    # The tick

    def update(self, now: float, robot: Holding) -> None:
        """Let go of what lost panels held, and keep what the others hold [s].

        It must be called several times within the deadman's time.
        """
        for number, panel in self._panels.items():
            if not now - panel.heard_s <= self._deadman_s:
                self._let_go(now, number)
        self._follow_arm(now, robot)
        if self._presser is not None and robot.gripper_source != SOURCE and (
                now - self._pressed_s > _TAKES_S):
            # Refused, or ended by a stop. As with the arm: it may yet be heard of.
            self._presser = None
            self._robot.gripper('release')
        if self._kept_s is not None and robot.arm_source != SOURCE and (
                now - self._kept_s > _TAKES_S):
            self._kept_s = None
        if (self._holder, self._presser, self._kept_s) != (None, None, None):
            self._robot.arm('alive')

    def _follow_arm(self, now: float, robot: Holding) -> None:
        if self._holder is None:
            return
        if robot.arm_source == SOURCE:
            self._asked_s = None
            return
        if self._asked_s is None:
            why = (f'{robot.arm_source} has taken it' if robot.arm_source
                   else 'the arm was stopped' if robot.arm == ArmState.STOPPED.value
                   else 'the robot gave it back')
            self._tell(self._holder, Answer(False, f'you no longer have the arm: {why}'))
        elif now - self._asked_s > _TAKES_S:
            self._tell(self._holder, Answer(False, robot.problem or (
                'the arm was not taken: the robot does not answer')))
            # It may yet hear of it, when nobody means it any more.
            self._robot.arm('release')
        else:
            return
        self._drop_arm()

    def _let_go(self, now: float, number: int) -> None:
        if self._presser == number:
            self._presser = None
            self._robot.gripper('release')
        if self._holder == number:
            if self._holds:
                self._kept_s = now
            else:
                self._robot.arm('release')
            self._drop_arm()

    def _drop_arm(self) -> None:
        self._holder, self._holds, self._asked_s = None, False, None

    def _name(self, number: int | None) -> str:
        panel = self._panels.get(-1 if number is None else number)
        return panel.name if panel else 'nobody'

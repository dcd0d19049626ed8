"""A leader arm that a human guides: its joints, in the words of the arm that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.resources import share_names
from vla_ros.section import Section
from vla_ros.teleop.commands import Command, Follow, Tell
from vla_ros.teleop.hand import Action, Hand
from vla_ros.teleop.mapping import find

Array = NDArray[np.float64]


@dataclass(frozen=True)
class JointLine:
    """One joint of the follower from one of the leader: ``sign * leader + offset`` [rad or m]."""

    source: str
    scale: float
    offset: float


@dataclass(frozen=True)
class LeaderMapping:
    """Follower's joint -> leader's; the gripper's line gives a width [m], or there is none."""

    path: Path | None
    joints: Mapping[str, JointLine]
    gripper: JointLine | None


def leader_names() -> list[str]:
    """Return the leader arms whose mappings come with the package."""
    return [name for name in share_names('config/teleop', '.yaml') if name.startswith('leader')]


def load_leader(name: str, joints: Sequence[str], gripper: str) -> LeaderMapping:
    """Load the mapping of a leader by name or file; empty: the names are those of the follower.

    Parameters
    ----------
    name : str
        Name, file or nothing.
    joints, gripper : Sequence[str], str
        What the follower calls its joints and its gripper.

    Raises
    ------
    ConfigError
        When the file does not name exactly the follower's joints, or a value is wrong; the message
        names file, key and choices.

    """
    if not name:
        same = {joint: JointLine(joint, 1.0, 0.0) for joint in joints}
        return LeaderMapping(None, same, JointLine(gripper, 1.0, 0.0))
    top = Section.open(find('leader', name, leader_names()))
    top.text('description')
    section = top.section('joints')
    named = section.keys()
    for key in named:
        if key not in joints:
            raise unknown_choice(f'joint in {top.path}: joints', key, joints)
    lines = {joint: _line(section, joint, 'sign') for joint in joints}
    hand = _line(top, 'gripper', 'scale') if top.mapping('gripper') else None
    top.close()
    return LeaderMapping(top.path, lines, hand)


def _line(parent: Section, key: str, factor: str) -> JointLine:
    section = parent.section(key)
    scale = section.number(factor)
    if factor == 'sign' and scale not in (1.0, -1.0):
        raise section.error(factor, '1 or -1', scale)
    if scale == 0.0:
        raise section.error(factor, 'a number that is not 0', scale)
    line = JointLine(section.text('from'), scale, section.number('offset'))
    section.close()
    return line


class Leader:
    """Turns a leader's joint states into joints to follow, while a human wants that.

    Parameters
    ----------
    mapping : LeaderMapping
        Names, signs, offsets.
    hand : Hand
        Asks for the arm and gives it back.
    topic : str
        Where its joint states come from, for the errors.
    timeout_s : float
        A leader that is silent for longer is gone [s].
    always : bool
        Whether it is followed whenever it is near enough, or only when somebody has asked.

    """

    def __init__(self, mapping: LeaderMapping, hand: Hand, topic: str, timeout_s: float,
                 always: bool) -> None:
        if not mapping.joints:
            raise ConfigError('leader: the mapping has no joints')
        self.mapping = mapping
        self.hand = hand
        self.always = always
        self._topic = topic
        self._timeout_ns = round(timeout_s * 1e9)
        self._heard_ns: int | None = None

    def heard(self, now_ns: int, names: Sequence[str], position: Sequence[float],
              velocity: Sequence[float]) -> list[Command]:
        """Take in a joint state of the leader.

        Raises
        ------
        InputError
            When a joint is missing, there twice or not finite, or there are not as many numbers as
            names.

        """
        place = {name: i for i, name in enumerate(names)}
        if len(place) != len(names) or len(position) != len(names):
            raise InputError(f'{self._topic}: expected a position for each of different joints, '
                             f'found {len(position)} for {", ".join(names) or "none"}')
        lines = self.mapping.joints.values()
        missing = [line.source for line in lines if line.source not in place]
        if missing:
            raise InputError(f'{self._topic}: missing joints of the leader: {", ".join(missing)} '
                             f'(received: {", ".join(names) or "none"})')
        numbers = np.asarray(position, dtype=np.float64)
        q = np.array([line.scale * numbers[place[line.source]] + line.offset for line in lines])
        speed = None
        if len(velocity) == len(names):
            v = np.asarray(velocity, dtype=np.float64)
            speed = np.array([line.scale * v[place[line.source]] for line in lines])
        width = self._width(place, numbers)
        for what, values in (('position', q), ('velocity', speed), ('gripper', width)):
            if values is not None and not np.isfinite(values).all():
                raise InputError(f'{self._topic}: {what} is not finite: {values}')
        commands: list[Command] = (
            [Tell('the leader is there')] if self._heard_ns is None else [])
        self._heard_ns = now_ns
        return [*commands, Follow(q, speed, width)] if self.follows else commands

    @property
    def connected(self) -> bool:
        """Whether the leader is heard of."""
        return self._heard_ns is not None

    @property
    def follows(self) -> bool:
        """Whether the arm shall follow."""
        return self.always or self.hand.asked

    def press(self, action: Action) -> list[Command]:
        """Take the arm, or give it back: then it is not followed until it is taken again."""
        if action is Action.RELEASE:
            self.always = False
        return self.hand.press(action)

    def step(self, now_ns: int) -> list[Command]:
        """Return what is due now [ns]."""
        if self._heard_ns is not None and not 0 <= now_ns - self._heard_ns <= self._timeout_ns:
            self._heard_ns = None
            self.hand.lost()
            return [Tell(f'{self._topic}: nothing for {self._timeout_ns * 1e-9:g} s')]
        return self.hand.step() if self._heard_ns is not None else []

    def _width(self, place: Mapping[str, int], numbers: Array) -> float | None:
        line = self.mapping.gripper
        if line is None or line.source not in place:
            return None
        return float(line.scale * numbers[place[line.source]] + line.offset)

"""A robot profile: everything the rest of the package knows about one arm.

It is a YAML file in ``config/robots`` (or anywhere, given by path) next to a URDF. There are no
defaults in code: a key that is missing is an error, and so is one that is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.core.limits import ClearanceLimits, KeepOut, SingularityLimits
from vla_ros.resources import share_file, share_names
from vla_ros.robots.adapters.loading import load_driver
from vla_ros.robots.urdf import UrdfOutline, read_outline
from vla_ros.section import Section, build


@dataclass(frozen=True)
class Joints:
    """The arm's joints in command order; every array is ``(n,)`` and read-only.

    ``velocity`` and ``acceleration`` are what the arm's firmware allows, not what the URDF says.
    """

    names: tuple[str, ...]
    home: np.ndarray  # rad
    lower: np.ndarray  # rad
    upper: np.ndarray  # rad
    velocity: np.ndarray  # rad/s
    acceleration: np.ndarray  # rad/s^2
    margin: float  # rad kept from each position limit


@dataclass(frozen=True)
class Gripper:
    """A parallel gripper; its position everywhere is the opening width in metres."""

    joint: str  # its name in JointState messages
    fingers: Mapping[str, float]  # URDF joint -> its position / width
    closed: float  # m
    open: float  # m
    speed: float  # m/s of width
    force: float  # N per finger, in simulation


@dataclass(frozen=True)
class Box:
    """An axis-aligned box in the base frame, ``(3,)`` each [m]."""

    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class TaskSpace:
    """Where the tool frame may be in the base frame, and how it may move."""

    workspace: Box
    max_speed: float  # m/s
    max_rotation_speed: float  # rad/s
    max_lead_position: float  # m, commanded over measured tool pose
    max_lead_rotation: float  # rad
    keep_out: tuple[KeepOut, ...]  # boxes that the tool may not enter and links keep clear of


@dataclass(frozen=True)
class Topics:
    """Topics of the simulated arm (relative names); a real one's are its driver's."""

    joint_states: str
    joint_command: str


@dataclass(frozen=True)
class RobotProfile:
    """One arm. ``scene`` is the layout of its simulation; the simulator checks it."""

    name: str
    description: str
    path: Path
    urdf_path: Path
    base_frame: str
    flange_frame: str
    tool_frame: str
    joints: Joints
    gripper: Gripper
    task_space: TaskSpace
    singularity: SingularityLimits
    clearance: ClearanceLimits
    collision: str  # name in config/collision, or path of a file
    topics: Topics
    driver: dict[str, Any]  # of the real arm: its type, and what differs from config/drivers
    scene: dict[str, Any]


def robot_names() -> list[str]:
    """Return the names of the robots that come with the package."""
    return share_names('config/robots', '.yaml')


def load_profile(robot: str | Path) -> RobotProfile:
    """Load a robot by name, or from a YAML file of your own.

    Parameters
    ----------
    robot
        One of :func:`robot_names`, or a path that ends in ``.yaml`` or ``.yml``.

    Raises
    ------
    ConfigError
        No such robot or file, or the profile is not complete and consistent; the message names the
        file, the key and what was expected there.
    """
    path = Path(robot).expanduser()
    if path.suffix not in ('.yaml', '.yml'):
        names = robot_names()
        if robot not in names:
            raise unknown_choice('robot', str(robot), names)
        path = share_file('config', 'robots', f'{robot}.yaml')
    top = Section.open(path)
    profile = RobotProfile(
        name=top.text('name'),
        description=top.text('description'),
        path=path,
        urdf_path=_find_urdf(top),
        base_frame=top.text('base_frame'),
        flange_frame=top.text('flange_frame'),
        tool_frame=top.text('tool_frame'),
        joints=_joints(top.section('joints')),
        gripper=_gripper(top.section('gripper')),
        task_space=_task_space(top.section('task_space')),
        singularity=build(SingularityLimits, top.section('singularity')),
        clearance=build(ClearanceLimits, top.section('clearance')),
        collision=top.text('collision'),
        topics=_topics(top.section('topics')),
        driver=_driver(top),
        scene=top.mapping('scene'),
    )
    top.close()
    _check_against_urdf(top, profile, read_outline(profile.urdf_path))
    load_driver(profile)
    return profile


def _find_urdf(top: Section) -> Path:
    """Return the URDF: beside the profile, at an absolute path, or one of the package's own."""
    name = top.text('urdf')
    beside = top.path.parent / Path(name).expanduser()
    if beside.is_file():
        return beside
    try:
        return share_file('urdf', name)
    except ConfigError as error:
        ours = ', '.join(f'{ours}.urdf' for ours in share_names('urdf', '.urdf'))
        raise top.error('urdf', f'a file beside the profile, or one of: {ours}', name) from error


def _joints(section: Section) -> Joints:
    names = section.texts('names')
    n = len(names)
    joints = Joints(
        names=names,
        home=section.numbers('home', n),
        lower=section.numbers('lower', n),
        upper=section.numbers('upper', n),
        velocity=section.numbers('velocity', n, positive=True),
        acceleration=section.numbers('acceleration', n, positive=True),
        margin=section.number('margin', least=0.0),
    )
    section.close()
    low, high = joints.lower + joints.margin, joints.upper - joints.margin
    for name, least, home, most in zip(names, low, joints.home, high, strict=True):
        if not least < most:
            raise section.error('lower', f'room below upper for {name} with the margin', least)
        if not least <= home <= most:
            raise section.error('home', f'{name} within [{least:.4g}, {most:.4g}]', home)
    return joints


def _gripper(section: Section) -> Gripper:
    factors = section.section('fingers')
    fingers = {name: factors.number(name) for name in section.mapping('fingers')}
    if not fingers or not all(factor != 0 for factor in fingers.values()):
        raise section.error('fingers', 'at least one finger joint, with a factor that is not 0', {})
    gripper = Gripper(
        joint=section.text('joint'),
        fingers=fingers,
        closed=section.number('closed', least=0.0),
        open=section.number('open', positive=True),
        speed=section.number('speed', positive=True),
        force=section.number('force', positive=True),
    )
    section.close()
    if not gripper.closed < gripper.open:
        raise section.error('open', f'more than closed ({gripper.closed:g} m)', gripper.open)
    return gripper


def _task_space(section: Section) -> TaskSpace:
    box = section.section('workspace')
    workspace = Box(lower=box.numbers('lower', 3), upper=box.numbers('upper', 3))
    box.close()
    if not np.all(workspace.lower < workspace.upper):
        raise box.error('upper', f'more than lower {workspace.lower}', workspace.upper)
    rates = {
        field.name: section.number(field.name, positive=True)
        for field in fields(TaskSpace)
        if field.name not in ('workspace', 'keep_out')
    }
    keep_out = _keep_out(section.section('keep_out'))
    section.close()
    return TaskSpace(workspace=workspace, keep_out=keep_out, **rates)


def _keep_out(section: Section) -> tuple[KeepOut, ...]:
    boxes = []
    names = section.keys()
    for name in names:
        box = section.section(name)
        lower, upper = box.numbers('lower', 3), box.numbers('upper', 3)
        box.close()
        boxes.append(box.checked(partial(KeepOut, name, lower, upper)))
    section.close()
    return tuple(boxes)


def _topics(section: Section) -> Topics:
    topics = Topics(**{field.name: section.text(field.name) for field in fields(Topics)})
    section.close()
    return topics


def _driver(top: Section) -> dict[str, Any]:
    top.section('driver').text('type')  # load_driver reads the rest
    return top.mapping('driver')


def _check_against_urdf(top: Section, profile: RobotProfile, urdf: UrdfOutline) -> None:
    """Raise when the profile names what its URDF lacks, or allows what its URDF does not."""
    name = profile.urdf_path.name
    for key in ('base_frame', 'flange_frame', 'tool_frame'):
        frame = getattr(profile, key)
        if frame not in urdf.links:
            raise top.error(key, f'a link of {name} ({", ".join(sorted(urdf.links))})', frame)
    joints, gripper = profile.joints, profile.gripper
    ranges = {
        joint: ('joints', lower, upper)
        for joint, lower, upper in zip(joints.names, joints.lower, joints.upper, strict=True)
    }
    for finger, factor in gripper.fingers.items():
        lower, upper = sorted((factor * gripper.closed, factor * gripper.open))
        ranges[finger] = ('gripper', lower, upper)
    for joint, (key, lower, upper) in ranges.items():
        found = urdf.joints.get(joint)
        if found is None or found.kind == 'fixed':
            moving = sorted(other for other, item in urdf.joints.items() if item.kind != 'fixed')
            raise top.error(key, f'joints that move in {name} ({", ".join(moving)})', joint)
        tolerance = 1e-9
        if not (found.lower - tolerance <= lower and upper <= found.upper + tolerance):
            raise top.error(
                key, f"{joint} within {name}'s limits [{found.lower}, {found.upper}]",
                None, f'[{lower}, {upper}]',
            )  # fmt: skip

"""All findings about one arm, in the order in which a person would ask."""

from __future__ import annotations

from collections.abc import Iterator

from vla_ros.robots.adapters.driver import Driver
from vla_ros.robots.check.end_pose import check_end_pose
from vla_ros.robots.check.finding import Finding, Level
from vla_ros.robots.check.gripper import check_gripper
from vla_ros.robots.check.recording import Recording
from vla_ros.robots.check.states import check_states
from vla_ros.robots.profile import RobotProfile, load_profile, robot_names


def examine(profile: RobotProfile, driver: Driver, heard: Recording) -> list[Finding]:
    """Return what a recording tells about an arm.

    The driver's end pose is compared with every robot of the package that has the same joints, so
    that a wrong choice among them is found.
    """
    return [*_topics(driver, heard), *check_states(profile, driver, heard),
            *check_end_pose(profile, driver, heard, _alike(profile)),
            *check_gripper(profile, driver, heard), *_description(heard), _ready(heard)]


def _alike(profile: RobotProfile) -> list[RobotProfile]:
    own = (profile.name, profile.urdf_path)
    robots = [load_profile(name) for name in robot_names()]
    return [robot for robot in robots if (robot.name, robot.urdf_path) != own
            and robot.name != profile.name
            and robot.joints.names == profile.joints.names]


def _topics(driver: Driver, heard: Recording) -> Iterator[Finding]:
    for role, topic in heard.topics.items():
        ends = topic.subscribers if role == 'command' else topic.publishers
        where = f'{role}: {topic.name}'
        if not ends:
            verb = 'subscribes to' if role == 'command' else 'publishes'
            level = Level.FAIL if role != 'end pose' else Level.WARN
            yield Finding(level, 'topics', f'{where}: nobody {verb} it')
            continue
        text = f'{where} ({", ".join(topic.types) or "type unknown"}), {", ".join(ends)}'
        if role == 'command' and topic.publishers:
            yield Finding(Level.WARN, 'topics', f'{text}; {", ".join(topic.publishers)} already '
                          'send commands there: there must be one commander only')
        elif role == 'states' and len(topic.publishers) > 1:
            yield Finding(Level.WARN, 'topics', f'{text}: more than one publisher')
        else:
            yield Finding(Level.OK, 'topics', text)


def _description(heard: Recording) -> Iterator[Finding]:
    if heard.description:
        yield Finding(Level.NOTE, 'model', heard.description)


def _ready(heard: Recording) -> Finding:
    if heard.ready:
        return Finding(Level.FAIL, 'ready', f'commands would not be sent: {heard.ready}')
    return Finding(Level.OK, 'ready', 'the arm could be commanded now')

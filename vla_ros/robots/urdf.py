"""What a URDF says about links and joints, as far as a profile must agree with it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from vla_ros.core.errors import ConfigError


@dataclass(frozen=True)
class UrdfJoint:
    """One joint: its type, and position limits [rad or m] (infinite where it has none)."""

    kind: str
    lower: float
    upper: float


@dataclass(frozen=True)
class UrdfOutline:
    """The names of all links, and all joints by name."""

    links: frozenset[str]
    joints: dict[str, UrdfJoint]


def read_outline(path: Path) -> UrdfOutline:
    """Read links and joints of a URDF file.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not a URDF.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigError(f'{path}: cannot be read as URDF: {error}', path=path) from error
    if root.tag != 'robot':
        raise ConfigError(f'{path}: not a URDF: its root is <{root.tag}>, not <robot>', path=path)
    try:
        joints = {element.attrib['name']: _joint(element) for element in root.findall('joint')}
        links = frozenset(element.attrib['name'] for element in root.findall('link'))
    except (KeyError, ValueError) as error:
        raise ConfigError(f'{path}: malformed link or joint: {error}', path=path) from error
    return UrdfOutline(links, joints)


def _joint(element: ElementTree.Element) -> UrdfJoint:
    kind = element.attrib['type']
    limit = element.find('limit')
    if kind not in ('revolute', 'prismatic') or limit is None:
        return UrdfJoint(kind, float('-inf'), float('inf'))
    return UrdfJoint(kind, float(limit.get('lower', 0.0)), float(limit.get('upper', 0.0)))

"""Forward kinematics of one chain of a URDF, in numpy: to compare models without a solver."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core import se3
from vla_ros.core.errors import ConfigError

Array = NDArray[np.float64]

_TURNS = ('revolute', 'continuous')


@dataclass(frozen=True, eq=False)
class ChainJoint:
    """One joint of a chain.

    Attributes
    ----------
    name, kind, parent, child : str
        As in the URDF.
    T_parent_joint : np.ndarray
        (4, 4) its origin.
    axis : np.ndarray
        (3,) unit vector in the joint's frame.
    lower, upper : float
        Limits [rad or m], infinite where it has none.

    """

    name: str
    kind: str
    parent: str
    child: str
    T_parent_joint: Array
    axis: Array
    lower: float
    upper: float

    def motion(self, position: float) -> Array:
        """Return the (4, 4) motion of the joint for a position [rad or m]."""
        if self.kind in _TURNS:
            return se3.pose(se3.rotation_from_vector(self.axis * position), np.zeros(3))
        if self.kind == 'prismatic':
            return se3.pose(np.eye(3), self.axis * position)
        return np.eye(4)


@dataclass(frozen=True, eq=False)
class Chain:
    """The joints from one link to another, in order."""

    joints: tuple[ChainJoint, ...]

    @property
    def moving(self) -> tuple[ChainJoint, ...]:
        """The joints that are not fixed."""
        return tuple(joint for joint in self.joints if joint.kind != 'fixed')

    def forward(self, positions: Mapping[str, float]) -> Array:
        """Return T_base_tip (4, 4) [m] for positions by joint name; others are at 0."""
        T = np.eye(4)
        for joint in self.joints:
            T = T @ joint.T_parent_joint @ joint.motion(positions.get(joint.name, 0.0))
        return T


def parse_urdf(text: str, source: str) -> ElementTree.Element:
    """Return the root of a URDF; ``source`` names it in the error.

    Raises
    ------
    ConfigError
        It is not XML, or its root is not ``robot``.

    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ConfigError(f'{source}: not a URDF: {error}') from error
    if root.tag != 'robot':
        raise ConfigError(f'{source}: not a URDF: its root is <{root.tag}>, not <robot>')
    return root


def read_chain(root: ElementTree.Element, base: str, tip: str, source: str) -> Chain:
    """Return the chain from one link to another.

    Raises
    ------
    ConfigError
        There is no such link, no way between them, or a joint on it is malformed.

    """
    above = {}
    links = {element.get('name') for element in root.findall('link')}
    for name in (base, tip):
        if name not in links:
            raise ConfigError(f'{source}: has no link {name!r} (links: '
                              f'{", ".join(sorted(str(link) for link in links))})')
    for element in root.findall('joint'):
        child = element.find('child')
        if child is not None:
            above[child.get('link')] = element
    joints: list[ChainJoint] = []
    at: str = tip
    while at != base:
        if at not in above or len(joints) > len(above):
            raise ConfigError(f'{source}: no chain of joints leads from {base!r} to {tip!r}')
        joints.append(_joint(above[at], source))
        at = joints[-1].parent
    return Chain(tuple(reversed(joints)))


def origin_text(T: Array) -> tuple[str, str]:
    """Return a pose as the ``xyz`` and ``rpy`` of a URDF's ``origin``."""
    rpy = se3.rpy_from_rotation(T[:3, :3])
    return (' '.join(repr(float(x)) for x in T[:3, 3]), ' '.join(repr(float(x)) for x in rpy))


def _joint(element: ElementTree.Element, source: str) -> ChainJoint:
    name = str(element.get('name'))
    try:
        kind = element.attrib['type']
        parent, child = (element.find(end) for end in ('parent', 'child'))
        origin, axis, limit = (element.find(part) for part in ('origin', 'axis', 'limit'))
        xyz, rpy = (_numbers(origin, key, '0 0 0') for key in ('xyz', 'rpy'))
        direction = _numbers(axis, 'xyz', '1 0 0')
        norm = float(np.linalg.norm(direction))
        if not 1e-9 < norm < np.inf or parent is None or child is None:
            raise ValueError(f'axis {direction}')
        bounded = kind in ('revolute', 'prismatic') and limit is not None
        lower, upper = ((float(limit.get(key, 0.0)) for key in ('lower', 'upper'))
                        if bounded and limit is not None else (-np.inf, np.inf))
        return ChainJoint(
            name, kind, str(parent.get('link')), str(child.get('link')),
            se3.pose(se3.rotation_from_rpy(*(float(x) for x in rpy)), xyz), direction / norm,
            lower, upper)
    except (KeyError, ValueError) as error:
        raise ConfigError(f'{source}: joint {name!r} is malformed: {error}') from error


def _numbers(element: ElementTree.Element | None, key: str, default: str) -> Array:
    text = default if element is None else element.get(key, default)
    values = np.array([float(part) for part in text.split()])
    if values.shape != (3,) or not np.isfinite(values).all():
        raise ValueError(f'{key}="{text}"')
    return values

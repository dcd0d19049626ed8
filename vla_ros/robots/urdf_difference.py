"""How the URDF that a driver publishes differs from ours, and a profile that follows the driver's.

Each real arm is calibrated: its own model is right where ours is nominal. Only the arm is taken
over; tool, gripper and collision shapes stay ours, fixed to the flange.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vla_ros.core import se3
from vla_ros.core.errors import ConfigError
from vla_ros.robots.adapters.mapping import JointMapping
from vla_ros.robots.profile import RobotProfile
from vla_ros.robots.urdf_chain import Chain, ChainJoint, origin_text, parse_urdf, read_chain

Array = NDArray[np.float64]

_SAMPLES = 200
_SHOWN_POSITION, _SHOWN_ANGLE = 1e-5, 1e-5  # m, rad; less is the rounding of a URDF's numbers
_SHOWN_LIMIT = 1e-3  # rad


@dataclass(frozen=True)
class UrdfDifference:
    """What differs between ours and the driver's model of one arm.

    Attributes
    ----------
    notes : tuple[str, ...]
        In words, one a joint or limit; empty when nothing does.
    position, rotation : float
        Largest distance of the flange over joint vectors within the limits [m], [rad].

    """

    notes: tuple[str, ...]
    position: float
    rotation: float


def follow_description(profile: RobotProfile, joints: JointMapping, text: str, folder: Path,
                       source: str = '/robot_description',
                       ) -> tuple[RobotProfile, UrdfDifference]:
    """Return the profile with the arm of a driver's URDF, and how that differs from ours.

    Parameters
    ----------
    profile : RobotProfile
        Ours.
    joints : JointMapping
        The driver's names of the joints; what stands before them (``tf_prefix``) stands before the
        links, too.
    text : str
        The driver's URDF.
    folder : Path
        Where the merged URDF is written.
    source : str
        Where the text is from, for the errors.

    Returns
    -------
    tuple[RobotProfile, UrdfDifference]
        Its joint limits are the narrower of both.

    Raises
    ------
    ConfigError
        The URDF is not of this arm: other joints, other axes, no such base or flange. Or the driver
        counts joints the other way or from elsewhere, and its model is no model of ours.

    """
    if (joints.signs != 1.0).any() or (joints.offsets != 0.0).any():
        raise ConfigError(f'{source}: not used, because driver.joints has signs or offsets')
    ours_root = parse_urdf(profile.urdf_path.read_text(encoding='utf-8'), profile.urdf_path.name)
    ours = read_chain(ours_root, profile.base_frame, profile.flange_frame, profile.urdf_path.name)
    prefix = _prefix(profile, joints)
    theirs = read_chain(parse_urdf(text, source), prefix + profile.base_frame,
                        prefix + profile.flange_frame, source)
    names = dict(zip(profile.joints.names, joints.names, strict=True))
    _check_same_arm(ours, theirs, names, source)
    notes = _notes(ours, theirs)
    lower, upper, limit_notes = _narrower(profile, theirs, source)
    position, rotation = _apart(ours, theirs, names, lower, upper)
    difference = UrdfDifference((*notes, *limit_notes), position, rotation)
    path = folder / f'{profile.urdf_path.stem}_as_driven.urdf'
    path.write_text(_merged(ours_root, ours, theirs), encoding='utf-8')
    replaced = dataclasses.replace(profile.joints, lower=lower, upper=upper)
    return dataclasses.replace(profile, urdf_path=path, joints=replaced), difference


def _prefix(profile: RobotProfile, joints: JointMapping) -> str:
    name, theirs = profile.joints.names[0], joints.names[0]
    return theirs[:-len(name)] if theirs.endswith(name) else ''


def _check_same_arm(ours: Chain, theirs: Chain, names: dict[str, str], source: str) -> None:
    expected = [names.get(joint.name, joint.name) for joint in ours.moving]
    found = [joint.name for joint in theirs.moving]
    if expected != found:
        raise ConfigError(f'{source}: the joints from base to flange are {", ".join(found)}; '
                          f'expected {", ".join(expected)}')
    for a, b in zip(ours.moving, theirs.moving, strict=True):
        if not np.allclose(a.axis, b.axis, atol=1e-6):
            raise ConfigError(f'{source}: {b.name} turns about {b.axis.tolist()}, ours about '
                              f'{a.axis.tolist()}; the models cannot be compared joint by joint')


def _segments(chain: Chain) -> tuple[list[Array], Array]:
    """Return the fixed transforms before each moving joint, and the one after the last."""
    before, T = [], np.eye(4)
    for joint in chain.joints:
        T = T @ joint.T_parent_joint
        if joint.kind != 'fixed':
            before.append(T)
            T = np.eye(4)
    return before, T


def _notes(ours: Chain, theirs: Chain) -> list[str]:
    notes = []
    ours_before, ours_end = _segments(ours)
    theirs_before, theirs_end = _segments(theirs)
    labelled = [(joint.name, a, b) for joint, a, b in
                zip(ours.moving, ours_before, theirs_before, strict=True)]
    for name, a, b in [*labelled, ('the flange', ours_end, theirs_end)]:
        shift = float(np.linalg.norm(b[:3, 3] - a[:3, 3]))
        turn = se3.rotation_angle(a[:3, :3], b[:3, :3])
        if shift > _SHOWN_POSITION or turn > _SHOWN_ANGLE:
            notes.append(f'{name}: origin {shift * 1e3:.3f} mm and {np.degrees(turn):.4f} degrees '
                         'from ours')
    return notes


def _narrower(profile: RobotProfile, theirs: Chain,
              source: str) -> tuple[Array, Array, list[str]]:
    joints, notes = profile.joints, []
    lower, upper = joints.lower.copy(), joints.upper.copy()
    for i, (name, joint) in enumerate(zip(joints.names, theirs.moving, strict=True)):
        if max(abs(joint.lower - lower[i]), abs(joint.upper - upper[i])) > _SHOWN_LIMIT:
            notes.append(f'{name}: limits [{joint.lower:.4f}, {joint.upper:.4f}] rad, ours are '
                         f'[{lower[i]:.4f}, {upper[i]:.4f}]; the narrower are used')
        lower[i], upper[i] = max(lower[i], joint.lower), min(upper[i], joint.upper)
        if not lower[i] + joints.margin <= joints.home[i] <= upper[i] - joints.margin:
            raise ConfigError(f'{source}: {name} within [{lower[i]:.4f}, {upper[i]:.4f}] rad '
                              f'leaves out the home position {joints.home[i]:.4f}')
    lower.flags.writeable = upper.flags.writeable = False
    return lower, upper, notes


def _apart(ours: Chain, theirs: Chain, names: dict[str, str], lower: Array,
           upper: Array) -> tuple[float, float]:
    """Return the largest distance [m] and angle [rad] between the flanges over samples."""
    rng = np.random.default_rng(0)  # the same report for the same models
    position = rotation = 0.0
    for q in rng.uniform(lower, upper, (_SAMPLES, len(lower))):
        a = ours.forward(dict(zip(names, q, strict=True)))
        b = theirs.forward(dict(zip(names.values(), q, strict=True)))
        position = max(position, float(np.linalg.norm(a[:3, 3] - b[:3, 3])))
        rotation = max(rotation, se3.rotation_angle(a[:3, :3], b[:3, :3]))
    return position, rotation


def _merged(root: ElementTree.Element, ours: Chain, theirs: Chain) -> str:
    """Return our URDF with the arm's joints where theirs has them."""
    elements = {element.get('name'): element for element in root.findall('joint')}
    before, end = _segments(theirs)
    wanted = iter([*before, end])
    T = np.eye(4)
    last: ChainJoint | None = None
    for joint in ours.joints:
        if joint.kind == 'fixed':
            T = T @ joint.T_parent_joint
            last = joint
            continue
        _set_origin(elements[joint.name], se3.inverse(T) @ next(wanted))
        T, last = np.eye(4), None
    remainder = next(wanted)
    if last is not None:
        before_last = T @ se3.inverse(last.T_parent_joint)
        _set_origin(elements[last.name], se3.inverse(before_last) @ remainder)
    elif not np.allclose(remainder, np.eye(4), atol=1e-6):
        raise ConfigError('/robot_description: its flange is not at its last joint, ours is')
    return ElementTree.tostring(root, encoding='unicode')


def _set_origin(element: ElementTree.Element, T: Array) -> None:
    origin = element.find('origin')
    if origin is None:
        origin = ElementTree.SubElement(element, 'origin')
    xyz, rpy = origin_text(T)
    origin.set('xyz', xyz)
    origin.set('rpy', rpy)

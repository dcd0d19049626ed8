"""Forward kinematics against the driver's own end pose: finds a wrong model and a missing TCP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core import se3
from vla_ros.core.errors import ConfigError
from vla_ros.robots.adapters.driver import Driver
from vla_ros.robots.check.finding import Finding, Level
from vla_ros.robots.check.recording import Recording
from vla_ros.robots.profile import RobotProfile
from vla_ros.robots.urdf_chain import parse_urdf, read_chain

Array = NDArray[np.float64]

_FITS = 1e-3  # m; drivers round to a micrometre and a thousandth of a degree
_CALIBRATION = 5e-3  # m; how far a real arm may be from its nominal model
_TURNED = 0.1  # rad that the flange must have turned to tell a TCP from a shifted base
_AT_MOST = 300  # pairs; more tell nothing new


@dataclass(frozen=True)
class _Fit:
    """How well one model's frame fits the poses: medians [m], [rad]."""

    robot: str
    frame: str  # flange or tool
    position: float
    rotation: float


def check_end_pose(profile: RobotProfile, driver: Driver, heard: Recording,
                   others: Sequence[RobotProfile]) -> Iterator[Finding]:
    """Yield what the driver's end pose tells of the model; ``others`` have the same joints."""
    pose = driver.end_pose
    if pose is None:
        yield Finding(Level.NOTE, 'end pose', f'{driver.type} has none; the model of the arm was '
                      'not checked')
        return
    pairs = _pairs(heard)
    if not pairs:
        yield Finding(Level.WARN, 'end pose', f'{pose.topic}: nothing received; the model of the '
                      'arm was not checked')
        return
    q = np.array([pair[0] for pair in pairs])
    T = [pair[1] for pair in pairs]
    frame = heard.poses[-1].frame
    try:
        models = {robot.name: _frames(robot, driver, frame, q) for robot in (profile, *others)}
    except ConfigError as error:
        yield Finding(Level.FAIL, 'end pose', f'{pose.topic}: {error}')
        return
    fits = [_Fit(name, which, *_apart(frames, T)) for name, model in models.items()
            for which, frames in model.items()]
    flanges = {name: model['flange'] for name, model in models.items()}
    yield _verdict(profile, driver, fits, flanges, T)


def _verdict(profile: RobotProfile, driver: Driver, fits: list[_Fit],
             flanges: dict[str, list[Array]], T: list[Array]) -> Finding:
    assert driver.end_pose is not None
    topic, claims = driver.end_pose.topic, driver.end_pose.claims
    own = {fit.frame: fit for fit in fits if fit.robot == profile.name}
    best_own = min(own.values(), key=_badness)
    best = min(fits, key=_badness)
    values = {f'{fit.robot}_{fit.frame}_mm': fit.position * 1e3 for fit in fits}
    if best.robot != profile.name and best.position <= _FITS and (
            best_own.position > 3.0 * max(best.position, 1e-4)):
        return Finding(
            Level.FAIL, 'end pose', f'wrong model: the driver\'s end pose is '
            f'{best_own.position * 1e3:.2f} mm from the {best_own.frame} of {profile.name}, but '
            f'{best.position * 1e3:.2f} mm from that of {best.robot}. Use robot:={best.robot}'
            + (', or firmware S-V1.6-3 or later (its DH variant is the other one)'
               if profile.name == 'piper' and best.robot == 'piper_old_dh' else ''), values)
    error = f'{best_own.position * 1e3:.2f} mm and {np.degrees(best_own.rotation):.3f} degrees'
    tool = float(np.linalg.norm(_tool_offset(profile)[:3, 3]))
    if best_own.position <= _FITS and best_own.rotation <= 0.01:
        if best_own.frame == 'tool':
            return Finding(Level.OK, 'end pose', f'{topic} is the tool frame '
                           f'{profile.tool_frame} within {error}', values)
        text = (f'{topic} is the flange {profile.flange_frame} within {error}; the tool frame '
                f'{profile.tool_frame} lies {tool * 1e3:.1f} mm further')
        if claims == 'tool':
            return Finding(Level.WARN, 'end pose', f'{text}: the driver has no TCP set, or none '
                           'that it applies. vla_ros does not need it; whoever uses this pose for '
                           'the fingertips is that much off', values)
        return Finding(Level.OK, 'end pose', text, values)
    return _explained(profile, topic, error, best_own, flanges, T, values)


def _explained(profile: RobotProfile, topic: str, error: str, best: _Fit,
               flanges: dict[str, list[Array]], T: list[Array],
               values: dict[str, float]) -> Finding:
    """Return the finding for a pose that is neither flange nor tool of any model."""
    flange = flanges[profile.name]
    turned = max(se3.rotation_angle(flange[0][:3, :3], F[:3, :3]) for F in flange)
    if turned < _TURNED:
        if best.position <= _CALIBRATION:
            return _calibration(topic, error, best, values)
        return Finding(Level.FAIL, 'end pose', f'{topic} is {error} from the {best.frame}; the arm '
                       'did not turn enough to tell why. Move it by hand or with its pendant while '
                       'this check runs', values)
    tcp = [se3.inverse(F) @ P for F, P in zip(flange, T, strict=True)]
    base = [P @ se3.inverse(F) for F, P in zip(flange, T, strict=True)]
    tcp_spread, base_spread = _spread(tcp), _spread(base)
    if tcp_spread <= _FITS and tcp_spread <= base_spread and best.position > _CALIBRATION:
        x, y, z = (round(1e3 * float(v), 1) + 0.0
                   for v in np.median([D[:3, 3] for D in tcp], axis=0))
        own = _tool_offset(profile)[:3, 3] * 1e3
        return Finding(Level.WARN, 'end pose', f'{topic} is a TCP at ({x:.1f}, {y:.1f}, {z:.1f}) '
                       f'mm from the flange; the profile\'s tool is at ({own[0]:.1f}, '
                       f'{own[1]:.1f}, {own[2]:.1f})', {**values, 'tcp_mm': [x, y, z]})
    if base_spread <= _FITS and best.position > _CALIBRATION:
        shift = 1e3 * float(np.linalg.norm(np.median([D[:3, 3] for D in base], axis=0)))
        turn = np.degrees(float(np.linalg.norm(se3.vector_from_rotation(base[0][:3, :3]))))
        return Finding(Level.FAIL, 'end pose', f'{topic} is given in another base frame: shifted '
                       f'{shift:.1f} mm and turned {turn:.1f} degrees from {profile.base_frame}',
                       values)
    if best.position <= _CALIBRATION:
        return _calibration(topic, error, best, values)
    for name, other in flanges.items():
        if _spread([se3.inverse(F) @ P for F, P in zip(other, T, strict=True)]) <= _FITS:
            return Finding(Level.FAIL, 'end pose', f'wrong model: {topic} is at a fixed place on '
                           f'the flange of {name} but not of {profile.name}. Use robot:={name}',
                           values)
    return Finding(Level.FAIL, 'end pose', f'{topic} is {error} from the {best.frame}, and no '
                   'fixed offset explains it: the model is not of this arm', values)


def _calibration(topic: str, error: str, best: _Fit, values: dict[str, float]) -> Finding:
    return Finding(Level.WARN, 'end pose', f'{topic} is {error} from the {best.frame}, as a '
                   'calibrated arm is from its nominal model: let /robot_description replace it',
                   values)


def _badness(fit: _Fit) -> float:
    return fit.position + 0.1 * fit.rotation


def _pairs(heard: Recording) -> list[tuple[Array, Array]]:
    """Return (joints (n,), T (4, 4)) of the same moment, the joints interpolated."""
    if len(heard.states) < 2 or not heard.poses:
        return []
    stamped = all(pose.stamp_ns > 0 for pose in heard.poses)
    q = np.array([state.q for state in heard.states])
    times = np.array([state.stamp_ns if stamped else state.arrival_ns for state in heard.states],
                     dtype=np.float64)
    every = max(1, len(heard.poses) // _AT_MOST)
    pairs = []
    for pose in heard.poses[::every]:
        at = pose.stamp_ns if stamped else pose.arrival_ns
        if times[0] <= at <= times[-1]:
            pairs.append((np.array([np.interp(at, times, column) for column in q.T]), pose.T))
    return pairs


def _frames(robot: RobotProfile, driver: Driver, frame: str,
            q: Array) -> dict[str, list[Array]]:
    """Return flange and tool (4, 4) of a model for joints (N, n), in the pose's own frame."""
    root = parse_urdf(robot.urdf_path.read_text(encoding='utf-8'), robot.urdf_path.name)
    T_frame_base = np.eye(4)
    link = _own_name(robot, driver, frame)
    if link and link != robot.base_frame:
        T_frame_base = se3.inverse(
            read_chain(root, robot.base_frame, link, robot.urdf_path.name).forward({}))
    chain = read_chain(root, robot.base_frame, robot.flange_frame, robot.urdf_path.name)
    flange = [T_frame_base @ chain.forward(dict(zip(robot.joints.names, row, strict=True)))
              for row in q]
    T_flange_tool = _tool_offset(robot)
    return {'flange': flange, 'tool': [F @ T_flange_tool for F in flange]}


def _own_name(robot: RobotProfile, driver: Driver, frame: str) -> str:
    """Return a frame without what the driver puts before its names."""
    ours, theirs = robot.joints.names[0], driver.joints.names[0]
    prefix = theirs[:-len(ours)] if theirs.endswith(ours) else ''
    return frame.lstrip('/').removeprefix(prefix)


def _tool_offset(robot: RobotProfile) -> Array:
    root = parse_urdf(robot.urdf_path.read_text(encoding='utf-8'), robot.urdf_path.name)
    return read_chain(root, robot.flange_frame, robot.tool_frame, robot.urdf_path.name).forward({})


def _apart(frames: list[Array], T: list[Array]) -> tuple[float, float]:
    position = [float(np.linalg.norm(F[:3, 3] - P[:3, 3])) for F, P in zip(frames, T, strict=True)]
    rotation = [se3.rotation_angle(F[:3, :3], P[:3, :3]) for F, P in zip(frames, T, strict=True)]
    return float(np.median(position)), float(np.median(rotation))


def _spread(poses: list[Array]) -> float:
    """Return how far the positions are from their median, the 90th percentile [m]."""
    positions = np.array([D[:3, 3] for D in poses])
    away = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    return float(np.percentile(away, 90))

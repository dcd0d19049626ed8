"""Rates, names, limits and clock of the joint states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vla_ros.robots.adapters.driver import Driver
from vla_ros.robots.check.finding import Finding, Level
from vla_ros.robots.check.recording import Recording
from vla_ros.robots.profile import RobotProfile

_STALE_S = 0.15  # the control node's joint_state_timeout_s, unless it is set otherwise
_LEAST_HZ = 20.0
_OLD_S, _FUTURE_S = 0.05, -0.02
_BEYOND = 0.02  # rad that a joint at rest may read beyond its limit
_TURN = 2.0 * np.pi + 0.1


def check_states(profile: RobotProfile, driver: Driver, heard: Recording) -> Iterator[Finding]:
    """Yield what the joint states tell."""
    yield from _errors(driver, heard)
    if len(heard.states) < 2:
        yield _silence(driver, heard)
        return
    yield from _rate(driver, heard)
    yield _names(driver, heard)
    yield from _positions(profile, heard)
    yield _clock(driver, heard)


def _errors(driver: Driver, heard: Recording) -> Iterator[Finding]:
    for text, count in heard.errors.items():
        yield Finding(Level.FAIL, 'joint states', f'{text} ({count} messages)', {'messages': count})


def _silence(driver: Driver, heard: Recording) -> Finding:
    topic = heard.topics.get('states')
    text = f'{driver.states}: {len(heard.states)} joint states in {heard.seconds:g} s'
    if topic is not None and not topic.publishers:
        text += ', nobody publishes there'
    if heard.elsewhere:
        text += (f'; there are joint states of {" and ".join(heard.elsewhere)} '
                 f'(driver:={heard.elsewhere[0]})')
    return Finding(Level.FAIL, 'rate', text)


def _rate(driver: Driver, heard: Recording) -> Iterator[Finding]:
    arrivals = np.array([state.arrival_ns for state in heard.states]) * 1e-9
    gaps = np.diff(arrivals)
    hz, longest = 1.0 / float(np.mean(gaps)), float(np.max(gaps))
    values = {'rate_hz': hz, 'longest_gap_s': longest, 'messages': len(arrivals)}
    text = f'{driver.states}: {hz:.0f} Hz, longest gap {longest * 1e3:.0f} ms'
    if not hz >= _LEAST_HZ:
        yield Finding(Level.FAIL, 'rate', f'{text}; the arm needs at least {_LEAST_HZ:g}', values)
    elif not longest <= _STALE_S:
        yield Finding(Level.WARN, 'rate', f'{text}; after {_STALE_S * 1e3:.0f} ms the arm holds',
                      values)
    elif not hz >= 0.5 * driver.hz:
        yield Finding(Level.WARN, 'rate', f'{text}; {driver.type} should give {driver.hz:g}',
                      values)
    else:
        yield Finding(Level.OK, 'rate', text, values)


def _names(driver: Driver, heard: Recording) -> Finding:
    ours = set(driver.joints.names)
    if driver.gripper is not None:
        ours.add(driver.gripper.mapping.joint)
    others = [name for name in heard.names if name not in ours]
    in_order = [name for name in heard.names if name in driver.joints.names]
    text = f'all joints are there: {", ".join(driver.joints.names)}'
    if in_order != list(driver.joints.names):
        text += f' (sent in another order: {", ".join(in_order)})'
    if others:
        text += f'; others, left alone: {", ".join(others)}'
    return Finding(Level.OK, 'names', text, {'names': list(heard.names)})


def _positions(profile: RobotProfile, heard: Recording) -> Iterator[Finding]:
    joints = profile.joints
    q = np.array([state.q for state in heard.states])
    low, high = q.min(axis=0), q.max(axis=0)
    values = {'lowest_rad': low.tolist(), 'highest_rad': high.tolist()}
    if not q.any():
        yield Finding(Level.FAIL, 'positions', 'all joints are 0 all the time: the driver has most '
                      'likely not heard of the arm', values)
        return
    if np.abs(q).max() > _TURN:
        name = joints.names[int(np.argmax(np.abs(q).max(axis=0)))]
        yield Finding(Level.FAIL, 'positions', f'{name} reads {np.abs(q).max():.1f}: degrees '
                      'instead of radians?', values)
        return
    outside = [f'{name} at {value:.3f} rad of [{lower:.3f}, {upper:.3f}]'
               for name, a, b, lower, upper in zip(joints.names, low, high, joints.lower,
                                                   joints.upper, strict=True)
               for value in (a, b) if not lower - _BEYOND <= value <= upper + _BEYOND]
    if outside:
        yield Finding(Level.FAIL, 'limits', f'beyond the profile\'s limits: {"; ".join(outside)} '
                      '(wrong zero, sign or arm?)', values)
    else:
        room = np.minimum(low - joints.lower, joints.upper - high)
        nearest = int(np.argmin(room))
        yield Finding(Level.OK, 'limits', f'within the limits; {joints.names[nearest]} is nearest, '
                      f'{room[nearest]:.3f} rad from its own', values)
    stamps = np.array([state.stamp_ns for state in heard.states]) * 1e-9
    dt = np.diff(stamps)
    speeds = np.abs(np.diff(q, axis=0)) / np.where(dt > 1e-4, dt, np.inf)[:, None]
    fast = speeds > 1.5 * joints.velocity
    if fast.any():
        i = int(np.argmax(fast.any(axis=0)))
        yield Finding(Level.WARN, 'jumps', f'{joints.names[i]} jumped: {speeds[:, i].max():.1f} '
                      f'rad/s between two states, the arm can do {joints.velocity[i]:.1f}')


def _clock(driver: Driver, heard: Recording) -> Finding:
    ages = np.array([state.arrival_ns - state.stamp_ns for state in heard.states]) * 1e-9
    least, median = float(ages.min()), float(np.median(ages))
    values = {'least_age_s': least, 'median_age_s': median, 'p99_age_s': float(
        np.percentile(ages, 99))}
    shown = f'{driver.states}: stamped {median * 1e3:.1f} ms before it comes'
    if least < _FUTURE_S:
        return Finding(Level.FAIL, 'clock', f'{driver.states}: stamped {-least:.3f} s in the '
                       'future; is there one clock?', values)
    if median > _STALE_S:
        return Finding(Level.FAIL, 'clock', f'{shown}: the arm would hold for stale joint states. '
                       'Different clocks, or a driver that stamps by another one?', values)
    if least > _OLD_S:
        return Finding(Level.WARN, 'clock', f'{shown}, never less than {least * 1e3:.1f} ms: '
                       'different clocks?', values)
    return Finding(Level.OK, 'clock', shown, values)

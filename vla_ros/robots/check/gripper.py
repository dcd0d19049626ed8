"""Range, sign and scale of the gripper."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vla_ros.robots.adapters.driver import Driver
from vla_ros.robots.check.finding import Finding, Level
from vla_ros.robots.check.recording import Recording
from vla_ros.robots.profile import RobotProfile

_EXERCISED = 0.010  # m of motion that tells something
_SETTLED_NS = 800_000_000  # how long a command must stand before the fingers are there


def check_gripper(profile: RobotProfile, driver: Driver, heard: Recording) -> Iterator[Finding]:
    """Yield what the reported and the commanded widths tell."""
    if driver.gripper is None:
        yield Finding(Level.NOTE, 'gripper', 'the driver has none (driver.gripper)')
        return
    widths = np.array([state.width for state in heard.states if state.width is not None])
    joint = driver.gripper.mapping.joint
    if not len(widths):
        if heard.states:
            yield Finding(Level.WARN, 'gripper', f'{driver.states} has no joint {joint!r} '
                          f'(it has {", ".join(heard.names)})')
        return
    low, high = float(widths.min()), float(widths.max())
    values = {'lowest_m': low, 'highest_m': high}
    closed, opened = profile.gripper.closed, profile.gripper.open
    shown = f'{joint} reads {low * 1e3:.1f} to {high * 1e3:.1f} mm'
    if high > 3.0 * opened:
        yield Finding(Level.FAIL, 'gripper', f'{shown}, the profile has {opened * 1e3:.0f} open: '
                      'another unit (driver.gripper.per_metre)?', values)
    elif low < closed - 0.005:
        yield Finding(Level.FAIL, 'gripper', f'{shown}: wrong sign or zero (driver.gripper)?',
                      values)
    elif high > opened + 0.005:
        yield Finding(Level.WARN, 'gripper', f'{shown}, the profile opens to '
                      f'{opened * 1e3:.0f}: it will not be commanded wider', values)
    elif high - low < _EXERCISED:
        yield Finding(Level.NOTE, 'gripper', f'{shown} of {closed * 1e3:.0f} to '
                      f'{opened * 1e3:.0f}; it was not moved, so range and sign were not checked',
                      values)
    else:
        yield Finding(Level.OK, 'gripper', f'{shown} of {closed * 1e3:.0f} to {opened * 1e3:.0f}',
                      values)
    yield from _follows(heard)


def _follows(heard: Recording) -> Iterator[Finding]:
    """Yield how the width follows commands, once some were sent and stood for a while."""
    pairs = settled_widths(heard)
    commanded = np.array([pair[0] for pair in pairs])
    if len(pairs) < 2 or np.ptp(commanded) < _EXERCISED:
        return
    measured = np.array([pair[1] for pair in pairs])
    slope = float(np.polyfit(commanded, measured, 1)[0])
    values = {'measured_per_commanded': slope}
    shown = f'the gripper moves {slope:.2f} of what it is told'
    if slope < -0.2:
        yield Finding(Level.FAIL, 'gripper', f'{shown}: its sign is wrong', values)
    elif 0.4 <= slope <= 0.6:
        yield Finding(Level.FAIL, 'gripper', f'{shown}: one finger for both, a missing factor 2 '
                      '(driver.gripper.per_metre, or piper_ros\' gripper_val_mutiple)', values)
    elif not 0.8 <= slope <= 1.2:
        yield Finding(Level.WARN, 'gripper', f'{shown}; did it hold something?', values)
    else:
        yield Finding(Level.OK, 'gripper', f'{shown}, in the right direction', values)


def settled_widths(heard: Recording) -> list[tuple[float, float]]:
    """Return (commanded, measured) widths [m] of times when a command had stood long enough."""
    pairs: list[tuple[float, float]] = []
    states = [(state.arrival_ns, state.width) for state in heard.states if state.width is not None]
    stands_since: int | None = None
    before: float | None = None
    commands = iter([*heard.widths_commanded, (1 << 62, float('nan'))])
    coming = next(commands)
    for arrival, width in states:
        while coming[0] <= arrival:
            if before is None or abs(coming[1] - before) > 1e-4:
                stands_since = coming[0]
            before = coming[1]
            coming = next(commands)
        if before is not None and stands_since is not None and (
                arrival - stands_since >= _SETTLED_NS):
            pairs.append((before, width))
    return pairs

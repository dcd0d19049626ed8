"""ROS time messages <-> integer nanoseconds."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Duration, Time

_NS_PER_S = 1_000_000_000


def to_ns(stamp: Any) -> int:
    """Return a ``Time`` or ``Duration`` message in nanoseconds."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def time_message(ns: int) -> Time:
    """Return the ``Time`` message of a time [ns]."""
    sec, nanosec = divmod(int(ns), _NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def duration_message(ns: int) -> Duration:
    """Return the ``Duration`` message of a duration [ns]."""
    sec, nanosec = divmod(int(ns), _NS_PER_S)
    return Duration(sec=sec, nanosec=nanosec)

"""ROS time messages <-> integer nanoseconds."""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time

from vla_ros.core.stamps import NS_PER_S, to_ns

__all__ = ['duration_message', 'time_message', 'to_ns']


def time_message(ns: int) -> Time:
    """Return the ``Time`` message of a time [ns]."""
    sec, nanosec = divmod(int(ns), NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def duration_message(ns: int) -> Duration:
    """Return the ``Duration`` message of a duration [ns]."""
    sec, nanosec = divmod(int(ns), NS_PER_S)
    return Duration(sec=sec, nanosec=nanosec)

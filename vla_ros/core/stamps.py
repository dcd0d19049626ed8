"""Times in messages, whoever read them: of rclpy, or of a bag's reader."""

from __future__ import annotations

from typing import Any

NS_PER_S = 1_000_000_000


def to_ns(stamp: Any) -> int:
    """Return a ``Time`` or ``Duration`` message in nanoseconds."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)

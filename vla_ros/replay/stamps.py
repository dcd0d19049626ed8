"""Times in the messages of a bag, in integer nanoseconds."""

from __future__ import annotations

import struct
from typing import Any

_NS_PER_S = 1_000_000_000
_ENDIAN = {0: '>iI', 1: '<iI'}


def to_ns(stamp: Any) -> int:
    """Return a ``Time`` or ``Duration`` message in nanoseconds."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def header_ns(data: bytes) -> int:
    """Return the stamp [ns] of a CDR message whose first field is a ``std_msgs/Header``.

    It is read from its place, without the rest of the message. Zero means: never stamped.
    """
    sec, nanosec = struct.unpack_from(_ENDIAN[data[1] & 1], data, 4)
    return int(sec) * _NS_PER_S + int(nanosec)

"""Times in the messages of a bag, in integer nanoseconds."""

from __future__ import annotations

import struct

from vla_ros.core.stamps import NS_PER_S, to_ns

__all__ = ['header_ns', 'to_ns']

_ENDIAN = {0: '>iI', 1: '<iI'}


def header_ns(data: bytes) -> int:
    """Return the stamp [ns] of a CDR message whose first field is a ``std_msgs/Header``.

    It is read from its place, without the rest of the message. Zero means: never stamped.
    """
    sec, nanosec = struct.unpack_from(_ENDIAN[data[1] & 1], data, 4)
    return int(sec) * NS_PER_S + int(nanosec)

"""The quality of service of every topic, one profile per kind, and the events around it."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

try:  # Jazzy and later
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = [
    'CAMERA',
    'CHUNK',
    'CLOCK',
    'COMMAND',
    'DIAGNOSTICS',
    'JOINTS',
    'LATCHED',
    'OBJECTS',
    'SAFETY',
    'STREAM',
    'WORDS',
    'PublisherEventCallbacks',
    'SubscriptionEventCallbacks',
    'policy_profile',
]


def _profile(depth: int, *, reliable: bool = True, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)


CAMERA = _profile(5, reliable=False)
"""Images and camera_info: the newest matters, a lost one is not sent again (sensor data)."""

JOINTS = _profile(10)
"""Joint states."""

COMMAND = _profile(1)
"""Joint commands: an old one must never be carried out after a new one."""

SAFETY = _profile(10)
"""Emergency stop and hold to run: none may be lost."""

CHUNK = _profile(10)
"""Action chunks."""

STREAM = _profile(1, reliable=False)
"""A human's motion: only the newest counts, and one sent again late would move the arm late. As a
subscriber it also takes what reliable publishers send."""

WORDS = _profile(10)
"""What a human says to the control node: none may be lost."""

LATCHED = _profile(1, latched=True)
"""What a late subscriber must still learn: instruction, mode."""

OBJECTS = _profile(1)
"""Object poses from the simulation."""

CLOCK = _profile(1, reliable=False)
"""/clock, as every ROS node subscribes to it."""

DIAGNOSTICS = _profile(10)
"""/diagnostics."""


def policy_profile(lease_s: float) -> QoSProfile:
    """Return the profile of the topic ``policy``: latched, and alive while its process is.

    A publisher whose process is killed or hangs loses liveliness after ``lease_s`` seconds; the
    subscriber sees that in ``SubscriptionEventCallbacks(liveliness=…)`` as ``alive_count`` 0. The
    publisher must offer the same lease or a shorter one, or the two are not connected.
    """
    profile = _profile(1, latched=True)
    profile.liveliness = LivelinessPolicy.AUTOMATIC
    profile.liveliness_lease_duration = Duration(seconds=lease_s)
    return profile

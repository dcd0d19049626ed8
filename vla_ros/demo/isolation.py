"""Keeps the demo's ROS graph to itself, so that it never moves a robot in the same network."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import MutableMapping

# Ports of higher domains lie in the range that Linux hands out to other programs.
_FIRST, _LAST = 1, 100


def isolate(environment: MutableMapping[str, str] | None = None) -> str:
    """Set up ``os.environ`` for a graph on this machine only; return the domain.

    A domain that the user chose stays. Processes started from here on inherit it.
    """
    env = os.environ if environment is None else environment
    if 'ROS_DOMAIN_ID' not in env:
        env['ROS_DOMAIN_ID'] = str(_FIRST + os.getpid() % (_LAST - _FIRST + 1))
    if importlib.util.find_spec('rclpy.event_handler') is not None:  # Iron and later
        env['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    else:
        env['ROS_LOCALHOST_ONLY'] = '1'
    return env['ROS_DOMAIN_ID']

"""Fixtures for tests on the real ROS graph: a domain of its own, explicit contexts, no sleeps."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest

# Without ROS there is nothing to test here; the rest of the suite runs without it.
collect_ignore_glob = ['test_*.py'] if importlib.util.find_spec('rclpy') is None else []

_DOMAINS = 100  # above about 101, DDS ports collide with those that Linux hands out


def pytest_report_header() -> str:
    """Say which domain the tests use, or that there is no ROS."""
    if collect_ignore_glob:
        return 'test/ros: rclpy is not installed, its tests are left out'
    return f'test/ros: ROS_DOMAIN_ID {os.environ["ROS_DOMAIN_ID"]}'


def _claim_domain() -> int:
    """Return a domain that no other test session on this machine has, locked until we exit."""
    for i in range(_DOMAINS):
        domain = 1 + (os.getpid() + i) % _DOMAINS
        lock = os.open(Path(gettempdir(), f'vla_ros_test_domain_{domain}'),
                       os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        return domain  # the lock stays ours until this process ends
    raise RuntimeError('no ROS domain is free')


# At import, because whatever starts a context or a process later must inherit it.
if not collect_ignore_glob:
    os.environ['ROS_DOMAIN_ID'] = str(_claim_domain())
    if os.environ.get('ROS_DISTRO') == 'humble':
        os.environ['ROS_LOCALHOST_ONLY'] = '1'
    else:
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'


@pytest.fixture
def ros_context() -> Iterator[Any]:
    """Return a context of its own, shut down afterwards."""
    import rclpy
    from rclpy.context import Context
    from rclpy.signals import SignalHandlerOptions

    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    yield context
    if context.ok():
        rclpy.shutdown(context=context)


@pytest.fixture
def make_node(ros_context: Any) -> Iterator[Callable[..., Any]]:
    """Return ``make_node(name, *ros_args)``, which makes a real node with a command line."""
    from rclpy.node import Node

    nodes = []

    def make(name: str, *ros_args: str) -> Node:
        arguments = ['--ros-args', *ros_args] if ros_args else None
        nodes.append(Node(name, context=ros_context, cli_args=arguments))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


@pytest.fixture
def spin_until(ros_context: Any) -> Iterator[Callable[..., None]]:
    """Return ``spin_until(nodes, condition, what)``: run callbacks until it holds, or fail."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=ros_context)

    def spin(nodes: list[Any], condition: Callable[[], object], what: str,
             timeout_s: float = 20.0) -> None:
        for node in nodes:
            executor.add_node(node)
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f'{what}: not within {timeout_s} s')
            executor.spin_once(timeout_sec=0.1)

    yield spin
    executor.shutdown()

"""MuJoCo, or an error that says how to get it."""

from __future__ import annotations

from vla_ros.core.errors import DependencyError

try:
    import mujoco
except ImportError as error:
    raise DependencyError(
        f'the simulator needs MuJoCo, which cannot be imported ({error}): '
        'pip install mujoco, or install vla_ros[sim]') from error

__all__ = ['mujoco']

"""What the demo ran on: machine, versions, and the CPU time of a process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from vla_ros import __version__

_PACKAGES = ('rclpy', 'ros-rclpy', 'mujoco', 'pin', 'numpy', 'av', 'matplotlib')


def machine() -> dict[str, str]:
    """Return processor, cores, memory and operating system, in words."""
    return {
        'processor': _processor(),
        'cores': str(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity')
                     else os.cpu_count()),
        'memory': _memory(),
        'system': _system(),
    }


def versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Return the versions of this package, of Python and of what is installed of ``packages``."""
    found = {'vla_ros': __version__, 'python': platform.python_version()}
    if 'ROS_DISTRO' in os.environ:
        found['ROS'] = os.environ['ROS_DISTRO']
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process has used [s]; None where that cannot be read."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text(encoding='ascii', errors='replace')
        # The second field is a name in brackets, which may hold spaces.
        user, system = text.rpartition(')')[2].split()[11:13]
        return (int(user) + int(system)) / float(os.sysconf('SC_CLK_TCK'))
    except (OSError, ValueError):
        return None


class CpuUse:
    """Share of a core that processes use between two moments."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, float]] = {}
        self._last: dict[str, tuple[float, float]] = {}

    def sample(self, pids: Mapping[str, int]) -> None:
        """Look at processes by name, and at this one."""
        for name, pid in {**pids, 'demo (this recorder)': os.getpid()}.items():
            used = cpu_seconds(pid)
            if used is not None:
                self._last[name] = (time.monotonic(), used)
                self._first.setdefault(name, self._last[name])

    def percent(self) -> dict[str, float]:
        """Return the share between the first and the last look, by name [% of one core]."""
        found = {}
        for name, (start_s, used_before) in self._first.items():
            end_s, used = self._last[name]
            if end_s > start_s:
                found[name] = 100.0 * (used - used_before) / (end_s - start_s)
        return found


def _processor() -> str:
    info = _read('/proc/cpuinfo')
    names = [line.partition(':')[2].strip() for line in info.splitlines()
             if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> str:
    for line in _read('/proc/meminfo').splitlines():
        if line.startswith('MemTotal:'):
            return f'{int(line.split()[1]) / 1024 ** 2:.1f} GiB'
    return 'unknown'


def _system() -> str:
    for line in _read('/etc/os-release').splitlines():
        if line.startswith('PRETTY_NAME='):
            name = line.partition('=')[2].strip('"')
            return f'{name}, {platform.system()} {platform.release()}'
    return platform.platform()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''

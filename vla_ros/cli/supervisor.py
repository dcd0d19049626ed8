"""Starts the processes of a bring-up, notices when one ends, and stops them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vla_ros.bringup import PARENT_VARIABLE, ProcessSpec


@dataclass(frozen=True)
class Exit:
    """A process that ended by itself: its name, how, and what that means."""

    name: str
    returncode: int
    required: bool
    without: str = ''

    def __str__(self) -> str:
        how = (f'killed by {signal.Signals(-self.returncode).name}' if self.returncode < 0
               else f'ended with status {self.returncode}')
        return f'{self.name} {how}' + ('' if self.required else f'; {self.without}')


class Supervisor:
    """Runs the processes of a bring-up.

    They are started in a session of their own: Ctrl-C in the terminal reaches only us, and we stop
    them in order, the control node first, so that the arm is braked while its driver still listens.

    Parameters
    ----------
    specs : Sequence[ProcessSpec]
        What to start.
    log_dir : Path | None
        Folder for one log file a process; None: they write to this terminal.

    """

    def __init__(self, specs: Sequence[ProcessSpec], log_dir: Path | None = None) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.log_dir = log_dir
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start every process."""
        for name in self.specs:
            self.start_one(name)

    def start_one(self, name: str) -> None:
        """Start one process, also again after it ended."""
        out = None
        if self.log_dir is not None:
            self.log_dir.mkdir(parents=True, exist_ok=True)
            out = (self.log_dir / f'{name}.log').open('ab')
        try:
            self._running[name] = subprocess.Popen(
                command(self.specs[name]), stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT if out else None, start_new_session=True,
                env={**os.environ, 'PYTHONUNBUFFERED': '1', PARENT_VARIABLE: str(os.getpid())})
        finally:
            if out is not None:
                out.close()

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """Return a process by name."""
        return self._running[name]

    def poll(self) -> list[Exit]:
        """Return the processes that ended by themselves since the last call."""
        ended = [(name, p.returncode) for name, p in self._running.items()
                 if p.poll() is not None]
        for name, _ in ended:
            del self._running[name]
        return [Exit(name, code, self.specs[name].required, self.specs[name].without)
                for name, code in ended]

    def stop(self) -> None:
        """Stop the arm, then every process; kill what does not end."""
        for order in sorted({spec.stop_order for spec in self.specs.values()}):
            names = [n for n in self._running if self.specs[n].stop_order == order]
            for name in names:
                self._running[name].send_signal(signal.SIGINT)
            asked = time.monotonic()
            for name in names:
                process, timeout_s = self._running.pop(name), self.specs[name].stop_timeout_s
                try:
                    process.wait(max(asked + timeout_s - time.monotonic(), 0.0))
                except subprocess.TimeoutExpired:
                    print(f'{name} did not end within {timeout_s:g} s: killed', file=sys.stderr)
                    process.kill()
                    process.wait()

    def __enter__(self) -> Supervisor:
        try:
            self.start()
        except BaseException:
            self.stop()  # what did start must not be left behind
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


def command(spec: ProcessSpec) -> list[str]:
    """Return the command line of a process: the module, with ROS arguments."""
    line = [sys.executable, '-m', spec.module, '--ros-args']
    if spec.params_file is not None:
        line += ['--params-file', str(spec.params_file)]
    for name, value in spec.parameters.items():
        line += ['-p', f'{name}:={_yaml(value)}']
    return line


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)

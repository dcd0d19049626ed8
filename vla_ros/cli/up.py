"""``vla-ros up``: the same graph as ``ros2 launch vla_ros bringup.launch.py``, without launch."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from vla_ros.bringup import ARGUMENTS, Bringup
from vla_ros.cli.supervisor import Supervisor
from vla_ros.core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take arguments as the launch file does: ``name:=value``."""
    lines = [f'  {a.name}:={a.default or "..."}  {a.description}' for a in ARGUMENTS]
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = 'arguments (name:=value, as with ros2 launch):\n' + '\n'.join(lines)
    parser.add_argument('arguments', nargs='*', metavar='name:=value')


def parse(arguments: list[str]) -> dict[str, str]:
    """Return ``name:=value`` texts as a dict; raise ConfigError for anything else."""
    given = {}
    for text in arguments:
        name, separator, value = text.partition(':=')
        if not separator or not name:
            raise ConfigError(f'expected name:=value, found {text!r}. '
                              f'Choices: {", ".join(a.name for a in ARGUMENTS)}')
        given[name] = value
    return given


def run(args: argparse.Namespace) -> int:
    """Start the graph and wait; return 0 after Ctrl-C, 1 when a required process ended."""
    supervisor = Supervisor(Bringup.from_arguments(parse(args.arguments)).processes())
    stop = threading.Event()
    # SIGHUP: the terminal was closed. The nodes are in sessions of their own and would go on.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: stop.set())
    with supervisor:
        while not stop.wait(0.1):
            ended = supervisor.poll()
            for process in ended:
                print(f'vla-ros up: {process}', file=sys.stderr, flush=True)
            if any(process.required for process in ended):
                print('vla-ros up: stopping the rest', file=sys.stderr, flush=True)
                return 1
        print('vla-ros up: stopping the arm, then every process', file=sys.stderr, flush=True)
    return 0

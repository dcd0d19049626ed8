"""Whether recording slows the control loop, what it loses and what it costs.

The real ``control_node`` and the real ``policy_node`` run against a world that plays an arm and two
cameras of 640x480 at 15 Hz (raw, 27.6 MB/s), as in ``control_jitter.py``, whose processes these
are. Rounds without and with ``record_node`` take turns, in the same run. The period error is that
of the commands as they leave the control node.

Lost is what the recorder says itself (its queue, the disk, and what the middleware tells it was
published and did not arrive), and what is missing of the commands that the control node has sent
between the first and the last one in the bag: counted on both sides, they must agree. The world
waits for nobody, so its pictures are counted against 15 Hz.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from control_jitter import TRANSPORT, _cpu_s, _end, _quantiles, _times, layers_in

from vla_ros import __version__
from vla_ros.replay.bag import Bag
from vla_ros.replay.stamps import header_ns

JITTER = Path(__file__).with_name('control_jitter.py')
CAMERA_HZ, RATE_HZ, BUSY_S = 15.0, 100.0, 0.03
UP_S, SETTLE_S = 120.0, 3.0  # until everything must run, and then until it is measured
IMAGES = ('/camera/third_person/image_raw', '/camera/wrist/image_raw')
COMMAND = '/joint_command'


def measure(recorded: bool, layers: int, seconds: float, disk: Path) -> dict[str, Any]:
    """Run all processes once and return what was found."""
    with tempfile.TemporaryDirectory(dir=disk) as folder, ExitStack() as stack:
        profile = Path(folder, 'transport.xml')
        profile.write_text(TRANSPORT, encoding='utf-8')
        env = {**os.environ, 'FASTDDS_DEFAULT_PROFILES_FILE': str(profile),
               'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile)}
        commands = {role: [sys.executable, str(JITTER), '--role', role, '--layers', str(layers),
                           '--rate', str(RATE_HZ), '--camera-hz', str(CAMERA_HZ),
                           '--out', str(Path(folder, f'{role}.json'))]
                    for role in ('world', 'control', 'policy')}
        if recorded:
            commands['record'] = [
                sys.executable, '-m', 'vla_ros.cli.main', 'record', '--driver', 'sim', '--out',
                folder, '--name', 'bag', '--json', str(Path(folder, 'record.json'))]
        processes = {}
        for role, command in commands.items():
            log = stack.enter_context(Path(folder, f'{role}.log').open('w'))
            processes[role] = subprocess.Popen(command, stdout=log, stderr=log, env=env)
            stack.callback(_end, processes[role])
        _wait_up(Path(folder), recorded)
        begin, busy = time.monotonic_ns(), _times()
        cpu = {role: _cpu_s(process.pid) for role, process in processes.items()}
        time.sleep(seconds)
        end, busy = time.monotonic_ns(), [b - a for a, b in zip(busy, _times(), strict=True)]
        cpu = {role: (_cpu_s(p.pid) - cpu[role]) / seconds for role, p in processes.items()}
        for role in ('record', 'control', 'policy', 'world'):
            if role in processes:
                _end(processes[role])
        try:
            sent = json.loads(Path(folder, 'control.json').read_text())['sent']
        except FileNotFoundError:
            raise SystemExit(Path(folder, 'control.log').read_text()) from None
        times = [t for t, _ in sent if begin <= t <= end]
        found: dict[str, Any] = {
            'recorded': recorded, 'cpu': cpu, 'commands': len(times),
            'error_ms': np.abs(np.diff(times) * 1e-6 - 1e3 / RATE_HZ).tolist(),
            'others_cores': busy[0] / seconds - sum(cpu.values()),
            'stolen_cores': busy[1] / seconds}
        if recorded:
            found.update(in_bag(Path(folder), [t for t, _ in sent]))
        return found


def _wait_up(folder: Path, recorded: bool) -> None:
    """Wait until commands are sent (the arm is held at least), and until they are recorded."""
    deadline = time.monotonic() + UP_S
    while not ('sim: ready' in (folder / 'control.log').read_text()
               and (not recorded or (folder / 'bag').is_dir())):
        if time.monotonic() > deadline:
            raise SystemExit('\n'.join(f'{path.name}:\n{path.read_text()}'
                                       for path in sorted(folder.glob('*.log'))))
        time.sleep(0.1)
    time.sleep(SETTLE_S)


def in_bag(folder: Path, sent_ns: list[int]) -> dict[str, Any]:
    """Return what the bag has, and what it lacks of the commands sent at these times [ns]."""
    (summary,) = json.loads((folder / 'record.json').read_text())
    with Bag(folder / 'bag') as bag:
        stamps = [header_ns(r.data) for r in bag.records([COMMAND])]
        images = {name: [header_ns(r.data) for r in bag.records([name])] for name in IMAGES}
    # A command leaves less than a period after the time for which it was decided, its stamp.
    offset = time.time_ns() - time.monotonic_ns()
    half = round(0.5e9 / RATE_HZ)
    sent = sum(stamps[0] - half <= t + offset <= stamps[-1] + half for t in sent_ns)
    span = {name: (at[-1] - at[0]) * 1e-9 for name, at in images.items()}
    return {
        'state': summary['state'], 'megabytes_s': summary['bytes'] / 1e6 / summary['duration_s'],
        'dropped': summary['dropped'], 'commands_in_bag': len(stamps),
        'commands_sent': sent,
        'images_of_due': {name: len(at) / (span[name] * CAMERA_HZ + 1)
                          for name, at in images.items()}}


def row(runs: list[dict[str, Any]], recorded: bool) -> dict[str, Any]:
    """Return all rounds of one kind together."""
    chosen = [r for r in runs if r['recorded'] is recorded]
    found: dict[str, Any] = {
        'recorded': recorded, **_quantiles(np.concatenate([r['error_ms'] for r in chosen])),
        'rounds_p99_ms': [_quantiles(np.array(r['error_ms']))['p99_ms'] for r in chosen],
        'others_cores': max(r['others_cores'] for r in chosen)}
    if recorded:
        dropped: dict[str, int] = {}
        for run in chosen:
            for topics in run['dropped'].values():
                for topic, count in topics.items():
                    dropped[topic] = dropped.get(topic, 0) + count
        found |= {'recorder_cpu': float(np.mean([r['cpu']['record'] for r in chosen])),
                  'megabytes_s': float(np.mean([r['megabytes_s'] for r in chosen])),
                  'commands': sum(r['commands_in_bag'] for r in chosen),
                  'commands_sent': sum(r['commands_sent'] for r in chosen),
                  'images_of_due': float(np.mean([v for r in chosen
                                                  for v in r['images_of_due'].values()])),
                  'dropped': dropped}
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=20.0, help='of each round')
    parser.add_argument('--rounds', type=int, default=2, help='of each kind')
    parser.add_argument('--disk', type=Path, default=Path('.'), metavar='DIR',
                        help='where the bags lie meanwhile (default: this folder)')
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, vla_ros {__version__}')
    print(machine)
    print(f'two cameras 640x480 rgb8 at {CAMERA_HZ:g} Hz, commands at {RATE_HZ:g} Hz, '
          f'{args.rounds} rounds of {args.seconds:g} s each', flush=True)
    layers = layers_in(BUSY_S)
    runs = [measure(recorded, layers, args.seconds, args.disk)
            for _ in range(args.rounds) for recorded in (False, True)]
    rows = [row(runs, False), row(runs, True)]
    print(f'{"period error":<20}{"p50 ms":>9}{"p99 ms":>9}{"max ms":>9}   p99 of each round')
    for r in rows:
        print(f'{"with recording" if r["recorded"] else "without":<20}{r["p50_ms"]:>9.3f}'
              f'{r["p99_ms"]:>9.3f}{r["max_ms"]:>9.2f}   '
              + ' '.join(f'{p:.3f}' for p in r['rounds_p99_ms']))
    r = rows[1]
    print(f'recorder: {r["recorder_cpu"]:.2f} cores, {r["megabytes_s"]:.1f} MB/s; '
          f'{r["commands"]} commands in the bags of {r["commands_sent"]} sent meanwhile; '
          f'{r["images_of_due"]:.1%} of the images that were due')
    print('dropped or lost:', ', '.join(f'{n} of {t}' for t, n in sorted(r['dropped'].items()))
          or 'nothing')
    print(f'Meanwhile other processes used up to {max(x["others_cores"] for x in rows):.2f} cores.')
    if args.json:
        Path(args.json).write_text(json.dumps({
            'machine': machine, 'seconds': args.seconds, 'rows': rows,
            'runs': [{k: v for k, v in run.items() if k != 'error_ms'} for run in runs]},
            indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())

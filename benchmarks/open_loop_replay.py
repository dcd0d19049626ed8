"""How fast observations come out of a bag for a policy, without the policy's own time.

The bag is that of bag_reading.py: two 640x480 JPEG cameras at 15 Hz, joint states at 100 Hz. The
peer, in the same run, is rosbags and OpenCV alone, decoding every picture in one thread; it makes
no observation. The bar is 20 times real time with an observation of every pair of pictures; the
exit status is 1 below it, or when memory grows (``--minutes 60`` for an hour).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bag_reading import BAR, CAMERA_HZ, CAMERAS, GROWTH_MIB, JOINTS_HZ, Memory, plain, write_bag

from vla_ros.cli.replay import node_parameters
from vla_ros.core.ingest import IngestConfig
from vla_ros.demo.machine import machine, versions
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagObservations
from vla_ros.replay.recorded_vector import vector_readers
from vla_ros.replay.replay_topics import replay_topics


def observe(path: Path, rate_hz: float) -> tuple[int, list[float]]:
    """Return the number of observations at a rate, and the memory over time [MiB]."""
    count = 0
    with Bag(path) as bag:
        topics = replay_topics(bag, CAMERAS, needs_instruction=False)
        names = tuple(bag.message(next(bag.records([topics.state]))).name)
        walk = BagObservations(bag, topics, IngestConfig.of_parameters(node_parameters([])),
                               vector_readers(names, topics.state), 'pick it up')
        memory = Memory(round(bag.duration_s * rate_hz))
        for seen in walk.at_rate(rate_hz):
            count += seen.observation is not None
            memory.tick()
    return count, memory.mib


def main() -> int:
    """Print the table; exit 1 below the bar or when memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=1.0, help='length of the bag')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    seconds = args.minutes * 60
    modes: dict[str, tuple[Callable[[Path], tuple[int, list[float]]], float]] = {
        'rosbags + OpenCV': (plain, seconds * CAMERA_HZ * len(CAMERAS)),
        'every pair': (lambda path: observe(path, 2.0 * CAMERA_HZ), seconds * CAMERA_HZ),
        'at 10 Hz': (lambda path: observe(path, 10.0), seconds * 10.0)}
    rows: dict[str, dict] = {name: {'times_real_time': []} for name in modes}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'bag'
        write_bag(path, seconds, 90)
        for _ in range(args.repeats):
            for name, (mode, wanted) in modes.items():
                begin = time.perf_counter()
                count, memory = mode(path)
                rows[name]['times_real_time'].append(seconds / (time.perf_counter() - begin))
                assert count >= 0.97 * wanted, f'{name}: {count} of {wanted}'
                later = memory[len(memory) // 5:]
                rows[name] |= {'count': count, 'grown_mib': later[-1] - later[0],
                               'memory_mib': later[-1]}
    about = {**machine(), **versions(('rosbags', 'opencv-python-headless', 'numpy'))}
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    print(f'{args.minutes:g} min, {len(CAMERAS)} JPEG cameras at {CAMERA_HZ} Hz, joint states at '
          f'{JOINTS_HZ} Hz')
    print(f'{"":<18}{"x real time":>12}{"best":>8}{"memory MiB":>12}{"grown":>8}')
    for name, row in rows.items():
        print(f'{name:<18}{np.median(row["times_real_time"]):>12.1f}'
              f'{max(row["times_real_time"]):>8.1f}{row["memory_mib"]:>12.0f}'
              f'{row["grown_mib"]:>8.1f}')
    if args.json:
        args.json.write_text(json.dumps({'machine': about, 'minutes': args.minutes, 'rows': rows},
                                        indent=2))
    best = rows['every pair']
    return int(not float(np.median(best['times_real_time'])) >= BAR
               or not best['grown_mib'] <= GROWTH_MIB)


if __name__ == '__main__':
    sys.exit(main())

"""Time, memory and size of a recording's report, by the length of the bag.

The bag is made here: joint states, ticks and provenance at 100 Hz, two cameras of small JPEGs at
10 Hz, chunks at 5 Hz. Exit status 1 when memory grows with the bag, or a page is larger than 5 MB.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vla_ros.core.provenance import ChunkRecord, ProvenanceBatch, TickRecord, encode
from vla_ros.demo.machine import machine, versions
from vla_ros.image_codec import encode_rgb
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.messages import serialized
from vla_ros.replay.pictures import COMPRESSED_IMAGE
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY
from vla_ros.report import write_bag_report
from vla_ros.report.gather import Gathered

JOINTS = tuple(f'joint{i}' for i in range(1, 7))
DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')
START_NS = 1_700_000_000_000_000_000
GROWTH_MIB, PAGE_MB = 10.0, 5.0


def write_bag(path: Path, seconds: float) -> None:
    """Write a run that holds now and then."""
    jpegs = [encode_rgb(np.full((120, 160, 3), shade, np.uint8)) for shade in range(0, 250, 10)]
    with BagWriter(path, max_bytes=2 ** 30) as bag:
        ticks: list[TickRecord] = []
        for i in range(round(seconds * 100)):
            at, stamp = i / 100, START_NS + i * 10_000_000
            q = [math.sin(at + k) for k in range(6)]
            bag.write('/joint_states', JOINT_STATE, stamp, serialized(
                messages.joint_state(JOINTS, q, stamp), JOINT_STATE))
            hold = at % 30 > 29
            ticks.append(TickRecord(
                stamp, 'HOLD' if hold else 'AUTONOMOUS', None,
                'action_chunk: no step is due' if hold else '', tuple(q), tuple(q), 0.05, 20.0,
                ('acceleration',) if i % 7 == 0 else (), (stamp,), (1.0,), stamp, stamp, 1.0))
            if i % 10 == 0:
                for camera in ('third_person', 'wrist'):
                    bag.write(f'/camera/{camera}/image_raw/compressed', COMPRESSED_IMAGE, stamp,
                              serialized(messages.compressed_image(
                                  jpegs[i // 10 % len(jpegs)], stamp, camera), COMPRESSED_IMAGE))
            if i % 20 == 0:
                bag.write('/action_chunk', TRAJECTORY, stamp, serialized(messages.action_chunk(
                    DIMS, np.full((8, 7), math.sin(at)), 100_000_000, stamp, 'base'), TRAJECTORY))
            if i % 10 == 9:
                text = encode(ProvenanceBatch(JOINTS, (ChunkRecord(stamp, stamp + 50_000_000),),
                                              tuple(ticks)))
                bag.write('/provenance', STRING, stamp, serialized(messages.text(text), STRING))
                ticks = []


def private_mib() -> float:
    """Return the memory of this process that is not a file's [MiB]."""
    text = Path('/proc/self/status').read_text()
    return int(text.partition('RssAnon:')[2].split()[0]) / 1024


def gathered(path: Path) -> list[float]:
    """Read a bag for a report; return the memory over time [MiB]."""
    samples = []
    with Bag(path) as bag:
        found, every = Gathered(bag), max(bag.message_count // 20, 1)
        for i, record in enumerate(bag.records()):
            found.add(record)
            if i % every == 0:
                samples.append(private_mib())
        found.finish()
    return samples


def main() -> int:
    """Print the table; exit 1 when memory grows or a page is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, nargs='+', default=[1.0, 10.0])
    parser.add_argument('--folder', type=Path, help='where the bags are made; default: temporary')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for minutes in args.minutes:
            path = Path(folder) / f'bag_{minutes:g}'
            write_bag(path, minutes * 60)
            memory = gathered(path)
            begin, used = time.perf_counter(), time.process_time()
            page = write_bag_report(path, Path(folder) / f'out_{minutes:g}', quiet=True)
            later = memory[len(memory) // 5:]  # the first fifth is the warming up
            rows.append({'minutes': minutes, 'wall_s': time.perf_counter() - begin,
                         'cpu_s': time.process_time() - used, 'memory_mib': later[-1],
                         'growth_mib': later[-1] - later[0],
                         'page_mb': page.stat().st_size / 1e6})
    about = {**machine(), **versions(('rosbags', 'matplotlib', 'numpy'))}
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    print(f'{"minutes":>8}{"wall s":>9}{"CPU s":>8}{"memory MiB":>12}{"grown":>7}{"page MB":>9}')
    for row in rows:
        print(f'{row["minutes"]:>8g}{row["wall_s"]:>9.1f}{row["cpu_s"]:>8.1f}'
              f'{row["memory_mib"]:>12.0f}{row["growth_mib"]:>7.1f}{row["page_mb"]:>9.2f}')
    if args.json:
        args.json.write_text(json.dumps({'machine': about, 'rows': rows}, indent=2))
    return int(not all(row['growth_mib'] <= GROWTH_MIB and row['page_mb'] <= PAGE_MB
                       for row in rows))


if __name__ == '__main__':
    sys.exit(main())

"""How fast a bag is read and its pictures decoded, and whether memory stays flat over an hour.

The bag is made here: two 640x480 JPEG cameras at 15 Hz and joint states at 100 Hz. The peer is
what one writes with rosbags and OpenCV alone: message by message, one thread. The bar is 20 times
real time with two threads; the exit status is 1 below it, or when memory grows.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from rosbags.highlevel import AnyReader

from vla_ros.demo.machine import machine, versions
from vla_ros.image_codec import encode_rgb
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.messages import serialized
from vla_ros.replay.pictures import COMPRESSED_IMAGE, read_items
from vla_ros.replay.topic_choice import JOINT_STATE

WIDTH, HEIGHT, CAMERA_HZ, JOINTS_HZ = 640, 480, 15, 100
CAMERAS = ('third_person', 'wrist')
BAR = 20.0
GROWTH_MIB = 30.0


def scene(seed: int, quality: int) -> bytes:
    """Return the JPEG of a picture with detail at every scale, as photographs have."""
    rng = np.random.default_rng(seed)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for cell, weight in ((160, 70.0), (40, 40.0), (10, 18.0), (2, 7.0)):
        coarse = rng.normal(0.0, weight, (HEIGHT // cell, WIDTH // cell, 3)).astype(np.float32)
        rgb += cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return encode_rgb(np.clip(rgb + 120, 0, 255).astype(np.uint8), quality=quality)


def write_bag(path: Path, seconds: float, quality: int) -> float:
    """Write the bag and return the mean size of a picture [bytes]."""
    start = 1_700_000_000_000_000_000
    pictures = [scene(seed, quality) for seed in range(24)]
    joints = [f'joint{i}' for i in range(1, 7)]
    events = sorted(
        [(i / CAMERA_HZ + 0.01 * k, camera) for i in range(int(seconds * CAMERA_HZ))
         for k, camera in enumerate(CAMERAS)]
        + [(i / JOINTS_HZ, '') for i in range(int(seconds * JOINTS_HZ))])
    with BagWriter(path, max_bytes=2 ** 30) as bag:
        for number, (at, camera) in enumerate(events):
            stamp = start + round(at * 1e9)
            if not camera:
                bag.write('/joint_states', JOINT_STATE, stamp, serialized(
                    messages.joint_state(joints, np.full(6, at), stamp), JOINT_STATE))
                continue
            data = pictures[number % len(pictures)]
            bag.write(f'/camera/{camera}/image_raw/compressed', COMPRESSED_IMAGE, stamp, serialized(
                messages.compressed_image(data, stamp, camera), COMPRESSED_IMAGE))
    return float(np.mean([len(data) for data in pictures]))


def resident_mib() -> float:
    """Return the memory of this process that lies in RAM and is not a file's [MiB]."""
    text = Path('/proc/self/status').read_text()
    return int(text.partition('RssAnon:')[2].split()[0]) / 1024


class Memory:
    """Samples this process's memory while a bag is read."""

    def __init__(self, messages_in_bag: int, samples: int = 20) -> None:
        self._every = max(messages_in_bag // samples, 1)
        self._seen = 0
        self.mib: list[float] = []

    def tick(self) -> None:
        """Count a message."""
        self._seen += 1
        if self._seen % self._every == 0:
            self.mib.append(resident_mib())


def ours(path: Path, threads: int) -> tuple[int, list[float]]:
    """Read and decode; return the number of pictures and the memory over time."""
    pictures = 0
    with Bag(path) as bag:
        memory = Memory(bag.message_count)
        for item in read_items(bag, threads=threads):
            pictures += isinstance(item.value, np.ndarray)
            memory.tick()
    return pictures, memory.mib


def plain(path: Path) -> tuple[int, list[float]]:
    """Do the same with rosbags and OpenCV alone."""
    pictures = 0
    with AnyReader([path]) as reader:
        memory = Memory(reader.message_count)
        for connection, _, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            if connection.msgtype == COMPRESSED_IMAGE:
                bgr = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
                cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                pictures += 1
            memory.tick()
    return pictures, memory.mib


def main() -> int:
    """Print the table; exit 1 below the bar or when memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=1.0, help='length of the bag')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--quality', type=int, default=90, help='of the JPEGs, in percent')
    parser.add_argument('--only-threads', action='store_true',
                        help='leave out the peer and the single thread (for an hour-long bag)')
    parser.add_argument('--folder', type=Path, help='where the bag is made; default: temporary')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / 'bag'
        seconds = args.minutes * 60
        mean = write_bag(path, seconds, args.quality)
        modes: dict[str, Callable[[], tuple[int, list[float]]]] = {
            'rosbags + OpenCV': lambda: plain(path),
            'ours, no threads': lambda: ours(path, 0),
            'ours, 2 threads': lambda: ours(path, 2)}
        if args.only_threads:
            modes = {'ours, 2 threads': modes['ours, 2 threads']}
        rows: dict[str, dict] = {name: {'times_real_time': [], 'cpu_s': [], 'memory_mib': []}
                                 for name in modes}
        wanted = int(seconds * CAMERA_HZ) * len(CAMERAS)
        for turn in range(args.repeats):
            for name in list(modes)[turn % len(modes):] + list(modes)[:turn % len(modes)]:
                begin, used = time.perf_counter(), time.process_time()
                pictures, memory = modes[name]()
                assert pictures == wanted, f'{name}: {pictures} pictures of {wanted}'
                rows[name]['times_real_time'].append(seconds / (time.perf_counter() - begin))
                rows[name]['cpu_s'].append(time.process_time() - used)
                rows[name]['memory_mib'] = memory
    about = {**machine(), **versions(('rosbags', 'opencv-python-headless', 'simplejpeg', 'numpy'))}
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    print(f'{args.minutes:g} min, 2 x {WIDTH}x{HEIGHT} JPEG ({mean / 1024:.0f} KiB) at {CAMERA_HZ} '
          f'Hz, joint states at {JOINTS_HZ} Hz')
    print(f'{"":<18}{"x real time":>12}{"best":>8}{"pictures/s":>12}{"CPU ms/picture":>16}'
          f'{"memory MiB":>12}{"grown":>8}')
    for name, row in rows.items():
        speed = float(np.median(row['times_real_time']))
        # The first fifth is the warming up: buffers, threads, code.
        later = row['memory_mib'][len(row['memory_mib']) // 5:]
        row['growth_mib'] = later[-1] - later[0]
        print(f'{name:<18}{speed:>12.1f}{max(row["times_real_time"]):>8.1f}'
              f'{speed * 2 * CAMERA_HZ:>12.0f}{min(row["cpu_s"]) / wanted * 1e3:>16.2f}'
              f'{later[-1]:>12.0f}{row["growth_mib"]:>8.1f}')
    if args.json:
        args.json.write_text(json.dumps({'machine': about, 'minutes': args.minutes,
                                         'picture_bytes': mean, 'rows': rows}, indent=2))
    best = rows['ours, 2 threads']
    return int(not float(np.median(best['times_real_time'])) >= BAR
               or not best['growth_mib'] <= GROWTH_MIB)


if __name__ == '__main__':
    sys.exit(main())

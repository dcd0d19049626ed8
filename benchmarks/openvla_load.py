"""How long a full-size OpenVLA-OFT takes to load in 4 bits, and the memory that it needs.

Writes a random checkpoint of the 7B model's sizes (bfloat16, 15 GB, in shards, one after the other)
and loads it in a process of its own, as ``policy_node`` does. The weights are random: time and
memory do not depend on what they are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

from vla_ros import __version__

_GIB = 1 << 30


class MemoryWatch:
    """The largest memory of this process while it lasts; pages of mapped files are told apart."""

    def __init__(self, period_s: float = 0.02) -> None:
        self.peak: dict[str, int] = {}
        self._period_s = period_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            for line in Path('/proc/self/status').read_text().splitlines():
                name, _, rest = line.partition(':')
                if name in ('RssAnon', 'RssFile', 'VmRSS'):
                    self.peak[name] = max(self.peak.get(name, 0), int(rest.split()[0]) * 1024)
            if self._done.wait(self._period_s):
                return


def load(path: str, quantization: str, device: str, infer: bool, check: bool) -> dict:
    """Return time and peak memory of loading, and of one inference; called in its own process."""
    import numpy as np
    import torch

    from vla_ros.core.types import Observation
    from vla_ros.policy import load_policy

    result: dict = {}
    with MemoryWatch() as memory:
        started = time.perf_counter()
        policy = load_policy('openvla_oft', model_path=path, quantization=quantization,
                             device=device, check_weights=check)
        result['load_s'] = time.perf_counter() - started
        if infer:
            images = {name: np.full((256, 256, 3), 99, np.uint8) for name in policy.spec.cameras}
            started = time.perf_counter()
            state = {'tool_pose': np.eye(4), 'gripper': np.array(0.03)}
            policy.infer(Observation(0, 'pick up the insulator', images, state))
            result['first_inference_s'] = time.perf_counter() - started
            result['stages_ms'] = policy.timings
    model = policy.parts.model
    result['weights_bytes'] = model.get_memory_footprint()
    result['peak_rss_bytes'] = memory.peak['VmRSS']
    result['peak_own_bytes'] = memory.peak['RssAnon']
    if torch.cuda.is_available():
        result['peak_cuda_bytes'] = torch.cuda.max_memory_allocated()
    return result


def in_process(args: argparse.Namespace, path: Path, quantization: str) -> dict:
    """Return what :func:`load` measures in a fresh process."""
    command = [sys.executable, __file__, '--child', str(path), '--quantization', quantization,
               '--device', args.device]
    command += ['--infer'] * args.infer + ['--no-check'] * args.no_check
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    if done.returncode != 0 or not done.stdout:
        raise SystemExit(f'loading in {quantization} failed (status {done.returncode}); run it '
                         f'again to see why: {" ".join(command)}')
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--layers', type=int, default=32,
                        help='of the language model; fewer: less disk, memory and time (default: '
                             '%(default)s, as the released model)')
    parser.add_argument('--quantization', nargs='+', default=['nf4'],
                        choices=['none', 'int8', 'nf4'])
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dir', type=Path, metavar='DIR', help='where the checkpoint is written '
                        'and kept, or taken from when it is there (default: a folder that is '
                        'removed again)')
    parser.add_argument('--infer', action='store_true', help='also answer once')
    parser.add_argument('--no-check', action='store_true', help='do not look for NaN at load')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--child', metavar='DIR', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(load(args.child, args.quantization[0], args.device, args.infer,
                              not args.no_check)))
        return 0
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, torch {version("torch")}, '
               f'transformers {version("transformers")}, vla_ros {__version__}')
    print(machine)
    folder = args.dir or Path(tempfile.mkdtemp(prefix='openvla_load_'))
    try:
        figures = {'machine': machine, 'layers': args.layers, **_measure(args, folder)}
    finally:
        if args.dir is None:
            shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1), encoding='utf-8')
    return 0


def _measure(args: argparse.Namespace, folder: Path) -> dict:
    figures: dict = {'loads': {}}
    if not (folder / 'config.json').is_file():
        folder.mkdir(parents=True, exist_ok=True)
        needed = (2 * (1.4e9 + 0.2024e9 * args.layers)) * 1.05
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise SystemExit(f'{folder}: {needed / 1e9:.0f} GB are needed, {free / 1e9:.0f} GB are '
                             f'free; use --dir or fewer --layers')
        from vla_ros.policy.openvla.full_size import full_size_config, write_sharded_checkpoint

        started = time.perf_counter()
        size = write_sharded_checkpoint(folder, full_size_config(args.layers),
                                        say=lambda text: print(f'  {text}', flush=True))
        figures |= {'write_s': time.perf_counter() - started, 'checkpoint_bytes': size}
        print(f'wrote {size / 1e9:.1f} GB of random weights ({args.layers} layers) in '
              f'{figures["write_s"]:.0f} s', flush=True)
    print(f'{"":<6}{"load s":>8}{"weights GiB":>13}{"peak GiB":>10}{"peak own GiB":>14}')
    for kind in args.quantization:
        found = figures['loads'][kind] = in_process(args, folder, kind)
        print(f'{kind:<6}{found["load_s"]:>8.1f}{found["weights_bytes"] / _GIB:>13.2f}'
              f'{found["peak_rss_bytes"] / _GIB:>10.2f}{found["peak_own_bytes"] / _GIB:>14.2f}'
              + (f'   cuda {found["peak_cuda_bytes"] / _GIB:.2f} GiB'
                 if 'peak_cuda_bytes' in found else ''), flush=True)
        if 'first_inference_s' in found:
            stages = ', '.join(f'{k} {v:.0f} ms' for k, v in found['stages_ms'].items())
            print(f'      first inference {found["first_inference_s"]:.1f} s: {stages}')
    print('Peak: of the resident memory. Own: without mapped pages of the checkpoint, which the '
          'system may drop at any time.')
    return figures


if __name__ == '__main__':
    sys.exit(main())

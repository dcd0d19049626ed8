"""Inverse kinematics of a chunk, alone and while a policy infers beside it, in one run.

The policy runs in a process of its own, as in the real graph, and infers without a pause: an
OpenVLA-OFT with random weights, of full size where there is CUDA, tiny on the CPU. cuRobo shares
the GPU with it, Pinocchio the CPU; both solve the same poses before, while and after it runs.

Without cuRobo its rows are left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.se3 import moved
from vla_ros.demo.machine import machine, versions
from vla_ros.ik import load_ik
from vla_ros.ik.curobo_ik import CuroboIk
from vla_ros.robots import RobotProfile, load_profile

BATCHES = (1, 8, 50)
PACKAGES = ('numpy', 'pin', 'torch', 'transformers', 'nvidia-curobo', 'curobo')
READY_S = 1800  # s; writing and loading 7B weights


def infer_until(stop: Any, count: Any, ready: Any, folder: str, device: str, layers: int) -> None:
    """Infer as fast as it goes, until told to stop (the body of the policy's process)."""
    from openvla_latency import observations

    from vla_ros.policy import load_policy
    from vla_ros.policy.openvla.full_size import full_size_config, write_sharded_checkpoint
    from vla_ros.policy.openvla.tiny import write_demo_checkpoint

    path = Path(folder) / 'checkpoint'
    if device == 'cuda':
        write_sharded_checkpoint(path, full_size_config(layers))
    else:
        path = write_demo_checkpoint('openvla_oft', path)
    policy = load_policy('openvla_oft', model_path=str(path), device=device)
    policy.warm_up()
    seen = observations(policy.spec.cameras)
    ready.set()
    while not stop.is_set():
        policy.infer(seen[count.value % len(seen)])
        count.value += 1


@contextmanager
def inference(device: str, layers: int) -> Iterator[Any]:
    """Run the policy's process; gives the counter of its inferences."""
    context = multiprocessing.get_context('spawn')
    stop, ready, count = context.Event(), context.Event(), context.Value('q', 0)
    with tempfile.TemporaryDirectory(prefix='ik_beside_') as folder:
        process = context.Process(target=infer_until,
                                  args=(stop, count, ready, folder, device, layers))
        process.start()
        try:
            begun = time.monotonic()
            while not ready.wait(0.5):
                if not process.is_alive() or time.monotonic() - begun > READY_S:
                    raise RuntimeError('the policy did not get ready; see above')
            yield count
        finally:
            stop.set()
            process.join(60.0)
            if process.is_alive():
                process.kill()
                process.join()


def solvers(profile: RobotProfile) -> dict[str, dict[int, Kinematics]]:
    """Return name -> batch -> solver; cuRobo's are made for the length of their batch."""
    found = {'pinocchio': dict.fromkeys(BATCHES, load_ik('pinocchio', profile))}
    try:
        found['curobo'] = {batch: CuroboIk(profile, max_batch=batch) for batch in BATCHES}
    except (DependencyError, ConfigError) as error:
        print(f'curobo: left out ({error})')
    return found


def measure(ik: Kinematics, batch: int, home: np.ndarray, repeats: int) -> dict[str, float]:
    """Time a chunk of ``batch`` poses, each a step from the last."""
    twist = np.array([8e-4, -8e-4, 4e-4, 2e-3, 2e-3, -2e-3])  # m, rad
    path = np.array([moved(ik.forward(home), twist, float(i + 1)) for i in range(batch)])
    ik.solve_batch(path, home, 0.1)
    seconds, converged = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        results = ik.solve_batch(path, home, 0.1)
        seconds.append(time.perf_counter() - start)
        converged += sum(r.converged for r in results)
    return {'median_ms': float(np.median(seconds)) * 1e3,
            'p99_ms': float(np.percentile(seconds, 99)) * 1e3,
            'converged': converged / (repeats * batch)}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robot', default='piper')
    parser.add_argument('--repeats', type=int, default=200)
    parser.add_argument('--layers', type=int, default=32, help='of the 7B language model, on CUDA')
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        print('PyTorch is missing: pip install ".[policy]"', file=sys.stderr)
        return 2
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    about = {**machine(), 'versions': versions(PACKAGES), 'load': os.getloadavg(),
             'device': torch.cuda.get_device_name() if device == 'cuda' else 'cpu'}
    print(f'{about["processor"]}, {about["cores"]} cores, {about["device"]}, load '
          f'{about["load"][0]:.1f}; ' + ', '.join(f'{k} {v}' for k, v in about['versions'].items()))
    profile = load_profile(args.robot)
    home = np.asarray(profile.joints.home)
    arms = solvers(profile)

    def all_of(when: str) -> dict[str, dict[str, float]]:
        rows = {}
        for name, by_batch in arms.items():
            for batch, ik in by_batch.items():
                row = rows[f'{name}, {batch}'] = measure(ik, batch, home, args.repeats)
                print(f'{when:<10}{name:<12}batch {batch:>3}: median {row["median_ms"]:8.3f} ms, '
                      f'p99 {row["p99_ms"]:8.3f} ms, converged {row["converged"]:.1%}')
        return rows

    report: dict[str, Any] = {'machine': about, 'before': all_of('alone')}
    with inference(device, args.layers) as count:
        first, begun = count.value, time.monotonic()
        report['beside'] = all_of('beside')
        report['inferences_per_s'] = (count.value - first) / (time.monotonic() - begun)
    report['after'] = all_of('after')
    print(f'meanwhile {report["inferences_per_s"]:.1f} inferences/s; ratio beside : alone, median '
          'and p99')
    for name, row in report['beside'].items():
        alone = report['before'][name]
        print(f'  {name:<16}{row["median_ms"] / alone["median_ms"]:6.2f}'
              f'{row["p99_ms"] / alone["p99_ms"]:8.2f}')
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())

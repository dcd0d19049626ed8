"""How long OpenVLA-OFT takes for a chunk, against a plain eager forward of the same weights.

The baseline is an unmodified ``LlamaForCausalLM`` with the very same weights, given the same tokens
(embeddings of the same sequence) in the same run, turn by turn with ours. On the CPU the model is
tiny; with CUDA, or ``--size 7b``, it has the 7B model's sizes and random weights, and is also run
compiled and as a CUDA graph, quantized, and compared with what the hardware could do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

# NumPy's threads wait for work in a loop, and would take the cores from what is measured.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import numpy as np
import torch

from vla_ros import __version__
from vla_ros.core.types import Observation
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.full_size import full_size_config, write_sharded_checkpoint
from vla_ros.policy.openvla.parallel import Context, ParallelDecoder
from vla_ros.policy.openvla.prompt import EOS
from vla_ros.policy.openvla.stopwatch import Stopwatch
from vla_ros.policy.openvla.tiny import write_demo_checkpoint

TASK = 'pick up the insulator'
STATE = {'tool_pose': np.eye(4), 'gripper': np.array(0.03)}
_MIB = 1 << 20
_GIB = 1 << 30


def observations(cameras: tuple[str, ...], count: int = 8) -> list[Observation]:
    """Return random images of a camera's size."""
    random = np.random.default_rng(0)
    return [Observation(0, TASK, {name: random.integers(0, 255, (256, 256, 3), dtype=np.uint8)
                                  for name in cameras}, STATE) for _ in range(count)]


@dataclass(frozen=True)
class Inputs:
    """What enters the model for one observation, on its device."""

    pixels: torch.Tensor
    text: torch.Tensor
    proprio: torch.Tensor

    @classmethod
    def of(cls, policy: Any, observation: Observation) -> Inputs:
        """Prepare an observation as the policy does."""
        model = policy.parts.model
        ids = policy.parts.prompter.ids(observation.instruction)
        pixels = torch.from_numpy(policy.parts.images.pixel_values(observation))[None]
        text = model.embed_text(torch.tensor([[*ids, EOS]]))
        vector = policy.layout.proprio.normalise(policy.settings.proprio.vector(observation.state))
        proprio = torch.from_numpy(vector.astype(np.float32)).to(text)
        return cls(pixels.to(text.device, model.vision_backbone.featurizer.pos_embed.dtype), text,
                   proprio)


class Chunk:
    """The model from pixels and text to the normalised chunk: ours, and around a plain Llama."""

    def __init__(self, policy: Any) -> None:
        self.model = policy.parts.model
        # The stopwatch reads no GPU clock, which a graph could not take in.
        self.decoder = ParallelDecoder(self.model, policy.components, policy.layout.chunk,
                                       policy.action.size, Stopwatch(torch.device('cpu')))

    def sequence(self, inputs: Inputs) -> torch.Tensor:
        """Return the embeddings of the whole sequence."""
        token = self.decoder.components.proprio_projector(inputs.proprio)[None, None]
        return self.decoder.sequence(Context(inputs.text, self.model.embed_images(inputs.pixels),
                                             token))

    def ours(self, sequence: torch.Tensor) -> torch.Tensor:
        """Return the chunk as the policy computes it."""
        return self.decoder.components.action_head(self.decoder.hidden(sequence))

    def plain(self, sequence: torch.Tensor, positions: int = 0) -> torch.Tensor:
        """Return the chunk behind an unmodified eager forward; ``positions`` with logits, 0: all.

        Causal, as that is what it does; the numbers mean nothing, the work is the same.
        """
        output = self.model.language_model(inputs_embeds=sequence, use_cache=False,
                                           output_hidden_states=True, logits_to_keep=positions)
        states = output.hidden_states[-1]
        first = sequence.shape[1] - 2 - self.decoder.slots
        return self.decoder.components.action_head(states[:, first:first + self.decoder.slots])


class Timer:
    """Times functions turn by turn, so that a busy moment of the machine meets all of them."""

    def __init__(self, cuda: bool, repeats: int) -> None:
        self.cuda, self.repeats = cuda, repeats

    def once(self, function: Callable[[], Any]) -> float:
        """Return the milliseconds of one call."""
        if self.cuda:
            torch.cuda.synchronize()
        started = time.perf_counter()
        function()
        if self.cuda:
            torch.cuda.synchronize()
        return (time.perf_counter() - started) * 1e3

    def compare(self, functions: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
        """Return the milliseconds of each call, by name."""
        for function in functions.values():
            for _ in range(3):
                function()
        times: dict[str, list[float]] = {name: [] for name in functions}
        names = list(functions)
        for turn in range(self.repeats):
            # Each begins a turn as often as the others: what follows may find warmer caches.
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                times[name].append(self.once(functions[name]))
        return times


def peak_memory(function: Callable[[], Any], cuda: bool) -> int:
    """Return the bytes that a call needs beyond those in use before it."""
    if cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        return torch.cuda.max_memory_allocated() - before
    peak, done = [0], threading.Event()

    def own() -> int:
        text = Path('/proc/self/status').read_text()
        return int(text.partition('RssAnon:')[2].split()[0]) * 1024

    def watch() -> None:
        while not done.wait(0.0005):
            peak[0] = max(peak[0], own())

    before = own()
    thread = threading.Thread(target=watch)
    thread.start()
    for _ in range(5):
        function()
    done.set()
    thread.join()
    return max(peak[0] - before, 0)


def summary(times: list[float]) -> dict[str, float]:
    """Return median and best."""
    return {'median_ms': statistics.median(times), 'best_ms': min(times)}


def compare_with_plain(policy: Any, timer: Timer) -> dict:
    """Return the figures of ours and of the baselines: language model with head, whole chunk."""
    chunk = Chunk(policy)
    seen = observations(policy.spec.cameras)
    inputs = Inputs.of(policy, seen[0])
    with torch.inference_mode():
        sequence = chunk.sequence(inputs)

        def whole(language: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], Any]:
            def call() -> Any:
                fresh = Inputs.of(policy, seen[0])
                answer = language(chunk.sequence(fresh))
                return policy.action.unnormalise(answer[0].float().cpu().numpy())
            return call

        parts = {'plain': lambda: chunk.plain(sequence),
                 'plain, one logit': lambda: chunk.plain(sequence, 1),
                 'ours': lambda: chunk.ours(sequence)}
        times = timer.compare(parts)
        chunks = timer.compare({'plain': whole(chunk.plain),
                                'plain, one logit': whole(lambda s: chunk.plain(s, 1)),
                                'ours': lambda: policy.infer(seen[0])})
        memory = {name: peak_memory(call, timer.cuda) for name, call in parts.items()}
        stages = stage_times(policy, seen, timer.repeats)
    return {'positions': sequence.shape[1], 'stages_ms': stages,
            'rows': {name: {'language_and_head': summary(times[name]),
                            'chunk': summary(chunks[name]), 'extra_bytes': memory[name]}
                     for name in parts},
            'ratio_language': paired(times), 'ratio_chunk': paired(chunks)}


def paired(times: dict[str, list[float]]) -> dict[str, float]:
    """Return the median over the turns of baseline time by ours; above 1: ours is faster."""
    return {name: statistics.median(a / b for a, b in zip(times[name], times['ours'], strict=True))
            for name in times if name != 'ours'}


def stage_times(policy: Any, seen: list[Observation], repeats: int) -> dict[str, float]:
    """Return the median milliseconds of each stage of whole inferences."""
    found: dict[str, list[float]] = {}
    for i in range(repeats):
        policy.infer(seen[i % len(seen)])
        for name, ms in policy.timings.items():
            found.setdefault(name, []).append(ms)
    return {name: statistics.median(values) for name, values in found.items()}


def quantization_errors(path: str, device: str, kinds: list[str], exact: Any,
                        timer: Timer) -> dict:
    """Return, by kind, the largest error of each number against the policy ``exact``, and times."""
    seen = observations(exact.spec.cameras, 16)
    truth = np.stack([exact.infer(o).actions for o in seen])
    span = [high - low if scaled else None for low, high, scaled in
            zip(exact.action.low, exact.action.high, exact.action.mask, strict=True)]
    found: dict = {'dims': list(exact.spec.dims), 'range': span, 'kinds': {}}
    for kind in kinds:
        policy = load_policy('openvla_oft', model_path=path, device=device, quantization=kind,
                             dtype='float32')
        error = np.abs(np.stack([policy.infer(o).actions for o in seen]) - truth)
        found['kinds'][kind] = {'largest': error.max(axis=(0, 1)).tolist(),
                                'mean': error.mean(axis=(0, 1)).tolist(),
                                'stages_ms': stage_times(policy, seen, timer.repeats)}
    return found


# With CUDA, at full size

def limits(flop: float, weight_bytes: float) -> dict[str, float]:
    """Return what the device reaches in a copy and in a bfloat16 product, and what follows."""
    size = 8192
    a = torch.randn(size, size, device='cuda', dtype=torch.bfloat16)
    block = torch.empty(2 * _GIB, dtype=torch.uint8, device='cuda')
    target = torch.empty_like(block)
    timer = Timer(True, 10)
    times = timer.compare({'product': lambda: a @ a, 'copy': lambda: target.copy_(block)})
    rate = 2 * size ** 3 / (min(times['product']) * 1e-3)
    bandwidth = 2 * block.numel() / (min(times['copy']) * 1e-3)
    return {'matrix_flop_per_s': rate, 'bytes_per_s': bandwidth, 'flop': flop,
            'weight_bytes': weight_bytes, 'compute_ms': flop / rate * 1e3,
            'memory_ms': weight_bytes / bandwidth * 1e3}


def count_flop(chunk: Chunk, inputs: Inputs) -> float:
    """Return the floating-point operations of one chunk."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        chunk.ours(chunk.sequence(inputs))
    return float(counter.get_total_flops())


def as_graph(body: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """Return a call that replays one run of ``body``, captured with its inputs in place."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            body()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = body()

    def replay() -> torch.Tensor:
        graph.replay()
        return result

    return replay


def parts_of(chunk: Chunk, inputs: Inputs) -> dict[str, Callable[[], torch.Tensor]]:
    """Return the model as a whole and each of its stages, each with its inputs in place."""
    sequence = chunk.sequence(inputs)
    hidden = chunk.decoder.hidden(sequence)
    return {'model': lambda: chunk.ours(chunk.sequence(inputs)),
            'vision': lambda: chunk.model.embed_images(inputs.pixels),
            'language': lambda: chunk.decoder.hidden(sequence),
            'head': lambda: chunk.decoder.components.action_head(hidden)}


def time_modes(chunk: Chunk, inputs: Inputs, timer: Timer, found: dict) -> None:
    """Add the figures of each mode, for the model and its stages, and what is not possible."""
    parts = parts_of(chunk, inputs)
    modes: dict[str, dict[str, Callable[[], Any]]] = {'eager': parts}
    found['problems'] = {}
    if timer.cuda:
        for name, make in (('compiled', torch.compile), ('cuda graph', as_graph)):
            modes[name] = {}
            for part, body in parts.items():
                try:
                    modes[name][part] = call = make(body)
                    call()
                except Exception as error:  # noqa: BLE001, a mode that cannot be is a result
                    modes[name].pop(part, None)
                    found['problems'][f'{name}, {part}'] = ' '.join(
                        f'{type(error).__name__}: {error}'.split())[:200]
    expected = parts['model']().float()
    found['modes'] = {}
    for part in parts:
        times = timer.compare({name: calls[part] for name, calls in modes.items()
                               if part in calls})
        for name, taken in times.items():
            call = modes[name][part]
            if part == 'model':
                difference = float((call().float() - expected).abs().max())
                found['modes'][name] = {
                    **summary(taken), 'differs_by': difference, 'stages_ms': {},
                    'extra_bytes': peak_memory(call, timer.cuda)}
            elif name in found['modes']:
                found['modes'][name]['stages_ms'][part] = statistics.median(taken)


def full_size(path: Path, device: str, kinds: list[str], repeats: int) -> dict:
    """Return the figures of each quantization: eager, compiled, as a graph; stages; limits."""
    cuda = device.startswith('cuda')
    figures: dict = {}
    for kind in kinds:
        if cuda:
            torch.cuda.empty_cache()
        policy = load_policy('openvla_oft', model_path=path, device=device, quantization=kind,
                             dtype='bfloat16', check_weights=False)
        policy.warm_up()
        timer = Timer(cuda, repeats)
        chunk = Chunk(policy)
        inputs = Inputs.of(policy, observations(policy.spec.cameras, 1)[0])
        found = figures[kind] = compare_with_plain(policy, timer)
        found['weight_bytes'] = (policy.parts.model.get_memory_footprint()
                                 + sum(p.nbytes for p in
                                       policy.components.action_head.parameters()))
        with torch.inference_mode():
            time_modes(chunk, inputs, timer, found)
            if cuda:
                found['peak_cuda_bytes'] = torch.cuda.max_memory_allocated()
            if kind == 'none':
                figures['flop'] = count_flop(chunk, inputs)
            if cuda:
                found['limits'] = limits(figures.get('flop', 0.0), found['weight_bytes'])
        del policy, chunk, inputs
    return figures


# Tables

def print_comparison(found: dict, what: str) -> None:
    """Print the table of ours against the baselines."""
    print(f'\n{what}: {found["positions"]} positions')
    print(f'{"":<22}{"Llama + head ms":>17}{"best":>8}{"whole chunk ms":>17}{"best":>8}'
          f'{"more memory MiB":>18}')
    for name, row in found['rows'].items():
        language, chunk = row['language_and_head'], row['chunk']
        print(f'{name:<22}{language["median_ms"]:>17.2f}{language["best_ms"]:>8.2f}'
              f'{chunk["median_ms"]:>17.2f}{chunk["best_ms"]:>8.2f}'
              f'{row["extra_bytes"] / _MIB:>18.1f}')
    for name in found['ratio_chunk']:
        print(f'against {name!r}: Llama + head {found["ratio_language"][name]:.2f} times, whole '
              f'chunk {found["ratio_chunk"][name]:.2f} times as fast (median of pairs)')
    print('stages of ours: ' + ', '.join(f'{k} {v:.2f} ms' for k, v in
                                         found['stages_ms'].items()))


def print_errors(found: dict) -> None:
    """Print the table of quantization errors."""
    print('\nerror of the actions against float32, largest over 16 observations x 8 steps, in '
          'action units (random weights: far more sensitive than trained ones)')
    print(f'{"":<12}' + ''.join(f'{name:>10}' for name in found['dims']) + f'{"chunk ms":>10}')
    print(f'{"range":<12}' + ''.join('as it is'.rjust(10) if value is None else f'{value:>10.5f}'
                                     for value in found['range']))
    for kind, row in found['kinds'].items():
        print(f'{kind:<12}' + ''.join(f'{value:>10.6f}' for value in row['largest'])
              + f'{row["stages_ms"]["total"]:>10.1f}')
        print(f'{"  mean":<12}' + ''.join(f'{value:>10.6f}' for value in row['mean']))


def print_full(figures: dict) -> None:
    """Print the table of the full size."""
    for kind, found in figures.items():
        if kind == 'flop':
            continue
        print_comparison(found, f'{kind if kind != "none" else "bf16"}, full width, eager')
        eager = found['modes']['eager']['median_ms']
        for name, mode in found['modes'].items():
            print(f'  model {name:<12}{mode["median_ms"]:>9.2f} ms, best {mode["best_ms"]:.2f}; '
                  f'{eager / mode["median_ms"]:.2f} times as fast as eager; differs by '
                  f'{mode["differs_by"]:.1e}; '
                  + ', '.join(f'{stage} {ms:.2f} ms' for stage, ms in mode['stages_ms'].items()))
        for name, problem in found['problems'].items():
            print(f'  {name}: not possible: {problem}')
        print(f'  weights {found["weight_bytes"] / _GIB:.2f} GiB'
              + (f', peak {found["peak_cuda_bytes"] / _GIB:.2f} GiB'
                 if 'peak_cuda_bytes' in found else ''))
        if 'limits' in found:
            least = found['limits']
            floor = max(least['compute_ms'], least['memory_ms'])
            best = min(mode['median_ms'] for mode in found['modes'].values())
            print(f'  limits: weights once over {least["bytes_per_s"] / 1e12:.2f} TB/s = '
                  f'{least["memory_ms"]:.2f} ms; {least["flop"] / 1e12:.1f} TFLOP over '
                  f'{least["matrix_flop_per_s"] / 1e12:.0f} TFLOP/s (bf16, as measured) = '
                  f'{least["compute_ms"]:.2f} ms; the best mode takes {best / floor:.2f} times '
                  f'the larger')


def main() -> int:
    """Print the tables; exit 1 when ours is slower than the baseline, or a graph below 2x."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', choices=['auto', 'tiny', '7b'], default='auto',
                        help='auto: tiny, and 7b too where there is CUDA')
    parser.add_argument('--layers', type=int, default=32, help='of the language model in 7b')
    parser.add_argument('--quantization', nargs='*', default=['int8', 'nf4'],
                        choices=['int8', 'nf4'])
    parser.add_argument('--threads', type=int, default=1, help='of PyTorch on the CPU')
    parser.add_argument('--repeats', type=int, default=40)
    parser.add_argument('--dir', type=Path, metavar='DIR',
                        help='keep the 7b checkpoint there, or take it from there')
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cuda = torch.cuda.is_available()
    device = 'cuda' if cuda else 'cpu'
    where = torch.cuda.get_device_name() if cuda else 'no CUDA device'
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, {args.threads} threads, {where}, '
               f'torch {version("torch")}, transformers {version("transformers")}, '
               f'vla_ros {__version__}')
    print(machine)
    figures: dict = {'machine': machine}
    good = True
    folder = Path(tempfile.mkdtemp(prefix='openvla_latency_'))
    try:
        if args.size != '7b':
            good &= _tiny(args, folder, figures)
        if args.size == '7b' or (args.size == 'auto' and cuda):
            good &= _full(args, folder, device, figures)
        else:
            print('\nNo CUDA device here: eager, compiled and CUDA-graph runs at full 7B size were '
                  'not measured. On a machine with one this script does them by itself.'
                  if not cuda else '')
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1), encoding='utf-8')
    return 0 if good else 1


def _tiny(args: argparse.Namespace, folder: Path, figures: dict) -> bool:
    path = str(write_demo_checkpoint('openvla_oft', folder / 'tiny'))
    timer, good = Timer(False, args.repeats), True
    for dtype in ('float32', 'bfloat16'):
        policy = load_policy('openvla_oft', model_path=path, device='cpu', dtype=dtype)
        policy.warm_up()
        found = figures[f'tiny_{dtype}'] = compare_with_plain(policy, timer)
        print_comparison(found, f'tiny, CPU, {dtype}')
        ratios = (found['ratio_language']['plain'], found['ratio_chunk']['plain'])
        good &= min(ratios) >= 1.0
        if dtype == 'float32':
            exact = policy
    if args.quantization:
        figures['quantization'] = quantization_errors(path, 'cpu', args.quantization, exact, timer)
        print_errors(figures['quantization'])
    print('\nnever slower than the plain eager forward: ' + ('yes' if good else 'NO'))
    return good


def _full(args: argparse.Namespace, folder: Path, device: str, figures: dict) -> bool:
    path = args.dir or folder / '7b'
    if not (path / 'config.json').is_file():
        print('writing random weights ...', flush=True)
        write_sharded_checkpoint(path, full_size_config(args.layers))
    found = figures['7b'] = full_size(path, device, ['none', *args.quantization], args.repeats)
    print_full(found)
    modes = found['none']['modes']
    if device == 'cpu':
        return True
    gain = (modes['eager']['median_ms'] / modes['cuda graph']['median_ms']
            if 'cuda graph' in modes else 0.0)
    print(f'\nthe CUDA graph is {gain:.2f} times as fast as eager bf16 (2 wanted): '
          + ('yes' if gain >= 2.0 else 'NO'))
    return gain >= 2.0


if __name__ == '__main__':
    sys.exit(main())

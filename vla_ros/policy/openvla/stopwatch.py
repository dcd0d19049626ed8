"""How long each stage of an inference takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

STAGES = ('preprocess', 'vision', 'language', 'head')
"""Images and prompt; vision towers and projector; Llama decoder; action head and un-normalising."""


class Stopwatch:
    """Times the stages of one inference after the other.

    On a GPU the times are the GPU's own, between events in its queue: nothing waits for a stage.

    Parameters
    ----------
    device : torch.device
        Where the model computes.

    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == 'cuda'
        self._started = time.perf_counter()
        self._wall: dict[str, float] = {}
        self._events: list[tuple[str, Any, Any]] = []

    def start(self) -> None:
        """Begin an inference; forget the one before."""
        self._wall = {}
        self._events = []
        self._started = time.perf_counter()

    @contextmanager
    def stage(self, name: str, device: bool = True) -> Iterator[None]:
        """Time what is inside; a stage that comes again adds up. ``device``: it computes there."""
        if self._cuda and device:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            yield
            end.record()
            self._events.append((name, begin, end))
            return
        begun = time.perf_counter()
        yield
        self._wall[name] = self._wall.get(name, 0.0) + (time.perf_counter() - begun) * 1e3

    def stop(self) -> dict[str, float]:
        """Return the milliseconds of each stage and their ``total``, waiting included."""
        if self._events:
            self._events[-1][2].synchronize()
        total = (time.perf_counter() - self._started) * 1e3
        times = dict(self._wall)
        for name, begin, end in self._events:
            times[name] = times.get(name, 0.0) + begin.elapsed_time(end)
        return {**{name: times[name] for name in STAGES if name in times}, 'total': total}

"""Garbage is collected in the gaps only, and at last in any case."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from vla_ros.ros.idle_garbage import IdleGarbage

S = 1_000_000_000


class Cycle:
    """Only the collector can tell that it is not used."""

    def __init__(self) -> None:
        self.itself = self


def dropped_cycle() -> weakref.ref[Cycle]:
    return weakref.ref(Cycle())


class Clock:
    """Moves on by a set time at each collection."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.collection_ns = 0
        self.collections = 0

    def __call__(self) -> int:
        return self.now_ns

    def collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == 'stop' and info['generation'] == 2:
            self.now_ns += self.collection_ns
            self.collections += 1


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    gc.callbacks.append(clock.collected)
    yield clock
    gc.callbacks.remove(clock.collected)


@pytest.fixture
def garbage(clock: Clock) -> Iterator[IdleGarbage]:
    garbage = IdleGarbage(clock)
    garbage.take_over()
    clock.collections = 0
    yield garbage
    garbage.give_back()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_nothing_is_collected_until_there_is_a_gap(garbage: IdleGarbage, clock: Clock) -> None:
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 1000  # what exists already is not looked at again
    cycle = dropped_cycle()
    _ = [[] for _ in range(100_000)]  # more than enough for Python to collect by itself
    assert cycle() is not None
    clock.now_ns = S
    garbage.idle(5_000_000)
    assert cycle() is None
    assert garbage.late == 0


def test_once_a_second_is_enough(garbage: IdleGarbage, clock: Clock) -> None:
    for clock.now_ns in range(0, 3 * S + 1, S // 10):
        garbage.idle(5_000_000)
    assert clock.collections == 3


def test_a_gap_that_is_too_short_is_left_alone(garbage: IdleGarbage, clock: Clock) -> None:
    clock.collection_ns, clock.now_ns = 3_000_000, S
    garbage.idle(5_000_000)  # the first tells what it costs
    assert garbage.longest_ns == 3_000_000
    clock.now_ns += 2 * S
    garbage.idle(6_000_000)
    garbage.idle(-1)
    assert clock.collections == 1
    garbage.idle(6_000_001)
    assert (clock.collections, garbage.late) == (2, 0)


def test_memory_does_not_grow_for_ever(garbage: IdleGarbage, clock: Clock) -> None:
    clock.collection_ns, clock.now_ns = 3_000_000, S
    garbage.idle(5_000_000)
    started, cycle = clock.now_ns, dropped_cycle()
    while cycle() is not None:
        clock.now_ns += S // 2
        garbage.idle(1_000_000)
    assert 30 * S <= clock.now_ns - started <= 31 * S
    assert garbage.late == 1

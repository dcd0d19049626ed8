"""The physics thread: simulated time only goes forward, newest command wins, errors come out."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from vla_ros.ros.pacing import Schedule
from vla_ros.ros.sim_runner import Event, SimRunner

MS = 1_000_000


class FakeWorld:
    """Counts time and notes what it is told, with the thread that told it."""

    timestep_ns = 2 * MS

    def __init__(self):
        self.time_ns = 0
        self.calls = []
        self.threads = set()

    def step(self, n=1):
        self.threads.add(threading.get_ident())
        self.time_ns += n * self.timestep_ns
        if self.time_ns > 10**15:
            raise RuntimeError('diverged')

    def reset(self, seed):
        self.calls.append(('reset', seed))

    def command(self, q, width, force=None):
        self.calls.append(('command', q.tolist(), width))


class Watch:
    """Notes the times of an event and waits for a number of them."""

    def __init__(self):
        self.times = []
        self._changed = threading.Condition()

    def __call__(self, now_ns):
        with self._changed:
            self.times.append(now_ns)
            self._changed.notify_all()

    def wait(self, more):
        with self._changed:
            wanted = len(self.times) + more
            assert self._changed.wait_for(lambda: len(self.times) >= wanted, timeout=20)


@pytest.fixture
def running():
    """Return ``(runner, world, fast, slow, errors)``: 200 Hz and 30 Hz, as fast as possible."""
    world, fast, slow, errors = FakeWorld(), Watch(), Watch(), []
    runner = SimRunner(world, [Event(Schedule(200.0), fast), Event(Schedule(30.0), slow)],
                       lambda: 0.0, errors.append)
    runner.start()
    yield runner, world, fast, slow, errors
    runner.stop()
    assert not runner._thread.is_alive()


def test_events_keep_their_rates_in_simulated_time(running):
    _, _, fast, slow, _ = running
    slow.wait(60)
    times = slow.times[:60]
    assert max(abs(t - round(i * 1e9 / 30)) for i, t in enumerate(times)) <= 2 * MS
    assert np.all(np.diff(fast.times) > 0)
    assert all(abs(t - i * 5 * MS) <= 2 * MS for i, t in enumerate(fast.times[:300]))


def test_everything_touches_the_world_from_one_thread(running):
    runner, world, fast, _, _ = running
    runner.command(np.array([1.0, 2.0]), 0.03)
    fast.wait(3)
    assert world.calls == [('command', [1.0, 2.0], 0.03)]
    assert len(world.threads) == 1
    assert threading.get_ident() not in world.threads


@pytest.mark.parametrize(('after', 'calls'), [
    ([], [('reset', 7)]),
    ([np.array([2.0])], [('reset', 7), ('command', [2.0], 0.0)])])
def test_reset_forgets_the_command_before_it_and_keeps_the_one_after(after, calls):
    world, watch = FakeWorld(), Watch()
    runner = SimRunner(world, [Event(Schedule(200.0), watch)], lambda: 0.0, [].append)
    runner.command(np.array([1.0]), 0.0)
    assert not runner.reset(7, timeout_s=0.0)  # not running yet: all of them are waiting
    for q in after:
        runner.command(q, 0.0)
    runner.start()
    watch.wait(2)
    runner.stop()
    assert world.calls == calls


def test_reset_is_done_when_it_returns_and_time_goes_on(running):
    runner, world, fast, _, _ = running
    fast.wait(5)
    before = fast.times[-1]
    assert runner.reset(7)
    assert world.calls == [('reset', 7)]
    fast.wait(3)
    assert fast.times[-1] > before


def test_failing_physics_is_reported_and_reset_does_not_hang(running):
    runner, world, _, _, errors = running
    world.time_ns = 2 * 10**15
    runner._thread.join(timeout=20)
    assert [str(e) for e in errors] == ['diverged']
    assert not runner.reset(1, timeout_s=0.0)


def test_real_time_factor_is_measured():
    world, watch = FakeWorld(), Watch()
    runner = SimRunner(world, [Event(Schedule(200.0), watch)], lambda: 0.0, [].append)
    assert runner.real_time_factor() is None
    runner.start()
    watch.wait(50)
    assert runner.real_time_factor() > 0
    runner.stop()

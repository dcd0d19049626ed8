"""An arm that presses against something is noticed, told, and stopped where that is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from control_bench import MS, Bench

from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level
from vla_ros.core.errors import ConfigError
from vla_ros.core.safety.estop import SafetyState
from vla_ros.core.stall import Stall
from vla_ros.core.tick import Tick

LEAD = 'lead 0.060 > 0.05 m'
APART = 'nothing sent: commanded and measured joints are apart'


class Walled(Bench):
    """An arm that follows up to a wall."""

    wall = 0.04

    def __init__(self, **changes: object) -> None:
        super().__init__(follows=False, noise=1e-5, **changes)

    def work(self, ms: int) -> Tick:
        for _ in range(ms // 10):
            tick = self.run(10, chunks=len(self.ticks) % 10 == 0)
            if tick.q is not None:
                self.q = np.minimum(tick.q, [self.wall, 1.0, 1.0])
        return tick


def test_an_arm_that_follows_never_stalls() -> None:
    bench = Walled()
    bench.wall = np.inf
    for _ in range(20):
        bench.work(100)
        assert bench.pipeline.stall.seconds == 0.0
    assert bench.q[0] > 0.1


def test_an_arm_at_a_wall_stalls_for_as_long_as_it_is_told_to_go_on() -> None:
    bench = Walled()
    bench.work(4000)
    stall = bench.pipeline.stall
    assert 1.5 < stall.seconds < 4.0 and 'told to go on (lead 0.' in stall.text
    assert bench.ticks[-1].mode is Mode.AUTONOMOUS, 'by default it is told, and not stopped'
    assert bench.ticks[-1].q[0] <= bench.wall + 0.05 + 2e-5
    bench.wall = np.inf  # taken away
    bench.work(300)
    assert stall.seconds == 0.0


def test_it_is_stopped_after_the_time_that_is_set_and_presses_no_more() -> None:
    bench = Walled(stall_stop=1.0)
    bench.work(4000)
    last = bench.ticks[-1]
    assert (last.mode, last.level) == (Mode.STOPPED, Level.STOPPED)
    assert last.reason.startswith('the arm has stood still for 1.0 s, told to go on (lead ')
    stopped = [tick for tick in bench.ticks if tick.mode is Mode.STOPPED]
    since = next(tick for tick in bench.ticks if LEAD[:4] in ' '.join(tick.acted))
    assert (stopped[0].stamp_ns - since.stamp_ns) * 1e-9 == pytest.approx(1.5, abs=0.5)
    bench.pipeline.start(bench.now)
    assert bench.work(300).mode is Mode.AUTONOMOUS


def tick(ms: int, acted: tuple[str, ...] = (LEAD,), velocity: float | None = 0.0,
         mode: Mode = Mode.AUTONOMOUS) -> Tick:
    v = None if velocity is None else np.array([0.0, -velocity])
    return Tick(ms * MS, Level.RUNNING, mode, '', v, v, acted=acted, safety=SafetyState.ARMED)


@pytest.mark.parametrize('other', [
    tick(500, ()), tick(500, ('speed 0.3 > 0.25 m/s',)), tick(500, velocity=0.1),
    tick(500, mode=Mode.HOLD), tick(500, velocity=float('nan'))])
def test_motion_or_another_mode_ends_it(other: Tick) -> None:
    stall = Stall(1.0)
    stall.add(tick(0))
    stall.add(tick(400))
    assert stall.seconds == pytest.approx(0.4)
    assert not stall.add(other)
    assert stall.seconds == 0.0
    assert not stall.add(tick(1300)) and stall.seconds == 0.0


def test_a_tick_that_sends_nothing_goes_on_with_it_and_does_not_begin_it() -> None:
    stall = Stall(1.0)
    assert not stall.add(tick(0, (APART,), None)) and not stall.add(tick(900, (APART,), None))
    assert stall.seconds == 0.0
    stall.add(tick(1000))
    assert not stall.add(tick(1500, (APART,), None)) and stall.seconds == pytest.approx(0.5)
    assert stall.add(tick(2000)) and LEAD in stall.text


def test_a_human_who_presses_is_told_and_not_stopped() -> None:
    stall = Stall(1.0)
    assert not any(stall.add(tick(ms, mode=Mode.INTERVENTION)) for ms in range(0, 5000, 10))
    assert stall.seconds == pytest.approx(4.99)


def test_a_clock_that_goes_back_begins_anew() -> None:
    stall = Stall(1.0)
    stall.add(tick(5000))
    assert not stall.add(tick(10)) and stall.seconds == 0.0


@pytest.mark.parametrize('value', [-1.0, float('nan'), float('inf')])
def test_a_time_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match='stall_stop'):
        Walled(stall_stop=value)

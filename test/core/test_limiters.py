"""Every limiter that acts says so: in the tick, in the counts of /diagnostics, in provenance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from control_bench import LIMITS, TASK, Bench, Gantry

from vla_ros.core.foreseen import Foreseen
from vla_ros.core.kinematics import IkResult, IkStatus
from vla_ros.core.limits import KeepOut, SingularityLimits
from vla_ros.core.lookahead import Lookahead, LookaheadConfig, OnTrouble
from vla_ros.core.provenance import ProvenanceWriter, decode
from vla_ros.core.safety import (
    LIMITERS,
    JointGate,
    LimiterCounts,
    Proximity,
    SingularityGuard,
    ToolSpeed,
    limiter,
)
from vla_ros.core.types import ActionConvention

WIDE = replace(TASK, lower=[-3] * 3, upper=[3] * 3, max_speed=3.0, max_lead_position=3.0)


def gated(bench, **guards):
    bench.pipeline.gate = JointGate(LIMITS, 0.3, **guards)
    return bench


def pushed(bench, velocity=(0.2, 0.0, 0.0), ms=300, **options):
    for _ in range(ms // 50):
        bench.chunk(velocity, **options)
        bench.run(50)
    return bench


def speed():
    return pushed(Bench(), (0.6, 0, 0))


def rotation_speed():
    bench = Bench()
    bench.run(20)
    actions = np.zeros((8, 7))
    actions[:, 5] = 0.3
    bench.give(actions, 0, ActionConvention())
    bench.run(100)
    return bench


def not_finite():
    bench = Bench()
    bench.run(20)
    bench.chunk()
    bench.run(20)
    bench.gantry.R = np.full((3, 3), np.nan)
    bench.run(20)
    return bench


def at(q, **options):
    bench = Bench(**options)
    bench.q = np.array(q)
    bench.run(20)
    return bench


def keep_out():
    bench = Bench()
    box = KeepOut('post', [0.02, -1, -1], [0.2, 1, 1])
    bench.pipeline.follower.limits = replace(TASK, keep_out=(box,))
    return pushed(bench)


def lead():
    bench = Bench(follows=False)
    return pushed(bench, ms=600)


def ik():
    bench = pushed(Bench(), ms=50)
    bench.gantry.reachable = False
    return pushed(bench, ms=50)


class Jumps(Gantry):
    def solve(self, T_base_tool, seed, dt):
        return IkResult(seed + 0.5, True, 0.0, 0.0, 1.0, status=IkStatus.CONVERGED)


def refused():
    return pushed(Bench(gantry=Jumps()))


def velocity():
    bench = Bench()
    bench.pipeline.follower.limits = WIDE
    return pushed(bench, (0.9, 0, 0), ms=500)


def position_limit():
    bench = at([0.97, 0, 0])
    bench.pipeline.follower.limits = WIDE
    return pushed(bench, ms=600)


def tool_speed():
    slow = replace(TASK, max_speed=0.05)
    return pushed(gated(Bench(), tool_speed=ToolSpeed(lambda q: np.vstack([np.eye(3)] * 2), slow)))


def tool_rotation_speed():
    slow = replace(TASK, max_rotation_speed=0.05)
    return pushed(gated(Bench(), tool_speed=ToolSpeed(lambda q: np.vstack([np.eye(3)] * 2), slow)))


class Wall:
    def near(self, q):
        return [Proximity(0, ('hand', 'wall'), 0.12 - q[0], 0.1, 0.02, np.array([-1.0, 0, 0]))]

    def distances(self, q):
        return [(0, 0.12 - q[0])] if q[0] > 0.1 else []


class Nowhere:
    """Nothing is near, but one may rest nowhere: what a gradient does not foresee."""

    def near(self, q):
        return []

    def distances(self, q):
        return [(0, 0.0)] if q[0] > 0.01 else []


def clearance():
    return pushed(gated(Bench(), clearance=Wall()), ms=600)


def braking():
    return pushed(gated(Bench(), clearance=Nowhere()))


def singularity():
    guard = SingularityGuard(lambda q: np.vstack([np.eye(3), np.diag([1, 1, 1 - 8 * q[0]])]),
                             SingularityLimits(1.9, 0.1, 0.2))
    guard.jacobian = lambda q: np.diag([1, 1, 1, 1, 1, 1 - 8 * q[0]])
    return pushed(gated(Bench(), singularity=guard))


def acceleration():
    bench = pushed(Bench(), (0.25, 0, 0))
    return pushed(bench, (-0.25, 0, 0))


def nothing_sent():
    bench = pushed(Bench(), ms=50)
    bench.follows, bench.q = False, bench.q + 0.5
    bench.run(50)
    return bench


def gripper():
    bench = Bench()
    pushed(bench, gripper=0.0)
    return pushed(bench, gripper=0.55)  # nearer to open, but not open


class Ends(Gantry):
    """Reaches no further than 5 cm."""

    def solve_batch(self, T_base_tool, seed, dt):
        return [IkResult(T[:3, 3].copy(), T[0, 3] < 0.05, 0.0, 0.0, 1.0,
                         reason='' if T[0, 3] < 0.05 else 'out of reach') for T in T_base_tool]


def look_ahead():
    bench = Bench(gantry=Ends())
    bench.pipeline.foreseen = Foreseen(
        Lookahead(bench.gantry, LIMITS, LookaheadConfig(OnTrouble.SLOW, 2.0, 3)), 16)
    bench.run(20)
    bench.chunk((0.2, 0, 0))
    bench.run(10)
    assert bench.pipeline.look_ahead()
    bench.run(300)
    return bench


WALK = {'look-ahead': look_ahead, 'speed': speed, 'rotation speed': rotation_speed,
        'twist is not finite': not_finite, 'pose is not finite': not_finite,
        'workspace': lambda: pushed(at([0.88, 0, 0]), ms=600), 'keep-out': keep_out,
        'lead': lead, 'ik': ik, 'refused': refused, 'velocity': velocity, 'tool speed': tool_speed,
        'tool rotation speed': tool_rotation_speed, 'position limit': position_limit,
        'clearance': clearance, 'singularity': singularity, 'acceleration': acceleration,
        'braking': braking, 'nothing sent': nothing_sent, 'gripper': gripper}


def test_the_walk_visits_every_limiter():
    assert set(WALK) == set(LIMITERS)


@pytest.mark.parametrize('name', LIMITERS)
def test_a_limiter_that_acts_says_so_in_the_tick_the_counts_and_provenance(name):
    ticks = WALK[name]().ticks
    said = [text for tick in ticks for text in tick.acted if limiter(text) == name]
    assert said, {text for tick in ticks for text in tick.acted}

    counts = LimiterCounts()
    for tick in ticks:
        counts.add(tick.acted)
    assert counts[name] == sum(any(limiter(t) == name for t in tick.acted) for tick in ticks)
    assert set(counts) <= set(LIMITERS), 'and nobody else says anything'

    writer = ProvenanceWriter(LIMITS.names)
    for tick in ticks[-50:]:
        writer.add(tick)
    written = decode(writer.flush()).ticks
    assert [t.acted for t in written] == [tuple(t.acted) for t in ticks[-50:]]


def test_while_nothing_acts_nothing_is_said():
    bench = pushed(Bench(), (0.05, 0, 0), ms=1000)
    assert all(tick.acted == () for tick in bench.ticks[-30:])


@pytest.mark.parametrize(('text', 'name'), [
    ('tool speed 0.300 > 0.25 m/s', 'tool speed'), ('speed 0.300 > 0.25 m/s', 'speed'),
    ('tool rotation speed 2 > 1 rad/s', 'tool rotation speed'), ('ik: out of reach', 'ik'),
    ('gripper: dwell', 'gripper'), ('something: new', 'something')])
def test_a_limiter_is_known_by_what_it_says(text, name):
    assert limiter(text) == name


def test_a_tick_counts_once_for_each_limiter_however_much_it_says():
    counts = LimiterCounts()
    counts.add(('clearance a to b: 3 mm', 'clearance c to d: 4 mm', 'lead 0.1 > 0.05 m'))
    assert dict(counts) == {'clearance': 1, 'lead': 1}


def test_every_limiter_is_in_the_documentation(repo_root):
    text = (repo_root / 'docs' / 'safety.md').read_text(encoding='utf-8')
    rows = [line for line in text.splitlines() if line.startswith('| `')]
    assert [name for name in LIMITERS if not any(f'`{name}`' in row for row in rows)] == []

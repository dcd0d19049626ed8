"""What arrives when, under a disturbance; what does not arrive, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vla_ros.replay.closed_timing.disturbance import Disturbance
from vla_ros.replay.closed_timing.inputs import ChunkArrival, Inputs

DROPPED = 'dropped'
BUSY = 'passed over: the policy was busy'
AGAIN = 'the same observation again'


@dataclass(frozen=True, eq=False)
class Schedule:
    """The arrivals of a case.

    Attributes
    ----------
    chunks : tuple[ChunkArrival, ...]
        In the order of their arrivals.
    joint_arrivals_ns : tuple[int | None, ...]
        For each joint sample; None: it never arrives.
    lost : Mapping[str, int]
        Why chunks never arrive -> how many.
    joints_lost : int
        Joint states that never arrive.

    """

    chunks: tuple[ChunkArrival, ...]
    joint_arrivals_ns: tuple[int | None, ...]
    lost: Mapping[str, int]
    joints_lost: int


def schedule(inputs: Inputs, disturbance: Disturbance, seed: int,
             refused: Mapping[int, str] | None = None) -> Schedule:
    """Return the arrivals of a case.

    Parameters
    ----------
    inputs : Inputs
        As recorded.
    disturbance : Disturbance
        What is done to them.
    seed : int
        Of everything that is drawn. Latency, jitter, drops and joint states draw from streams of
        their own, so that one of them changed leaves the others as they are.
    refused : Mapping[int, str] | None
        Place in ``inputs.chunks`` -> why the ingest refused its observation.

    """
    lost: Counter[str] = Counter()
    chunks = _chunks(inputs, disturbance, seed, refused or {}, lost)
    joints, joints_lost = _joints(inputs, disturbance, seed)
    return Schedule(tuple(sorted(chunks, key=lambda c: (c.arrival_ns, c.stamp_ns))), joints,
                    dict(sorted(lost.items())), joints_lost)


def _chunks(inputs: Inputs, disturbance: Disturbance, seed: int, refused: Mapping[int, str],
            lost: Counter[str]) -> list[ChunkArrival]:
    latency, jitter, drop = (np.random.default_rng([seed, stream]) for stream in (1, 2, 3))
    found: list[ChunkArrival] = []
    busy_until = asked_ns = -1
    order = sorted(range(len(inputs.chunks)), key=lambda i: (
        inputs.chunks[i].stamp_ns if disturbance.latency else inputs.chunks[i].arrival_ns, i))
    for place in order:
        recorded = inputs.chunks[place]
        # Drawn for every chunk, so that the draws of one are not moved by the fate of another.
        values = disturbance.latency.values_s if disturbance.latency else (0.0,)
        drawn_s = values[int(latency.integers(len(values)))]
        late_ns = round(jitter.random() * disturbance.jitter_s * 1e9)
        dropped = drop.random() < disturbance.drop
        if recorded.chunk is None:
            found.append(recorded)
            continue
        if place in refused:
            lost[refused[place]] += 1
            continue
        arrival = recorded.arrival_ns + late_ns
        if disturbance.latency is not None:
            if recorded.stamp_ns == asked_ns:
                lost[AGAIN] += 1
                continue
            if recorded.stamp_ns < busy_until:
                lost[BUSY] += 1
                continue
            arrival = recorded.stamp_ns + round(drawn_s * 1e9) + late_ns
            busy_until, asked_ns = arrival, recorded.stamp_ns
        if dropped:
            lost[DROPPED] += 1
            continue
        found.append(ChunkArrival(recorded.stamp_ns, arrival, recorded.chunk))
    return found


def _joints(inputs: Inputs, disturbance: Disturbance,
            seed: int) -> tuple[tuple[int | None, ...], int]:
    rng = np.random.default_rng([seed, 4])
    first = inputs.joints[0].stamp_ns
    outage = disturbance.joint_outage
    out: list[int | None] = []
    newest = lost = 0
    for sample in inputs.joints:
        late = disturbance.joint_delay_s + rng.random() * disturbance.joint_jitter_s
        dropped = rng.random() < disturbance.joint_drop
        since = (sample.stamp_ns - first) * 1e-9
        if dropped or (outage is not None
                       and outage.start_s <= since < outage.start_s + outage.duration_s):
            out.append(None)
            lost += 1
            continue
        newest = max(newest, sample.arrival_ns + round(late * 1e9))  # a topic keeps its order
        out.append(newest)
    return tuple(out), lost

"""Slow and obvious: trajectories and their fusion with matrices, one chunk after another."""

import math
from dataclasses import dataclass

import numpy as np

from vla_ros.core import se3
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionChunk,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)

MS = 1_000_000
N = 4  # joints
JOINT_DIMS = tuple(f'joint{i + 1}' for i in range(N))
JOINT_SPACES = (ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA)


@dataclass(eq=False)
class Sent:
    """A chunk, what it was anchored at, and when it came."""

    chunk: ActionChunk
    T: np.ndarray
    q: np.ndarray
    arrival_ns: int

    def trajectory(self):
        return Steps.of(self.chunk, N).anchored(self.T, self.q, self.arrival_ns)


def random_pose(rng, spread=1.0):
    return se3.pose(se3.rotation_from_vector(rng.normal(scale=spread, size=3)),
                    rng.normal(scale=spread, size=3))


def make_chunk(rng, stamp_ms=0, steps=8, dt_ms=100, space=ActionSpace.EE_DELTA, scale=0.1,
               **convention):
    dims = JOINT_DIMS if space in JOINT_SPACES else EE_DIMS
    actions = rng.normal(scale=scale, size=(steps, len(dims) + 1))
    return ActionChunk(stamp_ms * MS, dt_ms * MS, actions, dims=(*dims, GRIPPER_DIM),
                       convention=ActionConvention(space=space, **convention))


def knots(sent):
    """Return the poses (4, 4), or the joints (n,), at the knots: written out step by step."""
    chunk, convention = sent.chunk, sent.chunk.convention
    if convention.space in JOINT_SPACES:
        out = [sent.q]
        for action in chunk.actions[:, :-1] * convention.rotation_scale:
            out.append(out[-1] + action if convention.space is ActionSpace.JOINT_DELTA else action)
        return out
    out = [sent.T]
    for action in chunk.actions:
        d, r = action[:3] * convention.translation_scale, action[3:6] * convention.rotation_scale
        R = (se3.rotation_from_rpy(*r) if convention.rotation is Rotation.RPY
             else se3.rotation_from_vector(r))
        tool, delta = convention.frame is ActionFrame.TOOL, convention.space is ActionSpace.EE_DELTA
        if delta and tool:
            out.append(out[-1] @ se3.pose(R, d))
        elif delta:
            out.append(se3.pose(R @ out[-1][:3, :3], out[-1][:3, 3] + d))
        else:
            out.append(sent.T @ se3.pose(R, d) if tool else se3.pose(R, d))
    return out


def at(sent, t_ns):
    """Return the pose, or the joints, of one chunk at a time: the formula as it is written."""
    k, points = knots(sent), None
    x = (t_ns - sent.chunk.stamp_ns) / sent.chunk.dt_ns
    i = math.floor(x + 0.5)
    u = x + 0.5 - i
    i, last = min(i, len(k) - 1), len(k) - 1
    a, b = (1 - u) ** 2 / 2, u ** 2 / 2

    def blend(x, before, after):
        return x + a * (before - x) + b * (after - x)

    if k[0].ndim == 1:
        points = k
    else:
        points = [T[:3, 3] for T in k]
    before = points[i - 1] if i > 0 else 2 * points[0] - points[1]
    after = points[i + 1] if i < last else 2 * points[-1] - points[-2]
    p = blend(points[i], before, after)
    if k[0].ndim == 1:
        return p
    R = k[i][:3, :3]
    to_after = se3.vector_from_rotation(R.T @ k[i + 1][:3, :3]) if i < last else None
    to_before = se3.vector_from_rotation(R.T @ k[i - 1][:3, :3]) if i > 0 else -to_after
    if to_after is None:
        to_after = -to_before
    return se3.pose(R @ se3.rotation_from_vector(a * to_before + b * to_after), p)


def velocity(sent, t_ns, h_ns=500):
    """Return the twist (6,) in base axes, or the joint velocity, as a difference quotient."""
    early, late = at(sent, t_ns - h_ns), at(sent, t_ns + h_ns)
    seconds = 2 * h_ns * 1e-9
    if early.ndim == 1:
        return (late - early) / seconds
    turn = se3.vector_from_rotation(late[:3, :3] @ early[:3, :3].T)
    return np.concatenate([late[:3, 3] - early[:3, 3], turn]) / seconds


def rotation_mean(rotations, weights):
    """Return the Karcher mean by plain iteration until nothing moves."""
    M = rotations[int(np.argmax(weights))]
    for _ in range(10_000):
        step = sum(w * se3.vector_from_rotation(M.T @ R) for w, R in zip(weights, rotations))
        M = M @ se3.rotation_from_vector(step)
        if np.linalg.norm(step) < 1e-12:
            return M
    raise AssertionError('the mean was not found')


class Oracle:
    """The weights of each mode, by what the mode promises; it sees every tick, as the fusion."""

    def __init__(self, config):
        self.config = config
        self.adopted, self.adopted_at = None, 0  # receding
        self.through_at = {}  # crossfade

    def weights(self, live, now):
        """Return the weights of the live ones."""
        raw = getattr(self, self.config.mode.value)(live, now)
        if not any(raw):
            return self.latest(live, now)
        return [w / sum(raw) for w in raw]

    def ensemble(self, live, now):
        stamps = [s.chunk.stamp_ns for s in live]
        oldest = self.config.ensemble_direction == 'oldest'
        ages = [(s - min(stamps)) if oldest else (max(stamps) - s) for s in stamps]
        return [math.exp(-self.config.ensemble_coefficient * age / live[-1].chunk.dt_ns)
                for age in ages]

    def latest(self, live, now):
        return [1.0 if s is live[-1] else 0.0 for s in live]

    def fade(self, live, now):
        ranked = live if self.config.ensemble_direction == 'oldest' else live[::-1]
        return [math.exp(-self.config.ensemble_coefficient * ranked.index(s))
                * min(1.0, (s.chunk.end_ns - now) * 1e-9 / self.config.fade_horizon_s)
                for s in live]

    def crossfade(self, live, now):
        out = []
        for i, new in enumerate(live):
            begin = max(new.arrival_ns, new.chunk.stamp_ns)
            if new not in self.through_at:
                before = [s for s in live[:i] if s.chunk.end_ns > begin]
                self.through_at[new] = begin if not before else min(
                    begin + self.config.crossfade_s * 1e9, before[-1].chunk.end_ns)
            if now >= self.through_at[new] or i == 0:
                share = 1.0
            else:
                share = max(0.0, (now - begin) / max(self.through_at[new] - begin, 1))
            out = [w * (1.0 - share) for w in out] + [share]
        return out

    def blend(self, live, now):
        out = []
        for s in live:
            known = (now - max(s.arrival_ns, s.chunk.stamp_ns)) * 1e-9
            left = (s.chunk.end_ns - now) * 1e-9
            out.append(min(max(known / self.config.crossfade_s, 0.0), 1.0)
                       * min(left / self.config.fade_horizon_s, 1.0))
        return out

    def receding(self, live, now):
        done = 0
        if self.adopted is not None:
            dt, stamp = self.adopted.chunk.dt_ns, self.adopted.chunk.stamp_ns
            done = (now - stamp) // dt - (self.adopted_at - stamp) // dt
        if self.adopted not in live or (
                done >= self.config.receding_steps and self.adopted is not live[-1]):
            self.adopted, self.adopted_at = live[-1], now
        return [1.0 if s is self.adopted else 0.0 for s in live]


def fused(live, weights, t_ns):
    """Return (pose, twist) or (joints, velocity): the weighted means."""
    places, speeds = [at(s, t_ns) for s in live], [velocity(s, t_ns) for s in live]
    speed = sum(w * v for w, v in zip(weights, speeds))
    if places[0].ndim == 1:
        return sum(w * p for w, p in zip(weights, places)), speed
    p = sum(w * T[:3, 3] for w, T in zip(weights, places))
    return se3.pose(rotation_mean([T[:3, :3] for T in places], weights), p), speed

"""An independent judge of the control side: every command against every limit, reckoned anew."""

from __future__ import annotations

from collections import Counter

import numpy as np

from vla_ros.core.pipeline import Tick
from vla_ros.core.se3 import rotation_angle
from vla_ros.ik.arm_model import ArmModel
from vla_ros.ik.collision import PinocchioClearance
from vla_ros.ik.collision_config import load_collision_config
from vla_ros.robots import RobotProfile

TOUCH = 2e-4  # m; what a straight line of joints differs from the way of a link in one tick
BEYOND = 1e-3  # m past a face of the workspace: half a millimetre, and the same again
SPEED = 1.05  # of the tool's speed: one tick's change of the Jacobian
HOLD_SPEED = 0.2  # rad/s; an arm that holds goes to its measured joints no faster
REST = 1e-6  # rad/s
NOISE = 1e-5  # rad; an encoder's, several times over
KEPT = 12  # examples


class Watch:
    """Checks every command against the profile's bounds, with kinematics and distances of its own.

    Where an arm was put outside of a bound, no command may take it further out.

    Attributes
    ----------
    commands, moving : int
        How many commands were checked, and how many of them moved the arm.
    outside : Counter[str]
        How many were outside which bound.
    examples : list[str]
        The first few of them.
    closest : float
        Smallest clearance over its bound of an arm that nobody had put nearer [m].
    fastest : float
        Largest speed of the tool, of what it may have.

    """

    def __init__(self, profile: RobotProfile, period: float = 0.01) -> None:
        self.profile = profile
        self.period = period
        self.arm = ArmModel(profile)
        self.clearance = PinocchioClearance(
            profile, profile.clearance, profile.task_space.keep_out,
            load_collision_config(profile.collision))
        self.commands = self.moving = 0
        self.outside: Counter[str] = Counter()
        self.examples: list[str] = []
        self.fastest = 0.0
        self.closest = np.inf
        self._last: tuple[int, np.ndarray, np.ndarray] | None = None  # time, q, velocity
        self._silent = False  # whether nothing was sent since
        self._seen = 0.0, np.inf  # the tool's speed and the least clearance of one command

    @property
    def last_q(self) -> np.ndarray | None:
        """The joints of the last command (n,) [rad]."""
        return None if self._last is None else self._last[1]

    def forget(self) -> None:
        """Expect the next command to begin anew (the world that was commanded is gone)."""
        self._last = None

    def check(self, tick: Tick, measured: np.ndarray) -> None:
        """Check what a tick has decided; ``measured`` (n,) [rad] is the newest joint state."""
        q, velocity = tick.q, tick.velocity
        if q is None or velocity is None:
            self._silent = True
            return
        self.commands += 1
        problems = self._problems(tick, q, velocity, measured)
        self.fastest = max(self.fastest, self._seen[0])
        self.closest = min(self.closest, self._seen[1])
        for problem in problems:
            self.outside[problem.split(':', 1)[0]] += 1
            if len(self.examples) < KEPT:
                self.examples.append(f'command {self.commands} ({tick.mode.value}): {problem}')
        self._last = tick.stamp_ns, q.copy(), velocity.copy()
        self._silent = False

    def _problems(self, tick: Tick, q: np.ndarray, velocity: np.ndarray,
                  measured: np.ndarray) -> list[str]:
        n = len(self.profile.joints.names)
        if q.shape != (n,) or velocity.shape != (n,) or not (
                np.isfinite(q).all() and np.isfinite(velocity).all()):
            return [f'finite: {q} {velocity}']
        self.moving += bool((np.abs(velocity) > REST).any())
        dt, v_before = self._since(tick.stamp_ns)
        if self._last is None:
            return self._step(tick, q, velocity, measured, v_before, dt, NOISE)
        found = self._step(tick, q, velocity, self._last[1], v_before, dt)
        if found and not (np.abs(v_before) > REST).any():
            # From the measured joints it may begin, at rest, where that is no lie: after a command
            # at rest, or when nothing was sent meanwhile. Somebody may have moved the arm. A moving
            # arm is not at rest where it is measured. (An encoder has noise: the joint state that
            # it begins from may be the one before this one.)
            return self._step(tick, q, velocity, measured, v_before, dt, NOISE) and found
        return found

    def _since(self, now_ns: int) -> tuple[float, np.ndarray]:
        """Return the time that a command had [s], and the velocity from which it goes on."""
        rest = np.zeros(len(self.profile.joints.names))
        if self._last is None:
            return self.period, rest
        then, _, velocity = self._last
        dt = (now_ns - then) * 1e-9
        if self._silent or dt > 5.0 * self.period:
            return self.period, rest  # an arm that is told nothing has stopped
        return (dt if 0.1 * self.period <= dt else self.period), velocity

    def _step(self, tick: Tick, q: np.ndarray, velocity: np.ndarray, before: np.ndarray,
              v_before: np.ndarray, dt: float, noise: float = 1e-9) -> list[str]:
        """Return what is wrong with a command after joints (n,) [rad] and their velocity."""
        joints, found = self.profile.joints, []
        if not (np.abs(velocity) <= joints.velocity + 1e-9).all():
            found.append(f'velocity: {velocity}')
        if not (np.abs(velocity - v_before) <= joints.acceleration * dt + 1e-6).all():
            found.append(f'acceleration: {(velocity - v_before) / dt}')
        if not (np.abs(q - before) <= joints.velocity * dt + 1e-9).all():
            found.append(f'step: {q - before}')
        low, high = joints.lower + joints.margin, joints.upper - joints.margin
        out, was_out = (np.maximum(np.maximum(low - p, p - high), 0.0) for p in (q, before))
        if not (out <= was_out + noise).all():
            found.append(f'position: {out}')
        found += self._tool(q, before, dt)
        found += self._near(q, before)
        found += self._gripper(tick)
        return found + self._stopping(tick, np.abs(velocity).max(), np.abs(v_before).max())

    def _tool(self, q: np.ndarray, before: np.ndarray, dt: float) -> list[str]:
        task, found = self.profile.task_space, []
        T, T_before = self.arm.forward(q), self.arm.forward(before)
        p, p_before = T[:3, 3], T_before[:3, 3]
        low, high = task.workspace.lower, task.workspace.upper
        out, was_out = (np.maximum(np.maximum(low - x, x - high), 0.0) for x in (p, p_before))
        if not (out <= np.maximum(BEYOND, was_out + 1e-4)).all():
            found.append(f'workspace: {1e3 * out} mm')
        for box in task.keep_out:
            deep, was_deep = (float(np.minimum(x - box.lower, box.upper - x).min())
                              for x in (p, p_before))
            if not deep <= max(BEYOND, was_deep + 1e-4):
                found.append(f'keep-out: {box.name} {1e3 * deep:.2f} mm')
        speed = float(np.linalg.norm(p - p_before)) / dt
        turn = rotation_angle(T[:3, :3], T_before[:3, :3]) / dt
        self._seen = max(speed / task.max_speed, turn / task.max_rotation_speed), np.inf
        if not speed <= SPEED * task.max_speed + 1e-6:
            found.append(f'tool speed: {speed:.3f} m/s')
        if not turn <= SPEED * task.max_rotation_speed + 1e-6:
            found.append(f'tool rotation speed: {turn:.3f} rad/s')
        return found

    def _near(self, q: np.ndarray, before: np.ndarray) -> list[str]:
        now = self.clearance.near(q)
        if not now:
            return []
        was = {p.pair: p.distance for p in self.clearance.near(before)}
        found = []
        for p in now:
            allowed = p.stop - TOUCH
            if was.get(p.pair, p.slow) >= allowed:
                self._seen = self._seen[0], min(self._seen[1], p.distance - p.stop)
            elif p.distance >= was[p.pair] - TOUCH:
                continue
            if not p.distance >= allowed:
                found.append(f'clearance: {" ".join(p.names)} {1e3 * p.distance:.2f} mm, was '
                             f'{1e3 * was.get(p.pair, p.slow):.2f} mm')
        return found

    def _gripper(self, tick: Tick) -> list[str]:
        width, effort, gripper = tick.gripper, tick.effort, self.profile.gripper
        if width is not None and not gripper.closed <= width <= gripper.open:
            return [f'gripper: {width}']
        if effort is not None and not 0.0 <= effort < np.inf:
            return [f'effort: {effort}']
        return []

    def _stopping(self, tick: Tick, speed: float, was: float) -> list[str]:
        """Return whether an arm that shall not move speeds up; ``speed``, ``was`` [rad/s]."""
        if tick.safety.value == 'DISARMED':
            allowed = was
        elif tick.safety.value == 'ESTOPPED' or tick.mode.value in ('HOLD', 'STOPPED'):
            allowed = max(was, HOLD_SPEED)
        else:
            return []
        if speed <= allowed + REST:
            return []
        return [f'speeding up: {tick.safety.value} {tick.mode.value}, {was:.4f} to {speed:.4f} '
                'rad/s']

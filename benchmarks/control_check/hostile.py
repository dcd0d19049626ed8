"""Hostile inputs for the control side, drawn at random: whatever may come in, and worse.

Chunks with NaN, infinity, huge numbers, wrong sizes, wrong frames, jumps; stale, early, reordered;
aimed out of the workspace, through the arm's own base, into the table. Joint states that are not
finite, of the wrong size, old, frozen, or of an arm that somebody has moved to a random posture,
limits and collisions not excepted. Humans who take over from one another, push the tool about, lead
it by another arm, ask for impossible things and let go at any moment. Clocks that stand still, jump
forth and back. Stops, faults and policies that come and go. In between the arm is given what it can
do, so that it is moving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from control_check.chunks import AIMS, MS, WRONG, bad_chunk, joint_chunk, tool_chunk
from control_check.watch import Watch
from vla_ros.assembly import build_pipeline
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.safety import LimiterCounts
from vla_ros.core.types import ActionChunk
from vla_ros.robots import load_profile
from vla_ros.ros.pipeline_config import guards, pipeline_config

try:
    from control_check import messages
except ImportError:  # without ROS
    messages = None  # type: ignore[assignment]

PERIOD = 10 * MS
SOURCES = ('panel', 'joystick', 'leader', 'topic')


class Fuzz:
    """An arm, a clock and a control side, at the mercy of a random generator."""

    def __init__(self, robot: str, seed: int) -> None:
        self.profile = load_profile(robot)
        self.rng = np.random.default_rng(seed)
        self.pipeline = build_pipeline(
            self.profile, pipeline_config(), 'pinocchio', guards=guards({'auto_arm': True}))
        self.watch = Watch(self.profile)
        self.now = 10**12
        self.q = np.array(self.profile.joints.home)  # where the arm is
        self.width = self.profile.gripper.open
        self.silent_ticks = 0
        self.frozen = False
        self.inputs: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # inputs, by kind
        self.raised: list[str] = []
        self.acted = LimiterCounts()
        self._kind = ''  # of the input that is being thrown
        self._old: list[ActionChunk] = []
        self._hand: tuple[int, Callable[[], object]] = 0, lambda: None  # ticks, what it does
        self._kinds: list[tuple[Callable[[], object], float]] = [
            (self.chunk, 10.0), (self.bad_chunk, 4.0), (self.old_chunk, 1.0), (self.joints, 3.0),
            (self.hand, 4.0), (self.grip, 2.0), (self.clock, 1.0), (self.life, 2.0),
            *([(self.message, 1.0)] if messages else [])]

    def run(self, inputs: int) -> None:
        """Throw this many inputs, with one to six ticks after each."""
        weights = np.array([weight for _, weight in self._kinds])
        choices = self.rng.choice(len(self._kinds), size=inputs, p=weights / weights.sum())
        for choice in choices:
            self._throw(self._kinds[choice][0])
            for _ in range(self.rng.integers(1, 7)):
                self.tick()

    def _throw(self, action: Callable[[], object]) -> None:
        """Do it; an answer in words, or an error that is meant for the sender, is a refusal."""
        self._kind = ''
        try:
            refused = bool(action())
        except (InputError, ConfigError):
            refused = True
        except Exception as error:  # noqa: BLE001 -- what is looked for
            self.raised.append(f'{type(error).__name__}: {error}')
            return
        if refused and self._kind:
            self.refused[self._kind] += 1

    def _note(self, kind: str) -> None:
        self._kind = kind
        self.inputs[kind] += 1

    def tick(self) -> None:
        """Let the arm report, the pipeline decide, and the arm follow with a lag."""
        if self.silent_ticks > 0:
            self.silent_ticks -= 1
        else:
            noise = 0.0 if self.frozen else 1e-6 * self.rng.normal(size=len(self.q))
            self._throw(lambda: self.pipeline.add_joint_state(self.now, self.q + noise,
                                                              self.width))
        ticks, hand = self._hand
        if ticks > 0:
            self._hand = ticks - 1, hand
            self._throw(hand)
        measured = self.pipeline.measured
        try:
            tick = self.pipeline.step(self.now)
            self.pipeline.look_ahead()
        except Exception as error:  # noqa: BLE001 -- what is looked for
            self.raised.append(f'step: {type(error).__name__}: {error}')
            self.now += PERIOD
            return
        self.watch.check(tick, self.q if measured is None else measured)
        self.acted.add(tick.acted)
        if tick.q is not None and not self.frozen:
            self.q = self.q + 0.5 * (tick.q - self.q)
            if tick.gripper is not None:
                self.width += 0.1 * (tick.gripper - self.width)
        self.now += PERIOD

    # Chunks

    def chunk(self) -> bool:
        """A chunk that can be followed, toward something that may not."""
        rng = self.rng
        aim = str(rng.choice(AIMS))
        self._note(f'chunk: {aim}')
        steps, dt = int(rng.integers(2, 17)), int(rng.choice([20, 50, 100, 200])) * MS
        stamp = self.now - int(rng.integers(0, 150)) * MS
        if aim == 'fold' or rng.random() < 0.25:
            chunk = joint_chunk(aim, self.q, self.profile, rng, steps, dt, stamp)
        else:
            chunk = tool_chunk(aim, self.pipeline.kinematics.forward(self.q), self.profile, rng,
                               steps, dt, stamp)
        self._old = [*self._old[-20:], chunk]
        return self._add(chunk)

    def bad_chunk(self) -> bool:
        """A chunk that is wrong in itself, or a good one at a wrong time."""
        kind = str(self.rng.choice(WRONG))
        self._note(f'bad chunk: {kind}')
        return self._add(bad_chunk(kind, self.now, self.rng))

    def old_chunk(self) -> bool:
        """A chunk once more, or after one that was computed later."""
        self._note('old chunk')
        return bool(self._old) and self._add(self._old[self.rng.integers(len(self._old))])

    def message(self) -> bool:
        """A chunk's message that is wrong."""
        kind = str(self.rng.choice(messages.KINDS))
        self._note(f'message: {kind}')
        return self._add(messages.wrong_message(kind, self.now, self.profile, self.rng))

    def _add(self, chunk: ActionChunk) -> bool:
        return self.pipeline.add_chunk(chunk, self.now) not in ('accepted', 'replaced')

    # Humans

    def hand(self) -> str:
        """A human who wants the arm, moves it or lets it go."""
        kind = str(self.rng.choice(
            ['twist', 'fast twist', 'bad twist', 'leader', 'far leader', 'bad leader', 'takeover',
             'hold', 'release', 'alive', 'stranger'],
            p=[.2, .1, .1, .2, .05, .05, .05, .05, .14, .03, .03]))
        self._note(f'hand: {kind}')
        arm, rng, n = self.pipeline.overrides.arm, self.rng, len(self.q)
        source = 'stranger' if kind == 'stranger' else str(rng.choice(SOURCES))
        if kind in ('takeover', 'hold', 'release'):
            return str(getattr(arm, kind)(self.now, source))
        if kind == 'alive':
            return self.pipeline.overrides.alive(self.now, source)
        if kind in ('twist', 'fast twist', 'stranger'):
            size = [0.2] * 3 + [0.8] * 3 if kind == 'twist' else [30.0] * 6
            twist, in_tool = rng.normal(size=6) * size, bool(rng.integers(2))
            return self._go_on(lambda: arm.twist(self.now, source, twist, in_tool))
        if kind == 'bad twist':
            twist = rng.normal(size=[(6,), (5,), (3, 2)][rng.integers(3)])
            twist.flat[0] = rng.choice([np.nan, np.inf, -1e300, 101.0])
            return arm.twist(self.now, source, twist, False)
        if kind == 'bad leader':
            q = rng.normal(size=[(n,), (n - 1,), (1, n)][rng.integers(3)])
            q.flat[-1] = rng.choice([np.nan, -np.inf, 1e9])
            return arm.joints(self.now, source, q, q)
        q, velocity = self.q.copy(), rng.normal(size=n) * (0.5 if kind == 'leader' else 20.0)
        if kind == 'far leader':
            q += rng.normal(size=n) * 2.0

        def lead() -> str:
            q[:] += 1e-9 * PERIOD * velocity
            return arm.joints(self.now, source, q, velocity)
        return self._go_on(lead)

    def _go_on(self, act: Callable[[], str]) -> str:
        """Do it now and at every tick of a while."""
        self._hand = int(self.rng.integers(0, 40)), act
        return act()

    def grip(self) -> str:
        """A human who wants the gripper, or lets it go."""
        kind = str(self.rng.choice(['word', 'width', 'bad width', 'bad word', 'bad mode', 'release',
                                    'stranger']))
        self._note(f'grip: {kind}')
        rng, gripper = self.rng, self.pipeline.overrides.gripper
        source = 'stranger' if kind == 'stranger' else str(rng.choice(SOURCES))
        mode = ('forever' if kind == 'bad mode'
                else str(rng.choice(['momentary', 'latched', 'until_agree'])))
        if kind == 'release':
            return gripper.release(self.now, source)
        target: float | str = str(rng.choice(['open', 'close']))
        if kind == 'width':
            target = float(rng.uniform(self.profile.gripper.closed, self.profile.gripper.open))
        elif kind == 'bad width':
            target = float(rng.choice([np.nan, np.inf, -0.01, 1e300, self.profile.gripper.open
                                       + 1e-3]))
        elif kind == 'bad word':
            target = 'CLOSE'
        return gripper.command(self.now, source, target, mode)

    # Everything else

    def joints(self) -> None:
        """Joint states that are wrong, missing, or of an arm that was moved."""
        kind = str(self.rng.choice(['nan', 'inf', 'size', 'huge', 'old', 'future', 'silent',
                                    'frozen', 'nudged', 'moved', 'width']))
        self._note(f'joints: {kind}')
        q, stamp, width = self.q.copy(), self.now, self.width
        n, rng = len(q), self.rng
        if kind in ('nan', 'inf'):
            q[rng.integers(n)] = np.nan if kind == 'nan' else np.inf
        elif kind == 'size':
            q = rng.normal(size=[(0,), (n - 1,), (n + 1,), (1, n)][rng.integers(4)])
        elif kind == 'huge':
            q = q * 10.0 ** rng.integers(2, 300)
        elif kind in ('old', 'future'):
            stamp += int(rng.integers(1, 5000)) * (MS if kind == 'future' else -MS)
            q = q + rng.normal(size=n) * 0.1
        elif kind == 'silent':
            self.silent_ticks = int(rng.integers(2, 60))
            return
        elif kind == 'frozen':
            self.frozen = not self.frozen
            return
        elif kind == 'nudged':
            self.q = q = q + rng.normal(size=n) * 0.05
        elif kind == 'moved':
            joints = self.profile.joints
            room = 0.1 * (joints.upper - joints.lower)
            self.q = q = (np.array(joints.home) if rng.random() < 0.7
                          else rng.uniform(joints.lower - room, joints.upper + room))
        else:
            width = float(rng.choice([np.nan, -1.0, 1e9]))
        self.pipeline.add_joint_state(stamp, q, width)

    def clock(self) -> None:
        """A clock that stands still, or jumps."""
        kind = str(self.rng.choice(['repeat', 'gap', 'pause', 'back', 'long ago']))
        self._note(f'clock: {kind}')
        milliseconds = {'repeat': -10, 'gap': self.rng.integers(11, 45), 'pause': 3000,
                        'back': -self.rng.integers(11, 450), 'long ago': -60_000}[kind]
        self.now += int(milliseconds) * MS
        if kind == 'long ago':
            self.watch.forget()

    def life(self) -> None:
        """Stops, faults and policies that come and go; more often than not they end again."""
        pipeline, now = self.pipeline, self.now
        kind = str(self.rng.choice(['stop', 'start', 'gone', 'alive', 'new policy', 'withdraw',
                                    'estop', 'reset', 'arm', 'fault', 'disarm'],
                                   p=[.04, .16, .04, .16, .04, .04, .04, .18, .18, .06, .06]))
        self._note(f'life: {kind}')
        if kind == 'stop':
            pipeline.stop('fuzz')
        elif kind == 'start':
            pipeline.start(now)
        elif kind in ('gone', 'alive'):
            pipeline.set_policy_alive(kind == 'alive')
        elif kind == 'new policy':
            pipeline.policy_started(now)
        elif kind == 'withdraw':
            pipeline.withdraw(now, 'fuzz')
        elif kind == 'estop':
            pipeline.interlock.estop('fuzz')
        elif kind == 'reset':
            pipeline.interlock.reset('fuzz')
            pipeline.arm(now)
        elif kind == 'arm':
            pipeline.arm(now)
        elif kind == 'fault':
            pipeline.fault(now, 'fuzz')
        else:
            pipeline.interlock.disarm('fuzz')

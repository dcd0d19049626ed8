"""A simulated arm at work, which is disturbed every few seconds in a way that a lab would know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from vla_ros.core.types import Observation
from vla_ros.lockstep import Lockstep

S = 1_000_000_000  # ns


class Disturbed(Lockstep):
    """Lockstep with disturbances, drawn by a seed.

    ``bump`` the measured joints are pushed off by up to 0.03 rad and swing back; ``chunks lost``,
    ``chunks late``; ``states lost``, ``states late``; ``camera stall`` the policy sees the same
    observation for a while; ``loop stall`` no tick for up to 0.15 s; ``pause`` stop and start;
    ``gripper`` a human opens or closes it for a moment; ``takeover`` a human pushes the tool about
    and hands back; ``estop`` reset and armed again, at times while it still brakes; ``disarm`` and
    armed again in the same way; ``policy gone`` and back.

    Attributes
    ----------
    happened : Counter[str]
        How often each disturbance came.
    over_ns : int
        When the last one was, or will be, over [ns].

    """

    def __init__(self, *args: Any, seed: int, every: tuple[float, float] = (2.0, 9.0),
                 **options: Any) -> None:
        super().__init__(*args, **options)
        self.rng = np.random.default_rng(seed)
        self.happened: Counter[str] = Counter()
        self.over_ns = 0
        self._every = every
        self._next_ns = self._later(*every)
        self._bump = np.zeros_like(self.world.joint_position)
        self._until: dict[str, int] = {}  # what goes on, and until when
        self._each: Callable[[int], object] = lambda now_ns: None  # tick of a human's hand
        self._after: Callable[[int], object] = lambda now_ns: None  # it is over
        self._states: list[tuple[int, np.ndarray, float]] = []
        self._seen: Observation | None = None
        self._kinds: dict[str, Callable[[], None]] = {
            'bump': self._push, 'gripper': self._grip, 'takeover': self._take_over,
            'pause': self._pause, 'estop': self._estop, 'disarm': self._disarm,
            'policy gone': self._lose_policy, 'loop stall': self._stall,
            **{name: lambda name=name, longest=longest: self._go_on(name, 0.1, longest)
               for name, longest in (('chunks lost', 1.5), ('chunks late', 2.0),
                                     ('states lost', 0.6), ('states late', 1.0),
                                     ('camera stall', 1.5))}}

    def _later(self, least: float, most: float) -> int:
        return self.world.time_ns + round(self.rng.uniform(least, most) * S)

    def _goes_on(self, name: str, now_ns: int) -> bool:
        return now_ns < self._until.get(name, 0)

    def _go_on(self, name: str, least: float, most: float,
               each: Callable[[int], object] | None = None,
               after: Callable[[int], object] | None = None) -> None:
        self._until = {name: self._later(least, most)}
        self._each, self._after = each or (lambda now_ns: None), after or (lambda now_ns: None)
        self.over_ns = self._until[name]

    # What comes in

    def report(self, now_ns: int) -> None:
        """Disturb, and tell the pipeline where the arm is measured, perhaps."""
        if self._until and now_ns >= self.over_ns:
            self._until = {}
            self._after(now_ns)
        if not self._until and now_ns >= self._next_ns:
            kind = str(self.rng.choice(list(self._kinds)))
            self.happened[kind] += 1
            self._kinds[kind]()
            self._next_ns = self.over_ns + self._later(*self._every) - self.world.time_ns
        if self._until:
            self._each(now_ns)
        self._bump *= 0.9
        q = self.world.joint_position + self._bump
        self._states = [*self._states[-9:], (now_ns, q, self.world.gripper_width)]
        if self._goes_on('states lost', now_ns):
            return
        late = 8 if self._goes_on('states late', now_ns) else 1
        self.pipeline.add_joint_state(*self._states[-min(late, len(self._states))])

    def observe(self, task: str) -> Observation:
        """Return what the policy sees: what it saw before, while the cameras stall."""
        seen = self._seen
        if (seen is None or seen.instruction != task
                or not self._goes_on('camera stall', self.world.time_ns)):
            self._seen = seen = super().observe(task)
        return seen

    def deliver(self, now_ns: int) -> None:
        """Give the pipeline the chunks that are not lost on the way or late."""
        if self._goes_on('chunks lost', now_ns):
            self._pending.clear()
        late = 0.4 * S if self._goes_on('chunks late', now_ns) else 0.0
        while self._pending and self._pending[0][0] + late <= now_ns:
            self.pipeline.add_chunk(self._pending.pop(0)[1], now_ns)

    # What happens

    def _push(self) -> None:
        self._bump = self.rng.uniform(-0.03, 0.03, size=self._bump.shape)
        self._go_on('bump', 0.5, 0.5)

    def _grip(self) -> None:
        word = str(self.rng.choice(['open', 'close']))
        gripper = self.pipeline.overrides.gripper
        self._go_on('gripper', 0.2, 1.5,
                    lambda now_ns: gripper.command(now_ns, 'panel', word, 'momentary'),
                    lambda now_ns: gripper.release(now_ns, 'panel'))

    def _take_over(self) -> None:
        twist = self.rng.normal(size=6) * ([0.15] * 3 + [0.6] * 3)
        arm, in_tool = self.pipeline.overrides.arm, bool(self.rng.integers(2))
        self._go_on('takeover', 0.3, 2.0, lambda now_ns: arm.twist(now_ns, 'panel', twist, in_tool),
                    lambda now_ns: arm.release(now_ns, 'panel'))

    def _pause(self) -> None:
        self.pipeline.stop('a human pauses')
        self._go_on('pause', 0.05, 2.0, after=self.pipeline.start)

    def _estop(self) -> None:
        self.pipeline.interlock.estop('button')

        def again(now_ns: int) -> None:
            self.pipeline.interlock.reset('button')
            self.pipeline.arm(now_ns)
        self._go_on('estop', 0.03, 2.0, after=again)

    def _disarm(self) -> None:
        self.pipeline.interlock.disarm('a human disarms')
        self._go_on('disarm', 0.03, 2.0, after=self.pipeline.arm)

    def _lose_policy(self) -> None:
        self.pipeline.set_policy_alive(False)
        self._go_on('policy gone', 0.02, 1.0,
                    after=lambda now_ns: self.pipeline.set_policy_alive(True))

    def _stall(self) -> None:
        self.world.step(self._steps * int(self.rng.integers(2, 15)))
        self._go_on('loop stall', 0.0, 0.0)

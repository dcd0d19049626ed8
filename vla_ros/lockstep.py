"""A simulated task without ROS: simulation, policy and pipeline in lockstep, faster than real time.

The same policy and the same :class:`~vla_ros.core.pipeline.Pipeline` as in the live nodes, on
simulated time, with a given inference latency. The same seed gives the same run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vla_ros.core.kinematics import Kinematics
from vla_ros.core.pipeline import Pipeline, Tick
from vla_ros.core.safety import LimiterCounts
from vla_ros.core.types import ActionChunk, Observation
from vla_ros.policy import Policy
from vla_ros.sim.tasks import TaskMonitor, TaskState
from vla_ros.sim.world import SimWorld


@dataclass
class Outcome:
    """How a task ended.

    Attributes
    ----------
    task : str
        The instruction.
    success : bool
        Whether it was done in time.
    duration : float
        Simulated time it took [s].
    detail : str
        What the task's monitor said last.
    acted : Counter[str]
        In how many ticks each limiter acted.

    """

    task: str
    success: bool
    duration: float
    detail: str
    acted: Counter[str] = field(default_factory=Counter)


class Lockstep:
    """Runs tasks in a world.

    Parameters
    ----------
    world : SimWorld
        Without cameras: the policy must need none of their pixels. They are given as black images.
    policy : Policy
        Asked every ``inference_period`` s; its answer arrives ``latency`` s later.
    pipeline : Pipeline
        The control side; its period must be a multiple of the world's time step.
    kinematics : Kinematics
        For the tool pose in the observation.
    latency, inference_period : float
        [s].
    on_tick : Callable[[Tick], None] | None
        Called with every control tick.

    """

    def __init__(self, world: SimWorld, policy: Policy, pipeline: Pipeline,
                 kinematics: Kinematics, latency: float = 0.05, inference_period: float = 0.1,
                 on_tick: Callable[[Tick], None] | None = None) -> None:
        self.world = world
        self.policy = policy
        self.pipeline = pipeline
        self.kinematics = kinematics
        self.on_tick = on_tick
        self._latency_ns = round(latency * 1e9)
        self._inference_ns = round(inference_period * 1e9)
        self._steps = max(1, round(pipeline.config.period * 1e9 / world.timestep_ns))
        self._pending: list[tuple[int, ActionChunk]] = []
        self._next_inference_ns = world.time_ns
        self._black = np.zeros((8, 8, 3), dtype=np.uint8)

    def run(self, task: str, timeout: float) -> Outcome:
        """Do one task from where the world is; ``timeout`` in simulated seconds."""
        monitor = TaskMonitor(task)
        started = self.world.time_ns
        acted = LimiterCounts()
        state: TaskState | None = None
        while (elapsed := (self.world.time_ns - started) * 1e-9) < timeout:
            tick = self.tick(task)
            acted.add(tick.acted)
            state = monitor.update(self.world.time_ns, self.world.frames(),
                                   self.world.gripper_width)
            if state.success:
                return Outcome(task, True, elapsed, state.detail, acted)
        return Outcome(task, False, timeout, state.detail if state else 'not begun', acted)

    def tick(self, task: str) -> Tick:
        """Run one control tick and let the world follow it."""
        now = self.world.time_ns
        self.report(now)
        self.ask(task, now)
        self.deliver(now)
        tick = self.pipeline.step(now)
        self.pipeline.look_ahead()
        if self.on_tick is not None:
            self.on_tick(tick)
        if tick.q is not None:
            gripper = self.world.gripper_width if tick.gripper is None else tick.gripper
            self.world.command(tick.q, gripper)
        self.world.step(self._steps)
        return tick

    def report(self, now_ns: int) -> None:
        """Tell the pipeline where the arm is measured."""
        self.pipeline.add_joint_state(now_ns, self.world.joint_position, self.world.gripper_width)

    def ask(self, task: str, now_ns: int) -> None:
        """Have the policy infer when it is time to; its answer is on its way then."""
        if now_ns >= self._next_inference_ns:
            self._next_inference_ns = now_ns + self._inference_ns
            self._pending.append((now_ns + self._latency_ns, self.policy.infer(self.observe(task))))

    def deliver(self, now_ns: int) -> None:
        """Give the pipeline the answers that have arrived by now."""
        while self._pending and self._pending[0][0] <= now_ns:
            self.pipeline.add_chunk(self._pending.pop(0)[1], now_ns)

    def observe(self, task: str) -> Observation:
        """Return what the policy would see now."""
        q = self.world.joint_position
        state = {'joint_position': q, 'gripper': np.float64(self.world.gripper_width),
                 'tool_pose': self.kinematics.forward(q)}
        state.update({f'object/{name}': T for name, T in self.world.frames().items()})
        return Observation(self.world.time_ns, task,
                           dict.fromkeys(self.policy.spec.cameras, self._black), state)

"""The way of one action, from chunks and joint states to a joint command, on one page.

The live node, the simulator and the replay of a recording all call :meth:`Pipeline.step`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.arbiter import Arbiter, Event, Mode
from vla_ros.core.chunk_buffer import ChunkBuffer
from vla_ros.core.ensembler import Ensembler, Motion, check_supported
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.hold import Hold
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.safety import JointGate, limit_pose, limit_twist
from vla_ros.core.se3 import moved
from vla_ros.core.types import ActionChunk, ActionFrame

Array = NDArray[np.float64]

_CLOCK_JUMP = 0.5  # s; a clock set back by less (NTP) is no other world


@dataclass(frozen=True)
class PipelineConfig:
    """What can be set; the defaults are in ``config/nodes/control_node.yaml``, nowhere else.

    Times in seconds, ``max_joint_step`` and ``max_joint_lead`` in rad, ``period`` is the nominal
    time between two ticks.
    """

    period: float
    joint_state_timeout: float
    chunk_timeout: float
    ensemble_coefficient: float
    max_joint_step: float
    max_joint_lead: float

    def __post_init__(self) -> None:
        for name in ('period', 'joint_state_timeout', 'chunk_timeout', 'max_joint_step',
                     'max_joint_lead'):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ConfigError(f'{name} must be positive, found {getattr(self, name)}')


@dataclass(frozen=True, eq=False)
class Tick:
    """What one control tick decided.

    Attributes
    ----------
    stamp_ns : int
        Time of the tick [ns].
    mode, reason : Mode, str
        Who moves the arm and why.
    q, velocity : np.ndarray | None
        (n,) joint positions [rad] and velocities [rad/s] to command; None: send nothing.
    gripper : float | None
        Opening width to command [m]; None when the gripper's state was never seen.
    acted : tuple[str, ...]
        What the limiters changed, in words.
    chunk_stamps_ns, weights : tuple
        The chunks behind the motion and their weights.

    """

    stamp_ns: int
    mode: Mode
    reason: str
    q: Array | None = None
    velocity: Array | None = None
    gripper: float | None = None
    acted: tuple[str, ...] = ()
    chunk_stamps_ns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


class Pipeline:
    """The control side, without a clock, a thread or a message.

    Not thread-safe: whoever feeds it from another thread than the one that steps it takes a lock.

    Parameters
    ----------
    kinematics : Kinematics
        Of the arm and the tool frame that the actions speak of.
    joints, task_space, gripper :
        The arm's bounds.
    config : PipelineConfig
        Everything else.

    """

    def __init__(
        self, kinematics: Kinematics, joints: JointLimits, task_space: TaskSpaceLimits,
        gripper: GripperRange, config: PipelineConfig,
    ) -> None:
        self.kinematics = kinematics
        self.task_space = task_space
        self.gripper_range = gripper
        self.config = config
        self.chunks = ChunkBuffer()
        self.ensembler = Ensembler(config.ensemble_coefficient)
        self.arbiter = Arbiter()
        self.gate = JointGate(joints, config.max_joint_step)
        self._hold = Hold()
        self._n = joints.n
        self._measured: Array | None = None
        self._measured_ns = 0
        self._chunk_arrival_ns: int | None = None
        self._policy_gone = False
        self._q: Array | None = None  # last command
        self._velocity = np.zeros(joints.n)
        self._gripper: float | None = None
        self._now_ns: int | None = None
        self._apart_s = 0.0
        self._silent = False  # whether the joint states were stale at the last tick

    # Inputs

    def add_joint_state(self, stamp_ns: int, q: Array, gripper_width: float | None) -> None:
        """Take in measured joints (n,) [rad] and opening width [m] (None: not reported).

        Raises
        ------
        InputError
            When the joints are not n finite numbers; nothing changes then.

        """
        q = np.asarray(q, dtype=np.float64)
        if q.shape != (self._n,) or not np.isfinite(q).all():
            raise InputError(f'joint state: expected {self._n} finite positions, found {q}')
        if gripper_width is not None and not np.isfinite(gripper_width):
            raise InputError(f'joint state: gripper width is {gripper_width}')
        self._measured, self._measured_ns = q, stamp_ns
        if self._gripper is None and gripper_width is not None:
            self._gripper = float(np.clip(gripper_width, self.gripper_range.closed,
                                          self.gripper_range.open))

    def add_chunk(self, chunk: ActionChunk, now_ns: int) -> str:
        """Take in a chunk that arrived now; return what became of it (see ChunkBuffer.counts).

        Raises
        ------
        ConfigError
            When its action space or dimensions cannot be executed.

        """
        check_supported(chunk)
        verdict = self.chunks.add(chunk, now_ns)
        if verdict in ('accepted', 'replaced'):
            self._chunk_arrival_ns = now_ns
        return verdict

    def policy_started(self, now_ns: int) -> None:
        """Tell that a policy has announced itself: what another one before it said is dropped."""
        self.chunks.clear(now_ns)
        self._policy_gone = False

    def set_policy_alive(self, alive: bool) -> None:
        """Tell whether the policy's process is heard of.

        Without it the arm brakes and holds. What it has said is kept: on a busy machine a process
        that lives may not be heard of for a moment, and then it goes on where it was.
        """
        self._policy_gone = not alive

    def stop(self, reason: str) -> None:
        """Brake and hold until :meth:`start`."""
        self.arbiter.handle(Event.STOP, reason)

    def start(self, now_ns: int) -> None:
        """Leave STOPPED; what was predicted while stopped is dropped."""
        if self.arbiter.mode is Mode.STOPPED:
            self.chunks.clear(now_ns)
            self.arbiter.handle(Event.START, 'started')

    @property
    def at_rest(self) -> bool:
        """Whether the last command had no velocity (or nothing was ever commanded)."""
        return bool((np.abs(self._velocity) < 1e-6).all())

    # The tick

    def step(self, now_ns: int) -> Tick:
        """Decide the command for this moment [ns]."""
        dt = self._advance(now_ns)
        problem = self._problem(now_ns)
        motion = None if problem else self.ensembler.motion(self.chunks.due(now_ns), now_ns)
        if motion is None:
            self.arbiter.handle(Event.NOT_READY, problem or 'action_chunk: no step is due')
        else:
            self.arbiter.handle(Event.READY, '')
        mode, reason = self.arbiter.mode, self.arbiter.reason

        measured = self._measured
        if measured is None:
            return Tick(now_ns, mode, reason)
        if self._q is None:
            self._rest_at(measured)
        self._catch_up(measured, now_ns)
        if self._lost(measured, dt):
            return Tick(now_ns, mode, reason,
                        acted=('nothing sent: commanded and measured joints are apart',))
        assert self._q is not None
        if mode is Mode.AUTONOMOUS and motion is not None:
            self._hold.reset()
            goal, acted = self._follow(motion, measured, dt)
        else:
            motion = None
            goal, acted = self._hold_goal(measured, now_ns, dt), ()

        gated = self.gate(goal, self._q, self._velocity, dt)
        self._q, self._velocity = gated.q, gated.velocity
        return Tick(now_ns, mode, reason, gated.q, gated.velocity, self._gripper,
                    acted + gated.acted, motion.stamps_ns if motion else (),
                    motion.weights if motion else ())

    def _advance(self, now_ns: int) -> float:
        """Return the time since the last tick [s], bounded; notice a clock that jumped."""
        period = self.config.period
        last, self._now_ns = self._now_ns, now_ns
        if last is None:
            return period
        dt = (now_ns - last) * 1e-9
        if dt < -_CLOCK_JUMP:
            # A restarted simulation or bag: what is known is of a world that is gone. Nothing is
            # sent until its joints are heard of.
            self.chunks.clear(now_ns)
            self._measured = self._q = self._chunk_arrival_ns = None
            self._velocity = np.zeros(self._n)
            self._hold.reset()
        if not 0.1 * period <= dt <= 5.0 * period:
            # Nothing was sent for a while (or the clock stood still): the arm is at rest at the
            # last command, and one tick is all that may be made up for.
            if dt > 5.0 * period:
                self._velocity = np.zeros(self._n)
            return period
        return dt

    def _problem(self, now_ns: int) -> str:
        """Return why the arm cannot follow the policy now; empty when it can."""
        if self._measured is None:
            return 'joint_states: none received yet'
        if not self._joints_fresh(now_ns):
            return f'joint_states: older than {self.config.joint_state_timeout:g} s'
        if self._policy_gone:
            return 'policy process is gone'
        if self._chunk_arrival_ns is None:
            return 'action_chunk: none received yet'
        silence = (now_ns - self._chunk_arrival_ns) * 1e-9
        if not silence <= self.config.chunk_timeout:
            return f'action_chunk: none for {self.config.chunk_timeout:g} s'
        return ''

    def _joints_fresh(self, now_ns: int) -> bool:
        return (now_ns - self._measured_ns) * 1e-9 <= self.config.joint_state_timeout

    def _hold_goal(self, measured: Array, now_ns: int, dt: float) -> Array:
        assert self._q is not None
        if not self._joints_fresh(now_ns):
            # Where the arm is now is not known; the last command is the nearest thing to it.
            return self._q
        return self._hold.goal(self._q, self._velocity, measured, dt)

    def _follow(self, motion: Motion, measured: Array, dt: float) -> tuple[Array, tuple[str, ...]]:
        """Return the joint goal (n,) [rad] of this tick for a motion, and what acted."""
        assert self._q is not None
        if motion.open_fraction is not None:
            self._gripper = self.gripper_range.width(motion.open_fraction)
        twist, slowed = limit_twist(motion.twist, self.task_space)
        # The commanded pose is that of the last command, not a sum of its own: what the gate took
        # away is not made up for later.
        T_base_commanded = self.kinematics.forward(self._q)
        T_base_goal = moved(T_base_commanded, twist, dt, motion.frame is ActionFrame.TOOL)
        T_base_goal, bounded = limit_pose(T_base_goal, T_base_commanded,
                                          self.kinematics.forward(measured), self.task_space)
        result = self.kinematics.solve(T_base_goal, self._q, dt)
        acted = slowed + bounded
        if not result.converged:
            return self._q, (*acted, f'ik: {result.reason}')
        return result.q, acted

    def _lost(self, measured: Array, dt: float) -> bool:
        """Return whether the arm is so far from the last command that nothing may be sent.

        A driver that restarts, a reset simulation or a wrong message puts the measured joints far
        from the commanded ones. A command would then be a jump. Nothing is sent; when the
        difference stays, the measured joints are where the arm really is, and it goes on from
        there, at rest.
        """
        assert self._q is not None
        if (np.abs(measured - self._q) <= self.config.max_joint_lead).all():
            self._apart_s = 0.0
            return False
        self._apart_s += dt
        if self._apart_s >= 0.1:
            self._rest_at(measured)
            if self._now_ns is not None:
                self.chunks.clear(self._now_ns)
            self._apart_s = 0.0
        return True

    def _catch_up(self, measured: Array, now_ns: int) -> None:
        """Begin from the measured joints when they are heard of again and the command is at rest.

        Somebody may have moved the arm meanwhile; it must not be pulled back.
        """
        silent, self._silent = self._silent, not self._joints_fresh(now_ns)
        if silent and not self._silent and self.at_rest:
            self._rest_at(measured)

    def _rest_at(self, measured: Array) -> None:
        self._q = measured.copy()
        self._velocity = np.zeros(self._n)
        self._hold.reset()

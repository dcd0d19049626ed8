"""The way of one action, from chunks and joint states to a joint command, on one page.

The live node, the simulator and the replay of a recording all call :meth:`Pipeline.step`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.arbiter import MODES, Mode
from vla_ros.core.chunk_buffer import ChunkBuffer
from vla_ros.core.commanded import Commanded
from vla_ros.core.degradation import Event, Ladder, Level
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.follow import Follower, distance
from vla_ros.core.foreseen import Foreseen
from vla_ros.core.frozen import FrozenDetector
from vla_ros.core.fusion import Fusion, Target
from vla_ros.core.gripper import GripperChannel
from vla_ros.core.gripper_settle import GripperSettle
from vla_ros.core.history import JointHistory
from vla_ros.core.hold import Hold
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.lookahead import Lookahead
from vla_ros.core.override import Overrides
from vla_ros.core.override_arm import ArmDecision, ArmState
from vla_ros.core.pipeline_config import DeltaAnchor, PipelineConfig
from vla_ros.core.safety import JointGate
from vla_ros.core.safety.estop import Interlock, Permission, SafetyState, Verdict
from vla_ros.core.trajectory import Steps, Trajectory
from vla_ros.core.types import ActionChunk, ActionSpace

Array = NDArray[np.float64]

_CLOCK_JUMP = 0.5  # s; a clock set back by less (NTP) is no other world
_HISTORY = 10.0  # s; an observation that is older anchors its chunk at the oldest joints known
_MOTION = 0.02  # rad/s; a command slower than this may not show in an encoder
_JOINT_SPACES = (ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA)


@dataclass(frozen=True, eq=False)
class Tick:
    """What one control tick decided.

    Attributes
    ----------
    stamp_ns : int
        Time of the tick [ns].
    level, mode, reason : Level, Mode, str
        The rung of the degradation ladder, who moves the arm, and why.
    q, velocity : np.ndarray | None
        (n,) joint positions [rad] and velocities [rad/s] to command; None: send nothing.
    gripper, effort : float | None
        Opening width [m] and largest force [N] to command; None when the gripper's state was never
        seen.
    acted : tuple[str, ...]
        What the limiters changed, in words.
    chunk_stamps_ns, weights : tuple
        The chunks behind the motion, by the time of their observation, and their weights.
    playhead_ns : int
        The time in the chunks that was followed [ns]; behind ``stamp_ns`` when slowed down.
    speed : float
        Part of the full speed at which the chunks were followed, 0 to 1.
    joint_state_stamp_ns : int | None
        Time of the newest joint state [ns].
    safety : SafetyState
        Whether the arm is armed.
    send : bool
        Whether the command goes to the driver; False in a dry-run.
    intervention : str
        What humans override at this tick, in words; empty: nothing.

    """

    stamp_ns: int
    level: Level
    mode: Mode
    reason: str
    q: Array | None = None
    velocity: Array | None = None
    gripper: float | None = None
    effort: float | None = None
    acted: tuple[str, ...] = ()
    chunk_stamps_ns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    playhead_ns: int = 0
    speed: float = 0.0
    joint_state_stamp_ns: int | None = None
    safety: SafetyState = SafetyState.ARMED
    send: bool = True
    intervention: str = ''


class Pipeline:
    """The control side, without a clock, a thread or a message.

    Not thread-safe, :meth:`prepare` excepted: whoever feeds it from another thread than the one
    that steps it takes a lock.

    Parameters
    ----------
    kinematics : Kinematics
        Of the arm and the tool frame that the actions speak of.
    joints, task_space, gripper :
        The arm's bounds.
    config : PipelineConfig
        Everything else.
    gate : JointGate | None
        The last check; None: one without clearance and singularities.
    interlock : Interlock | None
        Emergency stop and arming; None: armed for good.
    lookahead : Lookahead | None
        Judges chunks before they run; None: nothing does.

    """

    def __init__(
        self, kinematics: Kinematics, joints: JointLimits, task_space: TaskSpaceLimits,
        gripper: GripperRange, config: PipelineConfig, gate: JointGate | None = None,
        interlock: Interlock | None = None, lookahead: Lookahead | None = None,
    ) -> None:
        self.kinematics = kinematics
        self.config = config
        self.joints = joints
        self.chunks = ChunkBuffer()
        self.fusion = Fusion(config.fusion)
        self.gripper = GripperChannel(config.gripper, gripper)
        # What the policy alone would have the gripper do. The arm waits for that: an override of
        # the gripper must not touch the arm.
        self._own_gripper = GripperChannel(config.gripper, gripper)
        self.overrides = Overrides(config.overrides, gripper, joints.n)
        self.settle = GripperSettle(config.gripper_settle)
        self.ladder = Ladder(config.ladder)
        self.follower = Follower(kinematics, task_space, config.fade)
        self.gate = gate or JointGate(joints, config.max_joint_step)
        self.interlock = interlock or Interlock(armed=True)
        self.foreseen = Foreseen(lookahead, config.lookahead_steps)
        self._hold = Hold()
        self._commanded = Commanded(joints.n, config.max_joint_lead)
        samples = max(2, round(_HISTORY / config.period))
        self._was_commanded = JointHistory(joints.n, samples)
        self._was_measured = JointHistory(joints.n, samples)
        self._frozen = FrozenDetector(round(config.frozen_after * 1e9))
        self._measured: Array | None = None
        self._measured_ns = 0
        self._arrival_ns: int | None = None  # of the newest chunk
        self.arm_problem = ''  # why the arm's driver cannot be commanded now
        self._policy_gone = False
        self._withdrawn = ''
        self._now_ns: int | None = None
        self._playhead_ns = 0
        self._moving_s = 0.0  # since motion began
        self._mode = Mode.HOLD
        self._intervention = ''
        self._verdict: Verdict = self.interlock.verdict(0)
        self._overrides_stopped = False
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
        if q.shape != (self.joints.n,) or not np.isfinite(q).all():
            raise InputError(f'joint state: expected {self.joints.n} finite positions, found {q}')
        if gripper_width is not None and not np.isfinite(gripper_width):
            raise InputError(f'joint state: gripper width is {gripper_width}')
        self._measured, self._measured_ns = q, stamp_ns
        self.overrides.arm.measured(q)
        self._was_measured.add(stamp_ns, q)
        self._frozen.update(stamp_ns, q.tobytes())
        if gripper_width is not None:
            self.gripper.seed(gripper_width)
            self._own_gripper.seed(gripper_width)
            self.settle.measured(stamp_ns, gripper_width)

    def prepare(self, chunk: ActionChunk) -> Steps:
        """Return what can be computed of a chunk before it is due; from any thread.

        Raises
        ------
        ConfigError
            When its action space or dimensions cannot be executed.
        InputError
            When a number is too large to be an arm's motion.

        """
        names = self.joints.names
        if chunk.convention.space in _JOINT_SPACES and chunk.dims[:len(names)] != names:
            raise ConfigError(f'action dimensions: expected the joints {" ".join(names)} in this '
                              f'order, found {" ".join(chunk.dims)}')
        return Steps.of(chunk, self.joints.n)

    def add_chunk(self, chunk: ActionChunk | Steps, now_ns: int) -> str:
        """Take in a chunk that arrived now; return what became of it (see ChunkBuffer.counts).

        Raises
        ------
        ConfigError, InputError
            As :meth:`prepare`.

        """
        steps = self.prepare(chunk) if isinstance(chunk, ActionChunk) else chunk
        trajectory = self._anchored(steps, now_ns)
        verdict = self.chunks.add(trajectory, now_ns)
        if verdict in ('accepted', 'replaced'):
            self._arrival_ns = now_ns
            self._withdrawn = ''
            self.foreseen.add(trajectory)
        return verdict

    def _anchored(self, steps: Steps, now_ns: int) -> Trajectory:
        history = (self._was_commanded if self.config.anchor is DeltaAnchor.COMMANDED
                   else self._was_measured)
        q = history.at(steps.chunk.stamp_ns)
        if q is None:
            q = self._measured
        if q is None:
            # Nothing is known of the arm, and nothing is sent; what is known later starts anew.
            q = (self.joints.lower + self.joints.upper) / 2.0
        return steps.anchored(self.kinematics.forward(q), q, now_ns)

    def look_ahead(self) -> bool:
        """Look ahead in a new chunk, if there is one; return whether there was.

        To be called between two ticks, when the command is on its way: it takes a part of a
        millisecond.
        """
        q = self._commanded.q
        return q is not None and self.foreseen.examine(q, self._playhead_ns)

    def withdraw(self, now_ns: int, reason: str) -> None:
        """Drop what the policy has said: it takes it back, and the arm holds until it says more."""
        self._forget_chunks(now_ns)
        self._withdrawn = reason

    def _forget_chunks(self, now_ns: int) -> None:
        self.chunks.clear(now_ns)
        self.fusion.reset()
        self.foreseen.clear()

    def policy_started(self, now_ns: int) -> None:
        """Tell that a policy has announced itself: what another one before it said is dropped."""
        self._forget_chunks(now_ns)
        self._policy_gone = False

    def set_policy_alive(self, alive: bool) -> None:
        """Tell whether the policy's process is heard of.

        Without it the arm brakes and holds. What it has said is kept: on a busy machine a process
        that lives may not be heard of for a moment, and then it goes on where it was.
        """
        self._policy_gone = not alive

    def stop(self, reason: str) -> None:
        """Brake and hold until :meth:`start`."""
        self.ladder.handle(Event.STOP, reason)

    def start(self, now_ns: int) -> None:
        """Leave STOPPED, from where the arm is measured; what was predicted before is dropped."""
        if self.ladder.level is Level.STOPPED:
            self._forget_chunks(now_ns)
            if self.at_rest:
                self._commanded.forget()
            self.ladder.handle(Event.START, 'started')

    def arm(self, now_ns: int, problem: str = '') -> tuple[bool, str]:
        """Let the arm move, from where it is measured; return whether it worked and why.

        ``problem`` says why the arm's driver is not ready, if it is not.
        """
        if self.interlock.state is SafetyState.ARMED and not problem:
            return True, 'armed already'
        armed, why = self.interlock.arm(problem)
        if armed:
            self._forget_chunks(now_ns)
            # While it still brakes, it goes on from there: it is not at rest where it is measured.
            if self.at_rest:
                self._commanded.forget()
        return armed, why

    def rest_at_measured(self) -> None:
        """Go on from the measured joints, at rest: the last command did not go out."""
        if self._measured is not None and self._commanded.q is not None:
            self._rest_at(self._measured)

    def fault(self, now_ns: int, reason: str) -> None:
        """Tell that the arm has stopped by itself: old targets are void, somebody must arm."""
        self._forget_chunks(now_ns)
        self.interlock.fault(reason)

    @property
    def measured(self) -> Array | None:
        """The newest joint state (n,) [rad]; None when none is known."""
        return self._measured

    @property
    def at_rest(self) -> bool:
        """Whether the last command had no velocity (or nothing was ever commanded)."""
        return self._commanded.at_rest

    # The tick

    def step(self, now_ns: int) -> Tick:
        """Decide the command for this moment [ns]."""
        dt = self._advance(now_ns)
        silence = np.inf if self._arrival_ns is None else (now_ns - self._arrival_ns) * 1e-9
        playhead = self._play(now_ns, dt, silence)
        verdict = self._verdict = self.interlock.verdict(now_ns)
        human = self._human(now_ns, verdict)
        live, allowed, ahead = self.foreseen.cut(self.chunks.due(playhead), playhead)
        target = self.fusion.target(live, playhead)
        permitted = verdict.permission is Permission.FOLLOW
        if human.held and permitted:
            self.ladder.intervene(now_ns, human.label)
        else:
            problem = self._problem(now_ns, target, ahead) if permitted else verdict.reason
            self.ladder.update(now_ns, problem, silence)
        moving = self.ladder.moving and target is not None
        self._moving_s = self._moving_s + dt if moving else 0.0
        wanted = self.gripper.predict(live, playhead) if moving or human.held else None
        hand = self.overrides.gripper.step(now_ns, wanted)
        wanted = wanted if moving else None
        self._mode = Mode.INTERVENTION if human.held else MODES[self.ladder.level]
        forced = hand.fraction if permitted else None
        labels = human.label, hand.label if forced is not None else ''
        self._intervention = '; '.join(label for label in labels if label)

        measured = self._measured
        if measured is None:
            return self._tick(now_ns)
        if self._commanded.q is None:
            if not self._joints_fresh(now_ns):
                return self._tick(now_ns)  # where the arm is now is not known: nothing is sent
            self._rest_at(measured)
        self._catch_up(measured, now_ns)
        nothing, anew = self._commanded.lost(measured, self._joints_fresh(now_ns), dt)
        if anew:
            self._hold.reset()
            self._was_commanded.clear()
            self._forget_chunks(now_ns)
        if nothing:
            return self._tick(now_ns,
                              acted=('nothing sent: commanded and measured joints are apart',))
        commanded = self._commanded
        assert commanded.q is not None
        acted: tuple[str, ...] = ()
        speed = 0.0
        grip = (self.gripper.step(now_ns, wanted) if forced is None
                else self.gripper.force(now_ns, forced))
        waits = self.settle.waiting(now_ns, self._own_gripper.step(now_ns, wanted).width)
        if moving and target is not None:
            self._hold.reset()
            speed = 0.0 if waits else allowed * self._speed()
            goal, acted = self.follower.goal(target, commanded.q, measured, dt, speed)
            acted += ('gripper: the arm waits',) if waits else ()
            acted += (f'look-ahead: {ahead}',) if allowed < 1.0 else ()
        else:
            target = None
            goal, acted = self._human_goal(human, measured, now_ns, dt, permitted)
            if verdict.permission is Permission.SILENT:
                goal = commanded.q  # brake, and nothing else
            if verdict.permission is Permission.SILENT and self.at_rest:
                self._rest_at(measured)  # a hand, or its own pendant, may move the arm
                return self._tick(now_ns)

        gated = self.gate(goal, commanded.q, commanded.velocity, dt)
        commanded.q, commanded.velocity = gated.q, gated.velocity
        self._was_commanded.add(now_ns, gated.q)
        # In a dry-run the arm is told nothing, and its encoders have no reason to change.
        fastest = max(map(abs, gated.velocity.tolist()))
        self._frozen.moving(now_ns, verdict.send and fastest > _MOTION)
        return self._tick(
            now_ns, gated.q, gated.velocity, grip.width, grip.effort,
            acted + grip.acted + gated.acted,
            target.stamps_ns if target else (), target.weights if target else (), speed)

    def _human(self, now_ns: int, verdict: Verdict) -> ArmDecision:
        """Return what humans want of the arm, in every mode in which motion is allowed."""
        stopped = self.ladder.level is Level.STOPPED or verdict.state is not SafetyState.ARMED
        if stopped is not self._overrides_stopped:
            self._overrides_stopped = stopped
            (self.overrides.stop if stopped else self.overrides.start)(now_ns)
        human = self.overrides.arm.step(now_ns)
        if human.handed_back:
            # What was planned before or meanwhile would undo what the human did.
            self._forget_chunks(now_ns)
        return human

    def _tick(self, now_ns: int, q: Array | None = None, velocity: Array | None = None,
              gripper: float | None = None, effort: float | None = None,
              acted: tuple[str, ...] = (), stamps: tuple[int, ...] = (),
              weights: tuple[float, ...] = (), speed: float = 0.0) -> Tick:
        level = self.ladder.level
        return Tick(now_ns, level, self._mode, self.ladder.reason, q, velocity, gripper, effort,
                    acted, stamps, weights, self._playhead_ns, speed,
                    self._measured_ns if self._measured is not None else None,
                    self._verdict.state, self._verdict.send, self._intervention)

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
            self._forget_chunks(now_ns)
            self._was_commanded.clear()
            self._was_measured.clear()
            self._measured = self._arrival_ns = None
            self._frozen.reset()
            self.gripper.reset()
            self._own_gripper.reset()
            self.settle.reset()
            self.overrides.arm.measured(None)
            self.overrides.stop(now_ns)
            self._overrides_stopped = True
            self._commanded.forget()
            self._hold.reset()
        if not 0.1 * period <= dt <= 5.0 * period:
            # Nothing was sent for a while (or the clock stood still): the arm is at rest at the
            # last command, and one tick is all that may be made up for.
            if dt > 5.0 * period:
                self._commanded.halt()
            return period
        return dt

    def _play(self, now_ns: int, dt: float, silence: float) -> int:
        """Return the time in the chunks that is due now [ns]: the present, or less when late."""
        config = self.config.ladder
        behind = self._playhead_ns + round(config.slow_factor * dt * 1e9)
        late = self.ladder.moving and not silence <= config.slow_after
        self._playhead_ns = min(behind, now_ns) if late else now_ns
        return self._playhead_ns

    def _speed(self) -> float:
        blend_in = self.config.start.blend_in
        ramp = min(1.0, self._moving_s / blend_in) if blend_in > 0.0 else 1.0
        return self.ladder.speed * ramp

    def _problem(self, now_ns: int, target: Target | None, ahead: str) -> str:
        """Return why the arm cannot follow the policy now; empty when it can."""
        if self._measured is None:
            return 'joint_states: none received yet'
        if not self._joints_fresh(now_ns):
            age = 'older than' if now_ns > self._measured_ns else 'ahead by more than'
            return f'joint_states: {age} {self.config.joint_state_timeout:g} s'
        if self.arm_problem:
            return f'driver: {self.arm_problem}'
        if self._frozen.frozen_for_ns > 0:
            return (f'joint_states: frozen, the same for {self.config.frozen_after:g} s of '
                    'commanded motion')
        if self._policy_gone:
            return 'policy process is gone'
        if self._withdrawn:
            return f'policy: {self._withdrawn}'
        if self._arrival_ns is None:
            return 'action_chunk: none received yet'
        if target is None:
            return f'look-ahead: {ahead}' if ahead else 'action_chunk: no step is due'
        return '' if self.ladder.moving else self._too_far(target, self._measured)

    def _too_far(self, target: Target, measured: Array) -> str:
        """Return why motion may not begin with this target; empty when it may."""
        start = self.config.start
        position, rotation, joint = distance(target, measured, self.kinematics.forward(measured))
        found = [f'{value:.2f} {unit} > {limit:g} {unit}' for value, limit, unit in
                 ((position, start.position, 'm'), (rotation, start.rotation, 'rad'),
                  (joint, start.joint, 'rad')) if not value <= limit]
        return f'start: the first target is away from the measured arm, {found[0]}' if found else ''

    def _joints_fresh(self, now_ns: int) -> bool:
        # A stamp that lies ahead would be fresh until its time comes, whatever happens to the arm.
        return abs(now_ns - self._measured_ns) * 1e-9 <= self.config.joint_state_timeout

    def _human_goal(self, human: ArmDecision, measured: Array, now_ns: int, dt: float,
                    permitted: bool) -> tuple[Array, tuple[str, ...]]:
        """Return the goal of this tick and what acted while the policy does not move the arm."""
        can_move = (permitted and self._joints_fresh(now_ns) and not self.arm_problem
                    and not self._frozen.frozen_for_ns)
        target = self._human_target(human) if can_move else None
        if target is None:
            return self._hold_goal(measured, now_ns, dt), ()
        self._hold.reset()
        assert self._commanded.q is not None
        return self.follower.goal(target, self._commanded.q, measured, dt, 1.0)

    def _human_target(self, human: ArmDecision) -> Target | None:
        """Return where a human moves the arm, for the follower; None when nobody does."""
        if human.kind is ArmState.JOINTS:
            return Target(None, None, human.joints, human.joint_velocity, (), (), 0)
        if human.kind is not ArmState.TWIST:
            return None
        assert self._commanded.q is not None
        T_base_tool = self.kinematics.forward(self._commanded.q)
        R = T_base_tool[:3, :3] if human.in_tool_frame else np.eye(3)
        twist = np.concatenate([R @ human.twist[:3], R @ human.twist[3:]])
        return Target(T_base_tool, twist, None, None, (), (), 0)

    def _hold_goal(self, measured: Array, now_ns: int, dt: float) -> Array:
        assert self._commanded.q is not None
        if not self._joints_fresh(now_ns):
            # Where the arm is now is not known; the last command is the nearest thing to it.
            return self._commanded.q
        return self._hold.goal(self._commanded.q, self._commanded.velocity, measured, dt)

    def _catch_up(self, measured: Array, now_ns: int) -> None:
        """Begin from the measured joints when they are heard of again and the command is at rest.

        Somebody may have moved the arm meanwhile; it must not be pulled back.
        """
        silent, self._silent = self._silent, not self._joints_fresh(now_ns)
        if silent and not self._silent and self.at_rest:
            self._rest_at(measured)

    def _rest_at(self, measured: Array) -> None:
        self._commanded.rest_at(measured)
        self._hold.reset()

"""The way of one action, from chunks and joint states to a joint command, on one page.

The live node, the simulator and the replay of a recording all call :meth:`Pipeline.step`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.anchors import Anchors
from vla_ros.core.arbiter import MODES, Mode
from vla_ros.core.chunk_buffer import ChunkBuffer
from vla_ros.core.commanded import Commanded
from vla_ros.core.degradation import Event, Ladder, Level
from vla_ros.core.follow import Follower
from vla_ros.core.footing import Footing, Stand
from vla_ros.core.foreseen import Foreseen
from vla_ros.core.fusion import Fusion
from vla_ros.core.gripper import GripperChannel
from vla_ros.core.gripper_wait import GripperWait
from vla_ros.core.human_motion import HumanMotion
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.lookahead import Lookahead
from vla_ros.core.measured_arm import MeasuredArm
from vla_ros.core.motion_start import MotionStart
from vla_ros.core.override import Overrides
from vla_ros.core.override_arm import ArmDecision
from vla_ros.core.pipeline_config import PipelineConfig
from vla_ros.core.playhead import ClockEvent, Playhead
from vla_ros.core.readiness import Readiness
from vla_ros.core.safety import JointGate
from vla_ros.core.safety.estop import Interlock, Permission, SafetyState, Verdict
from vla_ros.core.stall import Stall
from vla_ros.core.tick import Tick
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import ActionChunk

__all__ = ['Pipeline', 'Tick']

Array = NDArray[np.float64]


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
        self.gripper_wait = GripperWait(config.gripper, gripper, config.gripper_settle)
        self.overrides = Overrides(config.overrides, gripper, joints.n)
        self.ladder = Ladder(config.ladder)
        self.follower = Follower(kinematics, task_space, config.fade)
        self.gate = gate or JointGate(joints, config.max_joint_step)
        self.interlock = interlock or Interlock(armed=True)
        self.foreseen = Foreseen(lookahead, config.lookahead_steps)
        self._arm = MeasuredArm(joints.n, config.joint_state_timeout, config.frozen_after)
        self._anchors = Anchors(kinematics, joints, config.anchor, config.period)
        self._playhead = Playhead(config.period, config.ladder.slow_factor)
        self._start = MotionStart(config.start, kinematics)
        self._readiness = Readiness(self._arm, self._start)
        self._commanded = Commanded(joints.n, config.max_joint_lead)
        self._footing = Footing(self._commanded, self._arm)
        self._human_motion = HumanMotion(self._arm, self._commanded, self._footing, self.follower)
        self.stall = Stall(config.stall_stop)
        self._mode = Mode.HOLD
        self._intervention = ''
        self._verdict: Verdict = self.interlock.verdict(0)

    # Inputs

    def add_joint_state(self, stamp_ns: int, q: Array, gripper_width: float | None) -> None:
        """Take in measured joints (n,) [rad] and opening width [m] (None: not reported).

        Raises
        ------
        InputError
            When the joints are not n finite numbers, or the width is not finite; nothing changes
            then.

        """
        q = self._arm.add(stamp_ns, q, gripper_width)
        self._anchors.measured.add(stamp_ns, q)
        self.overrides.arm.measured(q)
        if gripper_width is not None:
            self.gripper.seed(gripper_width)
            self.gripper_wait.measured(stamp_ns, gripper_width)

    def prepare(self, chunk: ActionChunk) -> Steps:
        """Return what can be computed of a chunk before it is due; from any thread.

        Raises
        ------
        ConfigError
            When its action space or dimensions cannot be executed.
        InputError
            When a number is too large to be an arm's motion.

        """
        return self._anchors.steps(chunk)

    def add_chunk(self, chunk: ActionChunk | Steps, now_ns: int) -> str:
        """Take in a chunk that arrived now; return what became of it (see ChunkBuffer.counts).

        Raises
        ------
        ConfigError, InputError
            As :meth:`prepare`.

        """
        steps = self.prepare(chunk) if isinstance(chunk, ActionChunk) else chunk
        trajectory = self._anchors.anchored(steps, self._arm.q, now_ns)
        verdict = self.chunks.add(trajectory, now_ns)
        if verdict in ('accepted', 'replaced'):
            self._readiness.chunk_arrived(now_ns)
            self.foreseen.add(trajectory)
        return verdict

    def look_ahead(self) -> bool:
        """Look ahead in a new chunk, if there is one; return whether there was.

        To be called between two ticks, when the command is on its way: it takes a part of a
        millisecond.
        """
        q = self._commanded.q
        return q is not None and self.foreseen.examine(q, self._playhead.ns)

    def withdraw(self, now_ns: int, reason: str) -> None:
        """Drop what the policy has said: it takes it back, and the arm holds until it says more."""
        self._forget_chunks(now_ns)
        self._readiness.chunks_withdrawn(reason)

    def _forget_chunks(self, now_ns: int) -> None:
        self.chunks.clear(now_ns)
        self.fusion.reset()
        self.foreseen.clear()

    def policy_started(self, now_ns: int) -> None:
        """Tell that a policy has announced itself: what another one before it said is dropped."""
        self._forget_chunks(now_ns)
        self._readiness.policy_gone = False

    def set_policy_alive(self, alive: bool) -> None:
        """Tell whether the policy's process is heard of.

        Without it the arm brakes and holds. What it has said is kept: on a busy machine a process
        that lives may not be heard of for a moment, and then it goes on where it was.
        """
        self._readiness.policy_gone = not alive

    def stop(self, reason: str) -> None:
        """Brake and hold until :meth:`start`."""
        self.ladder.handle(Event.STOP, reason)

    def start(self, now_ns: int) -> None:
        """Leave STOPPED, from where the arm is measured; what was predicted before is dropped."""
        if self.ladder.level is Level.STOPPED:
            self._forget_chunks(now_ns)
            self._footing.begin_again()
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
            self._footing.begin_again()
        return armed, why

    def rest_at_measured(self) -> None:
        """Go on from the measured joints, at rest: the last command did not go out."""
        self._footing.rest_at_measured()

    def fault(self, now_ns: int, reason: str) -> None:
        """Tell that the arm has stopped by itself: old targets are void, somebody must arm."""
        self._forget_chunks(now_ns)
        self.interlock.fault(reason)

    @property
    def measured(self) -> Array | None:
        """The newest joint state (n,) [rad]; None when none is known."""
        return self._arm.q

    @property
    def arm_problem(self) -> str:
        """Why the arm's driver cannot be commanded now; empty when it can. To be set."""
        return self._arm.driver_problem

    @arm_problem.setter
    def arm_problem(self, problem: str) -> None:
        self._arm.driver_problem = problem

    @property
    def at_rest(self) -> bool:
        """Whether the last command had no velocity (or nothing was ever commanded)."""
        return self._commanded.at_rest

    # The tick

    def step(self, now_ns: int) -> Tick:
        """Decide the command for this moment [ns]."""
        tick = self._decide(now_ns)
        if self.stall.add(tick):
            self.stop(self.stall.text)
        return tick

    def _decide(self, now_ns: int) -> Tick:
        dt, event = self._playhead.tick(now_ns)
        if event is not None:
            self._resume(now_ns, event)
        silence = self._readiness.silence(now_ns)
        late = self.ladder.moving and not silence <= self.config.ladder.slow_after
        playhead = self._playhead.play(now_ns, dt, late)
        verdict = self._verdict = self.interlock.verdict(now_ns)
        permitted = verdict.permission is Permission.FOLLOW
        human = self._human(now_ns, verdict)
        live, allowed, ahead = self.foreseen.cut(self.chunks.due(playhead), playhead)
        target = self.fusion.target(live, playhead)
        if human.held and permitted:
            self.ladder.intervene(now_ns, human.label)
        else:
            problem = verdict.reason if not permitted else self._readiness.problem(
                now_ns, target, ahead, self.ladder.moving)
            self.ladder.update(now_ns, problem, silence)
        moving = self.ladder.moving and target is not None
        self._start.update(moving, dt)
        predicted = self.gripper.predict(live, playhead) if moving or human.held else None
        hand = self.overrides.gripper.step(now_ns, predicted)
        wanted = predicted if moving else None
        forced = hand.fraction if permitted else None
        self._mode = Mode.INTERVENTION if human.held else MODES[self.ladder.level]
        label = hand.label if forced is not None else ''
        self._intervention = (f'{human.label}; {label}' if human.label and label
                              else human.label or label)

        stand = self._footing.find(now_ns, dt)
        if stand is not Stand.GOES_ON:
            return self._nothing_sent(now_ns, stand)
        measured, commanded = self._arm.q, self._commanded
        assert measured is not None and commanded.q is not None
        grip = (self.gripper.step(now_ns, wanted) if forced is None
                else self.gripper.force(now_ns, forced))
        waits = self.gripper_wait.waiting(now_ns, wanted)
        speed = 0.0
        if moving and target is not None:
            self._footing.leave()
            speed = 0.0 if waits else allowed * (self.ladder.speed * self._start.speed)
            goal, acted = self.follower.goal(target, commanded.q, measured, dt, speed)
            acted += ('gripper: the arm waits',) if waits else ()
            acted += (f'look-ahead: {ahead}',) if allowed < 1.0 else ()
        else:
            target = None
            goal, acted = self._human_motion.goal(human, now_ns, dt, permitted)
            if verdict.permission is Permission.SILENT:
                goal = commanded.q  # brake, and nothing else
                if self.at_rest:
                    self._footing.rest_at_measured()  # a hand, or its own pendant, may move the arm
                    return self._tick(now_ns)

        gated = self.gate(goal, commanded.q, commanded.velocity, dt)
        commanded.q, commanded.velocity = gated.q, gated.velocity
        self._anchors.commanded.add(now_ns, gated.q)
        self._arm.commanded(now_ns, gated.velocity, verdict.send)
        return self._tick(
            now_ns, gated.q, gated.velocity, grip.width, grip.effort,
            acted + grip.acted + gated.acted,
            target.stamps_ns if target else (), target.weights if target else (), speed)

    def _resume(self, now_ns: int, event: ClockEvent) -> None:
        """Go on at rest after a pause; when the clock went back, from nothing at all."""
        if event is ClockEvent.PAUSED:
            self._commanded.halt()  # the arm was told nothing for a while
            return
        # What is known is of a world that is gone. Nothing is sent until its joints are heard of.
        self._forget_chunks(now_ns)
        self._readiness.forget_chunks()
        self._anchors.clear()
        self._arm.forget()
        self.gripper.reset()
        self.gripper_wait.reset()
        self.overrides.arm.measured(None)
        self.overrides.stop(now_ns)
        self._footing.forget()

    def _human(self, now_ns: int, verdict: Verdict) -> ArmDecision:
        """Return what humans want of the arm, in every mode in which motion is allowed."""
        stopped = self.ladder.level is Level.STOPPED or verdict.state is not SafetyState.ARMED
        if stopped is not self.overrides.stopped:
            (self.overrides.stop if stopped else self.overrides.start)(now_ns)
        human = self.overrides.arm.step(now_ns)
        if human.handed_back:
            # What was planned before or meanwhile would undo what the human did.
            self._forget_chunks(now_ns)
        return human

    def _nothing_sent(self, now_ns: int, stand: Stand) -> Tick:
        if stand is Stand.UNKNOWN:
            return self._tick(now_ns)
        if stand is Stand.ANEW:
            # What was planned from the last command does not begin where the arm really is.
            self._anchors.commanded.clear()
            self._forget_chunks(now_ns)
        return self._tick(now_ns, acted=('nothing sent: commanded and measured joints are apart',))

    def _tick(self, now_ns: int, q: Array | None = None, velocity: Array | None = None,
              gripper: float | None = None, effort: float | None = None,
              acted: tuple[str, ...] = (), stamps: tuple[int, ...] = (),
              weights: tuple[float, ...] = (), speed: float = 0.0) -> Tick:
        arm, level = self._arm, self.ladder.level
        return Tick(now_ns, level, self._mode, self.ladder.reason, q, velocity, gripper, effort,
                    acted, stamps, weights, self._playhead.ns, speed,
                    arm.stamp_ns if arm.q is not None else None,
                    self._verdict.state, self._verdict.send, self._intervention)

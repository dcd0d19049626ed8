"""What humans ask for on ``override/<source>/…`` and by services, checked and posted to the loop.

Parsing happens on the executor's thread, deciding on the control loop's, which is the only one that
changes the overrides. What cannot be used or was refused is reported by its topic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_ros.core.errors import InputError
from vla_ros.core.override import Overrides
from vla_ros.core.override_arm import ArmOverride
from vla_ros.core.override_gripper import GripperOverride, GripperOverrideMode
from vla_ros.core.override_sources import SERVICES
from vla_ros.robots import RobotProfile
from vla_ros.ros import qos
from vla_ros.ros.joint_states import JointStateReader
from vla_ros.ros.stamps import to_ns

ARM_WORDS = ('takeover', 'hold', 'release', 'alive')
"""What may be said on ``override/<source>/arm``."""

GRIPPER_WORDS = ('close', 'open', 'release')
"""What may be said on ``override/<source>/gripper``, beside a width."""

Action = Callable[[int], object]


def parse_gripper(text: str, topic: str, default: GripperOverrideMode,
                  ) -> tuple[float | str, GripperOverrideMode]:
    """Return the target (``close``, ``open``, ``release`` or a width [m]) and the mode of a text.

    Raises
    ------
    InputError
        When it is anything else; the message names the topic and what may be said.

    """
    words = text[:80].split()
    modes = [mode.value for mode in GripperOverrideMode]
    if not 1 <= len(words) <= 2:
        raise InputError(f'{topic}: expected {", ".join(GRIPPER_WORDS)} or a width [m], and then '
                         f'perhaps a mode ({", ".join(modes)}), found {text[:40]!r}')
    target: float | str = words[0]
    if target not in GRIPPER_WORDS:
        try:
            target = float(target)
        except ValueError:
            raise InputError(f'{topic}: expected {", ".join(GRIPPER_WORDS)} or a width [m], found '
                             f'{words[0][:40]!r}') from None
    if len(words) == 1:
        return target, default
    if target == 'release' or words[1] not in modes:
        raise InputError(f'{topic}: expected {"nothing" if target == "release" else "a mode"} '
                         f'after {words[0]!r} ({", ".join(modes)}), found {words[1][:40]!r}')
    return target, GripperOverrideMode(words[1])


class OverrideInputs:
    """Subscribes and serves what overrides an arm and its gripper.

    Parameters
    ----------
    node : Node
        Subscribes and serves.
    profile : RobotProfile
        Its joints, gripper and frames.
    overrides : Overrides
        What is acted on, in actions that are posted and nowhere else.
    post : Callable[[Action], object]
        Has ``action(now_ns)`` called in the thread that ``overrides`` belongs to.
    tell : Callable[[Callable[[], object]], object]
        Has something called in the executor's thread.
    report : Callable[[str, str], None]
        Gets, in the executor's thread, a topic and what is wrong with what came on it; an empty
        text when it is well again.
    mode : GripperOverrideMode
        Of gripper commands that name none.
    latest_ns : int
        How old a stamped twist may be, and how far ahead [ns]; an unstamped one is of now.

    """

    def __init__(self, node: Node, profile: RobotProfile, overrides: Overrides,
                 post: Callable[[Action], object],
                 tell: Callable[[Callable[[], object]], object],
                 report: Callable[[str, str], None], mode: GripperOverrideMode,
                 latest_ns: int) -> None:
        self._node = node
        self._profile = profile
        self._overrides = overrides
        self._post = post
        self._tell = tell
        self._report = report
        self._mode = mode
        self._latest_ns = latest_ns
        self._bad: set[str] = set()
        sources = overrides.sources.names
        # The streams first: of what waits to be read, a motion then comes before the word that
        # ends it, and does not take the arm again.
        for source in sources:
            self._listen(TwistStamped, source, 'twist', self._on_twist, qos.STREAM)
            self._listen(JointState, source, 'joints', self._joints_reader(), qos.STREAM)
        for source in sources:
            self._listen(String, source, 'gripper', self._on_gripper, qos.WORDS)
            self._listen(String, source, 'arm', self._on_arm, qos.WORDS)
        gripper, arm, latched = overrides.gripper, overrides.arm, GripperOverrideMode.LATCHED
        self._serve('gripper_close', 'the gripper closes until ~/gripper_release', gripper,
                    lambda now: gripper.command(now, SERVICES, 'close', latched))
        self._serve('gripper_open', 'the gripper opens until ~/gripper_release', gripper,
                    lambda now: gripper.command(now, SERVICES, 'open', latched))
        self._serve('gripper_release', 'the policy has the gripper', gripper,
                    lambda now: gripper.release(now, SERVICES))
        self._serve('hold', 'the arm brakes and holds until ~/release', arm,
                    lambda now: arm.hold(now, SERVICES))
        self._serve('release', 'the policy has the arm', arm,
                    lambda now: arm.release(now, SERVICES))

    # Messages

    def _listen(self, kind: Any, source: str, name: str,
                handle: Callable[[Any, str, str], Callable[[int], str]], profile: Any) -> None:
        """Subscribe; ``handle(msg, source, topic)`` returns what the loop shall do."""
        topic = f'override/{source}/{name}'

        def receive(msg: Any) -> None:
            try:
                action = handle(msg, source, topic)
            except InputError as error:
                self._tell_problem(topic, str(error))
                return
            self._post(lambda now_ns: self._act(topic, action, now_ns))

        self._node.create_subscription(kind, topic, receive, profile,
                                       event_callbacks=self._events(topic, profile))

    def _events(self, topic: str, profile: Any) -> qos.SubscriptionEventCallbacks:
        """Return what to listen for beside the messages: only what can happen.

        rclpy adds two events to every subscription, and the executor goes through all of them for
        every message of the node: with two dozen topics, half of its time. A best-effort
        subscription fits every publisher.
        """
        if profile is qos.STREAM:
            return qos.SubscriptionEventCallbacks(use_default_callbacks=False)

        def incompatible(_event: Any) -> None:
            self._tell_problem(topic, f'{topic}: a publisher there is best effort and is not '
                                      'heard; it must be reliable')

        return qos.SubscriptionEventCallbacks(incompatible_qos=incompatible,
                                              use_default_callbacks=False)

    def _act(self, topic: str, action: Callable[[int], str], now_ns: int) -> None:
        """Do it, in the loop's thread."""
        try:
            problem = action(now_ns)
        except InputError as error:
            problem = f'{topic}: {error}'
        if problem or topic in self._bad:
            self._tell(lambda: self._tell_problem(topic, problem))

    def _tell_problem(self, topic: str, problem: str) -> None:
        if problem:
            self._bad.add(topic)
        else:
            self._bad.discard(topic)
        self._report(topic, problem)

    def _on_gripper(self, msg: String, source: str, topic: str) -> Callable[[int], str]:
        gripper = self._overrides.gripper
        target, mode = parse_gripper(msg.data, topic, self._mode)
        if target == 'release':
            return lambda now_ns: gripper.release(now_ns, source)
        return lambda now_ns: gripper.command(now_ns, source, target, mode)

    def _on_arm(self, msg: String, source: str, topic: str) -> Callable[[int], str]:
        arm, word = self._overrides.arm, msg.data.strip()
        actions: dict[str, Callable[[int, str], str]] = {
            'takeover': arm.takeover, 'hold': arm.hold, 'release': arm.release,
            'alive': self._overrides.alive}
        assert tuple(actions) == ARM_WORDS
        if word not in actions:
            raise InputError(f'{topic}: expected {", ".join(ARM_WORDS)}, found {word[:40]!r}')
        return lambda now_ns: actions[word](now_ns, source)

    def _on_twist(self, msg: TwistStamped, source: str, topic: str) -> Callable[[int], str]:
        frame, profile = msg.header.frame_id, self._profile
        if frame not in ('', profile.base_frame, profile.tool_frame):
            raise InputError(f'{topic}: frame {frame[:40]!r} is neither {profile.base_frame!r} '
                             f'(or empty) nor {profile.tool_frame!r}')
        self._check_stamp(msg.header.stamp, topic)
        linear, angular = msg.twist.linear, msg.twist.angular
        twist = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
        if not np.isfinite(twist).all():
            raise InputError(f'{topic}: not finite: {twist}')
        in_tool_frame = frame == profile.tool_frame
        return lambda now_ns: self._overrides.arm.twist(now_ns, source, twist, in_tool_frame)

    def _joints_reader(self) -> Callable[[Any, str, str], Callable[[int], str]]:
        """Return the handler of one source's leader joints, which knows its order of joints."""
        gripper = self._profile.gripper
        readers: list[JointStateReader] = []

        def handle(msg: JointState, source: str, topic: str) -> Callable[[int], str]:
            if not readers:
                readers.extend((JointStateReader(self._profile.joints.names, topic),
                                JointStateReader([gripper.joint], topic)))
            self._check_stamp(msg.header.stamp, topic)
            q, velocity = readers[0].position(msg), readers[0].velocity(msg)
            width = (float(np.clip(readers[1].position(msg)[0], gripper.closed, gripper.open))
                     if gripper.joint in msg.name else None)

            def follow(now_ns: int) -> str:
                refusal = self._overrides.arm.joints(now_ns, source, q, velocity)
                if refusal or width is None:
                    return refusal
                return self._overrides.gripper.command(now_ns, source, width, self._mode)

            return follow

        return handle

    def _check_stamp(self, stamp: Any, topic: str) -> None:
        """Refuse a motion that comes late: it would be carried out when nobody means it any more.

        Raises
        ------
        InputError
            When it is too old, or so far ahead that it cannot be of this clock.

        """
        stamp_ns, now_ns = to_ns(stamp), self._node.get_clock().now().nanoseconds
        if stamp_ns == 0:
            return
        if not -self._latest_ns <= now_ns - stamp_ns <= self._latest_ns:
            age = (now_ns - stamp_ns) * 1e-9
            raise InputError(f'{topic}: ' + (
                f'{age:.2f} s old' if age > 0 else
                f'stamped {-age:.2f} s in the future; is there one clock?'))

    # Services

    def _serve(self, name: str, done: str, channel: GripperOverride | ArmOverride,
               action: Callable[[int], str]) -> None:
        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            # Answered from what is known here: in simulated time the loop waits for /clock, which
            # this thread brings, so it must not wait for the loop.
            response.message = channel.refusal(SERVICES) if _matters(name, channel) else ''
            response.success = not response.message
            if response.success:
                self._post(lambda now_ns: self._act(f'~/{name}', action, now_ns))
                response.message = done
            return response

        self._node.create_service(Trigger, f'~/{name}', answer)


def _matters(name: str, channel: GripperOverride | ArmOverride) -> bool:
    """Return whether it could be refused: to release what nobody has is always done already."""
    return not name.endswith('release') or bool(channel.source)

"""A Piper and ``agx_arm_ros`` as it is (agilexrobotics/agx_arm_ros).

By name; a NaN is not given, which its older versions take for 0 rad (``old``). With ``fast_mode``
a velocity or effort for a joint selects torque control. The gripper's effort 0 or NaN is 1 N.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from fake_arm import FakeArm, announce, flange_chain, run, set_pose
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import UInt8MultiArray

from vla_ros.core import se3
from vla_ros.ros.adapters.optional_messages import optional_type
from vla_ros.ros.stamps import time_message

NAMES = ['joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'joint6']


class FakeAgxArmRos(Node):
    def __init__(self, context: Context) -> None:
        super().__init__('agx_arm_ctrl_single_node', context=context)
        p = self.declare_parameter
        self.chain, _ = flange_chain(p('robot', 'piper').value)
        self.old = p('old', False).value
        self.fast_mode = p('fast_mode', True).value
        self.offset = p('tcp_offset', [0.0] * 6).value
        self.half_gripper = p('half_gripper', False).value  # reports one finger, not the width
        self.arm = FakeArm(p('start', [0.0, 1.2182, -1.1011, 0.0, 0.93, 0.0]).value, 3.0)
        self.gripper = FakeArm([p('width', 0.03).value], 0.1)
        self.dt = 1.0 / p('rate_hz', 100.0).value
        self.states = self.create_publisher(JointState, 'feedback/joint_states', 1)
        self.tcp = self.create_publisher(PoseStamped, 'feedback/tcp_pose', 1)
        self.applied = self.create_publisher(JointState, 'fake/applied', 50)
        self.create_subscription(JointState, 'control/joint_states', self.on_command, 1)
        self.ctrl_mode, self.arm_status = 1, 0
        self.create_subscription(UInt8MultiArray, 'fake/arm_status', self.on_fake_status, 1)
        self.status: Any = None
        self.status_type = optional_type('agx_arm_msgs', 'msg', 'AgxArmStatus')
        if self.status_type is not None:
            self.status = self.create_publisher(self.status_type, 'feedback/arm_status', 1)
        self.create_timer(self.dt, self.tick)

    def on_fake_status(self, msg: UInt8MultiArray) -> None:
        self.ctrl_mode, self.arm_status = msg.data

    def on_command(self, msg: JointState) -> None:
        def values(numbers: object) -> dict[str, float]:
            found = dict(zip(msg.name, numbers, strict=False))  # type: ignore[call-overload]
            return {name: value for name, value in found.items() if math.isfinite(value)}

        position, velocity, effort = (values(v) for v in (msg.position, msg.velocity, msg.effort))
        given = {name: position[name] for name in NAMES if name in position}
        softly = any(name in velocity or name in effort for name in NAMES)
        if self.fast_mode and given and (softly or len(given) < len(NAMES)):
            announce(self, 'move_mit')
        if any(name in msg.name for name in NAMES):
            still = dict.fromkeys(NAMES, 0.0) if self.old else dict(zip(NAMES, self.arm.target,
                                                                        strict=True))
            self.arm.target = np.array([{**still, **given}[name] for name in NAMES])
        force = effort.get('gripper', 0.0) or 1.0
        if 'gripper' in position:
            if not 0.0 <= position['gripper'] <= 0.1 or not 0.5 <= force <= 3.0:
                announce(self, f'gripper refused: {position["gripper"]} m, {force} N')
            else:
                self.gripper.target[:] = abs(position['gripper'])
        self.applied.publish(JointState(
            name=[*NAMES, 'gripper'], position=[*self.arm.target, self.gripper.target[0]],
            effort=[force]))

    def tick(self) -> None:
        self.arm.step(self.dt)
        self.gripper.step(self.dt)
        stamp = time_message(self.get_clock().now().nanoseconds)
        shown = self.gripper.q[0] * (0.5 if self.half_gripper else 1.0)
        msg = JointState(name=[*NAMES, 'gripper'], position=[*self.arm.q, shown],
                         velocity=[*self.arm.velocity, 0.0], effort=[0.0] * 7)
        msg.header.stamp = stamp
        self.states.publish(msg)
        pose = PoseStamped()
        pose.header.stamp = stamp
        x, y, z, roll, pitch, yaw = self.offset
        T_flange_tcp = se3.pose(se3.rotation_from_rpy(roll, pitch, yaw), np.array([x, y, z]))
        set_pose(pose.pose, self.chain.forward(dict(zip(NAMES, self.arm.q, strict=True)))
                 @ T_flange_tcp)
        self.tcp.publish(pose)
        if self.status is not None:
            self.status.publish(self.status_type(ctrl_mode=self.ctrl_mode,
                                                 arm_status=self.arm_status))


if __name__ == '__main__':
    raise SystemExit(run(lambda context: [FakeAgxArmRos(context)]))

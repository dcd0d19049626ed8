"""A Piper and ``piper_ros`` as it is, traps included (agilexrobotics/piper_ros, humble).

A joint that a command does not name goes to 0 rad. The gripper is what stands at index 6. The
speed is ``velocity[6]`` in percent, 100 when the velocities are all zero or not seven. Enabling
closes the gripper. Its constants for degrees come from 3.14. Its end pose is the flange by its
firmware's DH.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from fake_arm import FakeArm, announce, flange_chain, run, set_pose
from geometry_msgs.msg import Pose, PoseStamped
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, UInt8MultiArray

from vla_ros.ros.adapters.optional_messages import optional_type
from vla_ros.ros.stamps import time_message

NAMES = ['joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'joint6']
TO_MILLIDEGREES = 57324.840764
TO_RADIANS = 0.017444
FIRMWARE_SPEED = 3.0  # rad/s
GRIPPER_SPEED = 0.1  # m/s


class FakePiperRos(Node):
    def __init__(self, context: Context) -> None:
        super().__init__('piper_ctrl_single_node', context=context)
        p = self.declare_parameter
        self.chain, _ = flange_chain(p('robot', 'piper').value)
        self.multiple = p('gripper_val_mutiple', 1).value
        self.stamp_offset = p('stamp_offset_s', 0.0).value
        self.silent = p('silent', False).value  # nothing has come from the arm yet
        self.enabled = p('enabled', True).value
        start = p('start', [0.0, 1.2182, -1.1011, 0.0, 0.93, 0.0]).value
        self.arm = FakeArm(start, FIRMWARE_SPEED)
        self.gripper = FakeArm([p('width', 0.03).value], GRIPPER_SPEED)
        self.percent = 0
        self.effort = math.nan
        self.ctrl_mode, self.arm_status = 1, 0
        self.dt = 1.0 / p('rate_hz', 100.0).value
        self.states = self.create_publisher(JointState, 'joint_states_single', 1)
        self.end_pose = self.create_publisher(Pose, 'end_pose', 1)
        self.end_pose_stamped = self.create_publisher(PoseStamped, 'end_pose_stamped', 1)
        self.applied = self.create_publisher(JointState, 'fake/applied', 50)
        self.status: Any = None
        self.status_type = optional_type('piper_msgs', 'msg', 'PiperStatusMsg')
        if self.status_type is not None:
            self.status = self.create_publisher(self.status_type, 'arm_status', 1)
        self.create_subscription(JointState, p('command_topic', 'joint_ctrl_single').value,
                                 self.on_command, 1)
        self.create_subscription(Bool, 'enable_flag', self.on_enable, 1)
        self.create_subscription(UInt8MultiArray, 'fake/arm_status', self.on_fake_status, 1)
        self.create_timer(self.dt, self.tick)

    def on_fake_status(self, msg: UInt8MultiArray) -> None:
        self.ctrl_mode, self.arm_status = msg.data

    def on_enable(self, msg: Bool) -> None:
        self.enabled = msg.data
        self.gripper.target[:] = 0.0

    def on_command(self, msg: JointState) -> None:
        if not self.enabled:
            announce(self, 'ignored: not enabled')
            return
        millidegrees = {name: round(msg.position[i] * TO_MILLIDEGREES)
                        for i, name in enumerate(msg.name)}
        width = msg.position[6] * self.multiple if len(msg.position) >= 7 else 0.0
        velocity = list(msg.velocity)
        seven = len(velocity) == 7 and any(velocity)
        self.percent = min(max(round(velocity[6]), 1), 100) if seven else 100
        effort = msg.effort[6] if len(msg.effort) >= 7 else 1.0
        self.effort = 1.0 if math.isnan(effort) else min(max(effort, 0.5), 3.0)
        self.arm.target = np.radians([millidegrees.get(name, 0) / 1000 for name in NAMES])
        self.arm.speed = FIRMWARE_SPEED * self.percent / 100
        self.gripper.target[:] = min(abs(round(width * 1e6)) / 1e6, 0.1)
        self.applied.publish(JointState(
            name=[*NAMES, 'gripper'], position=[*self.arm.target, self.gripper.target[0]],
            velocity=[float(self.percent)], effort=[self.effort]))

    def tick(self) -> None:
        if self.arm_status == 0 and self.ctrl_mode == 1:
            self.arm.step(self.dt)
            self.gripper.step(self.dt)
        now = self.get_clock().now().nanoseconds + round(self.stamp_offset * 1e9)
        stamp = time_message(0 if self.silent else now)
        # Before the arm has been heard of, the SDK's messages are zeros with time stamp 0.
        q = np.zeros(6) if self.silent else self.arm.q
        width = 0.0 if self.silent else self.gripper.q[0]
        shown = np.round(np.degrees(q) * 1000) / 1000 * TO_RADIANS
        msg = JointState(name=[*NAMES, 'gripper'],
                         position=[*shown, round(width * 1e6) / 1e6],
                         velocity=self.arm.velocity.tolist(), effort=[0.0] * 7)
        msg.header.stamp = stamp
        self.states.publish(msg)
        pose = PoseStamped()
        pose.header.stamp, pose.header.frame_id = stamp, 'base_link'
        T = self.chain.forward(dict(zip(NAMES, q, strict=True)))
        T[:3, 3] = np.round(T[:3, 3] * 1e6) / 1e6
        set_pose(pose.pose, T)
        self.end_pose_stamped.publish(pose)
        self.end_pose.publish(pose.pose)
        if self.status is not None:
            self.status.publish(self.status_type(ctrl_mode=self.ctrl_mode,
                                                 arm_status=self.arm_status))


if __name__ == '__main__':
    raise SystemExit(run(lambda context: [FakePiperRos(context)]))

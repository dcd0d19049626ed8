"""A Robotiq 2F-85 behind an action, old (``gripper_command``) or new (``parallel``)."""

from __future__ import annotations

from typing import Any

from fake_arm import FakeArm, announce, run
from rclpy.action import ActionServer
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState

from vla_ros.ros.adapters.optional_messages import optional_type
from vla_ros.ros.stamps import time_message

JOINT = 'robotiq_85_left_knuckle_joint'


class FakeGripper(Node):
    def __init__(self, context: Context) -> None:
        super().__init__('robotiq_gripper_controller', context=context)
        self.old = self.declare_parameter('interface', 'parallel').value == 'gripper_command'
        name = 'GripperCommand' if self.old else 'ParallelGripperCommand'
        self.kind: Any = optional_type('control_msgs', 'action', name)
        self.knuckle = FakeArm([0.4], 1.0)
        self.server = ActionServer(self, self.kind, '~/gripper_cmd', self.on_goal)
        self.states = self.create_publisher(JointState, '/joint_states', 10)
        self.create_timer(0.02, self.tick)

    def on_goal(self, handle: Any) -> Any:
        command = handle.request.command
        position, effort = ((command.position, command.max_effort) if self.old
                            else (command.position[0], command.effort[0]))
        if not self.old and list(command.name) != [JOINT]:
            announce(self, f'refused: {command.name}')
            handle.abort()
            return self.kind.Result()
        announce(self, f'goal {position:.4f} {effort:.1f}')
        self.knuckle.target[:] = min(max(position, 0.0), 0.7929)
        handle.succeed()
        return self.kind.Result()

    def tick(self) -> None:
        self.knuckle.step(0.02)
        msg = JointState(name=[JOINT], position=self.knuckle.q.tolist())
        msg.header.stamp = time_message(self.get_clock().now().nanoseconds)
        self.states.publish(msg)


if __name__ == '__main__':
    raise SystemExit(run(lambda context: [FakeGripper(context)]))

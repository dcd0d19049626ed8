"""What bounds a motion whatever comes in: task space first, joint space always last."""

from vla_ros.core.safety.joint_gate import Gated, JointGate
from vla_ros.core.safety.task_space import limit_pose, limit_twist

__all__ = ['Gated', 'JointGate', 'limit_pose', 'limit_twist']

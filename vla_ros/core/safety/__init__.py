"""What bounds a motion whatever comes in: task space first, joint space always last."""

from vla_ros.core.safety.clearance import Clearance, Proximity
from vla_ros.core.safety.joint_gate import Gated, JointGate
from vla_ros.core.safety.singularity import SingularityGuard, smallest_singular_value
from vla_ros.core.safety.task_space import limit_pose, limit_twist

__all__ = ['Clearance', 'Gated', 'JointGate', 'Proximity', 'SingularityGuard', 'limit_pose',
           'limit_twist', 'smallest_singular_value']

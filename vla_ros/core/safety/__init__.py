"""What bounds a motion whatever comes in: task space first, joint space always last."""

from vla_ros.core.safety.clearance import Clearance, Clearances, Proximity
from vla_ros.core.safety.joint_gate import Gated, JointGate
from vla_ros.core.safety.limiters import LIMITERS, LimiterCounts, limiter
from vla_ros.core.safety.singularity import SingularityGuard, smallest_singular_value
from vla_ros.core.safety.task_space import limit_pose, limit_twist
from vla_ros.core.safety.tool_bounds import ToolBounds
from vla_ros.core.safety.tool_speed import ToolSpeed

__all__ = ['LIMITERS', 'Clearance', 'Clearances', 'Gated', 'JointGate', 'LimiterCounts',
           'Proximity', 'SingularityGuard', 'ToolBounds', 'ToolSpeed', 'limit_pose',
           'limit_twist', 'limiter', 'smallest_singular_value']

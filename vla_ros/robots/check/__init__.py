"""What a few seconds of listening to an arm tell about it; no ROS here.

``vla_ros.ros.arm_check`` records, :func:`examine` finds, ``vla-ros arm check`` prints.
"""

from vla_ros.robots.check.examination import examine
from vla_ros.robots.check.finding import Finding, Level
from vla_ros.robots.check.recording import PoseSample, Recording, StateSample, TopicSeen

__all__ = [
    'Finding',
    'Level',
    'PoseSample',
    'Recording',
    'StateSample',
    'TopicSeen',
    'examine',
]

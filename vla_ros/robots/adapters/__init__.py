"""What the drivers of real arms expect: names, signs, units, limits and traps. No ROS here.

``vla_ros.ros.adapters`` sends and receives; whatever is converted is converted by these modules.
"""

from vla_ros.robots.adapters.driver import Driver
from vla_ros.robots.adapters.joint_command import JointCommand, checked_command
from vla_ros.robots.adapters.loading import DRIVERS, load_driver

__all__ = ['DRIVERS', 'Driver', 'JointCommand', 'checked_command', 'load_driver']

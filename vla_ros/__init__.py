"""Drive a real arm with a Vision-Language-Action model on ROS 2.

Data flow::

    cameras, joints, instruction -> policy_node -> action_chunk -> control_node -> joint commands

Calls point one way::

    core  <-  policy, ik, robots, sim, replay  <-  assembly  <-  ros, cli  <-  launch

``core`` is numpy only and never reads a clock: time is an argument in integer nanoseconds, so the
live node, the simulator and the replay of a recording run the same code. The packages in the middle
do not import each other; ``assembly`` puts them together. ``ros`` is the only place of rclpy.
"""

__version__ = '0.1.0'

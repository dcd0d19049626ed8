"""A human's hands: what pads, keyboards, 3D mice and leader arms say, turned into overrides.

No ROS, no clock: messages come in as numbers and times in ns, commands go out as the dataclasses of
:mod:`vla_ros.teleop.commands`. :mod:`vla_ros.ros.teleop_node` connects both to topics. Nothing here
decides what the arm does: the control node arbitrates and limits.

    Joy ─> controls (mapping, dead zone) ─> Pad ─┐
    key bytes ─> keys ─> Keyboard ───────────────┼─> Hand ─> commands
    leader's joints ─> Leader ───────────────────┘
"""

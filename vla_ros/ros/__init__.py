"""The only place of rclpy and ROS messages: nodes declare, convert, step and publish.

Message <-> numpy (no node objects, each function names the topic when it refuses)::

    images.py, joint_states.py, chunk_message.py, policy_description.py, poses.py, stamps.py

What every node uses: ``parameters`` (declared from ``config/nodes``), ``qos`` (one profile per kind
of topic), ``diagnostics``, ``rate`` (the control loop's clock) and ``context`` (start, stop, exit
status). The rest are nodes.
"""

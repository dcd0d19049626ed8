"""The operator's panel: a web page, and who may do what on it. No ROS, no policy.

``server`` runs ``app``, which gives each browser a ``session``. A session parses what comes
(``commands``) and hands it to the ``desk``, which knows who of several panels holds what and lets
go of what a lost one held. What goes to the robot goes through ``port.RobotPort``; what is shown
is in ``readings``, ``timeline`` and ``frames``. The page itself is in ``web/``.
"""

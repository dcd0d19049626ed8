"""The simulated world: MuJoCo, built from the arm's own URDF; no ROS.

Data flow::

    profile (URDF, layout) + config/sim -> scene -> SimWorld -> frames -> tasks (success)
                                                        |
                                                        +-> snapshot -> SimCameras -> images

``SimWorld`` is physics only and needs no graphics; ``SimCameras`` needs EGL or OSMesa and may run
in another thread.
"""

"""The demo: the real graph does tasks in simulation, watched and recorded from outside.

::

    supervisor ── sim_node, policy_node, control_node       (processes, as in every bring-up)
                            │ topics          ▲ instruction
    ros/demo_node.DemoNode ─┴──> recording    └── sequence (judges, says what is next)
                            ├──> video        (encoded while it runs, in a thread)
                            └──> table        (in the terminal)
    session: start, wait, watch, stop in order ──> verdict ──> plot, report, page

Nothing here knows ROS: the session is given the processes and the observer, the rest numbers.
"""

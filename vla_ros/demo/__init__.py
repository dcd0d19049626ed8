"""The demo: the real graph does tasks in simulation, watched and recorded from outside.

::

    supervisor ── sim_node, policy_node, control_node       (processes, as in every bring-up)
                        │ topics          ▲ instruction
    node.RecorderNode ──┴──> recording    └── sequence.TaskSequence (judges, says what is next)
                        ├──> video        (encoded while it runs, in a thread)
                        └──> table        (in the terminal)
    session.run: start, wait, watch, stop ──> verdict ──> plot, report, page

Only ``node`` and ``session`` know ROS; the rest is fed with numbers and tested without it.
"""

"""``vla-ros policy inspect``: what a checkpoint directory is, without loading a weight.

::

    survey ── what is in the files, by their headers ───────────┐
    checks ── would the loader take it: its own code, on shapes │
    memory ── of the weights in each precision                  ├─ collect ─> report ─> text
    conventions ── which file of config/policies fits ──────────┘

Unlike the loader, which stops at the first thing that is wrong, this looks on and lists them all.
Only ``checks`` needs torch; without it the rest is still told.
"""

from vla_ros.policy.openvla.inspection.collect import inspect
from vla_ros.policy.openvla.inspection.report import Report
from vla_ros.policy.openvla.inspection.text import as_json, as_text

__all__ = ['Report', 'as_json', 'as_text', 'inspect']

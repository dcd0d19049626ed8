"""Reports that say why: of a recording, of an open-loop replay, of a replay in closed timing.

Data flow::

    bag -> gather (one pass, flat memory) -> bag_numbers (a dict) -> report.json, *.csv
              |                                   |
              +-> moments -> thumbnails ----------+-> bag_page -> report.html
    result of a replay -> replay_numbers, replay_page; timing_report -> report.html

The page needs nothing from outside and shows only what ``report.json`` holds.
"""

from vla_ros.report.bag_report import write_bag_report
from vla_ros.report.files import prepare
from vla_ros.report.replay_report import write_replay_report
from vla_ros.report.timing_report import write_timing_report

__all__ = ['prepare', 'write_bag_report', 'write_replay_report', 'write_timing_report']

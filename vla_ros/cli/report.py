"""``vla-ros report``: what went wrong in a recording, and why, as one page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vla_ros.core.errors import DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = ('exit status: 0 a report was written, 1 the bag cannot be read, 2 a wrong '
                     'argument. report.json has every number of the page, the CSV files its '
                     'tables and curves.')
    parser.add_argument('bag', metavar='BAG', help='folder of the bag, or one storage file')
    parser.add_argument('--out', type=Path, default=Path('out/report'), metavar='DIR',
                        help='folder for report.html, report.json and tables as CSV '
                             '(default: %(default)s)')
    parser.add_argument('--robot', default='', metavar='NAME',
                        help="whose kinematics draw the tool's path (default: the robot that the "
                             'recording names)')
    parser.add_argument('--rrd', type=Path, metavar='FILE',
                        help='write the recording for the Rerun viewer, too; needs rerun-sdk')
    parser.add_argument('--quiet', action='store_true', help='no progress on the terminal')


def run(args: argparse.Namespace) -> int:
    """Write the report and say where."""
    try:
        from vla_ros.report import write_bag_report
    except ModuleNotFoundError as error:
        raise DependencyError(f'a report needs {error.name}: '
                              "pip install 'vla_ros[report]'") from error
    if args.rrd is not None:
        from vla_ros.report.rerun_file import check_rerun, write_rrd

        check_rerun()  # before the long work
    page = write_bag_report(args.bag, args.out, args.robot, args.quiet)
    print(page)
    if args.rrd is not None:
        print(write_rrd(args.bag, args.rrd, args.quiet))
    sys.stdout.flush()
    return 0

"""The files that a demo leaves: plot, numbers and page beside the video and the logs."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vla_ros.core.errors import ConfigError
from vla_ros.demo.machine import machine, versions
from vla_ros.demo.page import render
from vla_ros.demo.plot import draw_joints
from vla_ros.demo.recording import Recording
from vla_ros.demo.report import build_report
from vla_ros.demo.sequence import TaskResult
from vla_ros.demo.verdict import Verdict
from vla_ros.demo.video import VideoWriter

BAG = 'bag'
"""Folder of the demo's recording, if there is one."""

_FILES = ('demo.mp4', 'joints.png', 'report.html', 'report.json')


@dataclass(frozen=True)
class Run:
    """What was run.

    Attributes
    ----------
    robot : str
        Name of the profile.
    seed : int
        Of the scene.
    domain : str
        ROS domain.
    started : datetime
        When, with time zone.
    wall_s : float
        Real time that it took, start and stop included [s].
    cpu_percent : Mapping[str, float]
        Share of one core, by process, from the first instruction on.
    ended : Mapping[str, str]
        Processes that ended by themselves, and how.
    note : str
        What has to be known to read the results.

    """

    robot: str
    seed: int
    domain: str
    started: datetime
    wall_s: float
    cpu_percent: Mapping[str, float]
    ended: Mapping[str, str]
    note: str = ''


def empty_folder(out: Path) -> Path:
    """Make the folder, remove the results of an earlier demo; return the folder for logs.

    Raises
    ------
    ConfigError
        When it cannot be written.

    """
    logs = out / 'logs'
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for path in (*(out / name for name in _FILES), *logs.glob('*.log')):
            path.unlink(missing_ok=True)
        if (out / BAG).is_dir():
            shutil.rmtree(out / BAG)
    except OSError as error:
        raise ConfigError(f'out: cannot write to {out}: {error}') from error
    return logs


def write_results(out: Path, verdict: Verdict, results: Sequence[TaskResult], recording: Recording,
                  video: VideoWriter, run: Run) -> None:
    """Write ``joints.png``, ``report.json`` and ``report.html``; the video must be closed."""
    numbers = build_report(
        verdict, results, recording,
        {'robot': run.robot, 'note': run.note, 'seed': run.seed, 'ros_domain_id': run.domain,
         'started': run.started.isoformat(sep=' ', timespec='seconds'),
         'simulated_s': round((recording.end_ns() - recording.start_ns) * 1e-9, 2),
         'wall_s': round(run.wall_s, 2), 'command': shlex.join(['vla-ros', *sys.argv[1:]]),
         'machine': machine(), 'versions': versions()},
        processes={name: {'cpu_percent': run.cpu_percent.get(name),
                          'ended': run.ended.get(name, '')}
                   for name in dict.fromkeys((*run.cpu_percent, *run.ended))},
        video={'frames': video.frames, 'dropped': video.dropped,
               'error': str(video.error) if video.error else ''})
    png = None
    if len(recording.measured):
        label = recording.policy_label or 'the policy never announced itself'
        png = draw_joints(recording, f'{run.robot} (simulated), policy: {label}')
        (out / 'joints.png').write_bytes(png)
    (out / 'report.json').write_text(json.dumps(numbers, indent=2) + '\n', encoding='utf-8')
    has_video = video.frames > 0 and video.error is None
    beside = [path for path in ('report.json', 'joints.png') if (out / path).is_file()]
    logs = sorted(f'logs/{path.name}' for path in (out / 'logs').glob('*.log'))
    (out / 'report.html').write_text(
        render(numbers, png, 'demo.mp4' if has_video else None, [*beside, *logs]),
        encoding='utf-8')

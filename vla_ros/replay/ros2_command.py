"""The same recording by rosbag2's own recorder: its command line and its QoS file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import yaml

from vla_ros.replay.record_topics import DEPTH, RecordTopic


def qos_overrides(topics: Iterable[RecordTopic]) -> str:
    """Return the file for ``--qos-profile-overrides-path``: how each topic is listened to."""
    return yaml.safe_dump({
        topic.name: {'history': 'keep_last', 'depth': DEPTH[topic.importance],
                     'reliability': 'reliable' if topic.reliable else 'best_effort',
                     'durability': 'transient_local' if topic.latched else 'volatile'}
        for topic in topics if topic.type}, sort_keys=False)


def ros2_command(topics: Iterable[RecordTopic], bag: str, qos_file: str, *, part_bytes: int,
                 part_s: int, simulated_time: bool, compress: bool, distro: str) -> str:
    """Return the line to type.

    Parameters
    ----------
    topics : Iterable[RecordTopic]
        With absolute names.
    bag, qos_file : str
        Folder of the bag, and the file that :func:`qos_overrides` makes.
    part_bytes, part_s : int
        When a file is completed and the next begun [bytes], [s].
    simulated_time : bool
        Whether receive times are those of ``/clock``.
    compress : bool
        Whether files are compressed.
    distro : str
        ROS distribution; Humble's recorder takes topics without ``--topics``.

    """
    names = [topic.name for topic in topics]
    words = ['ros2', 'bag', 'record', '-s', 'mcap', '-o', bag, '--max-bag-size', str(part_bytes),
             '--max-bag-duration', str(part_s), '--qos-profile-overrides-path', qos_file]
    if simulated_time:
        words.append('--use-sim-time')
    if compress:
        words += ['--compression-mode', 'file', '--compression-format', 'zstd']
    if any('/_' in name for name in names):
        words.append('--include-hidden-topics')
    if distro != 'humble':
        words.append('--topics')
    return shlex.join([*words, *names])

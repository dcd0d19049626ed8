"""What the parameters of ``record_node`` mean: the topics, and how they are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError
from vla_ros.replay.record_queue import Importance
from vla_ros.replay.record_topics import RecordTopic, record_topics
from vla_ros.replay.recorder import DiskReserve
from vla_ros.replay.recording import RecordingSettings
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros.driver_topics import driver_topics

MB = 1_000_000


def topics_of(parameters: Any, simulated_time: bool) -> tuple[RecordTopic, ...]:
    """Return what is recorded with these parameters of the node."""
    p = parameters
    profile = load_profile(p.robot)
    driver = load_driver(profile, p.driver)
    states, others = driver_topics(profile, driver)
    return record_topics(
        dict.fromkeys((p.third_person_topic, p.wrist_topic)), states, others,
        override_sources=p.override_sources, transport=p.image_transport,
        simulated_time=simulated_time, more=p.additional_topics, without=p.without_topics)


def session_settings(p: Any) -> RecordingSettings:
    """Return how the session records with these parameters of the node, or raise ConfigError."""
    other = round(p.queue_other_mb * MB)
    if p.reserve_all_mb > p.reserve_pictures_mb:
        raise ConfigError(f'parameter reserve_all_mb ({p.reserve_all_mb:g} MB) must not be above '
                          f'reserve_pictures_mb ({p.reserve_pictures_mb:g} MB)')
    return RecordingSettings(
        folder=Path(p.folder).expanduser(), part_bytes=round(p.split_mb * MB),
        part_ns=round(p.split_s * 1e9),
        room={Importance.COMMAND: other, Importance.STATE: other,
              Importance.PICTURE: round(p.queue_pictures_mb * MB)},
        reserve=DiskReserve(round(p.reserve_pictures_mb * MB), round(p.reserve_all_mb * MB)),
        keep_ns=round(p.keep_last_s * 1e9), ring_bytes=round(p.ring_mb * MB),
        compress=p.compress)

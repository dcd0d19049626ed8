"""Small pictures of chosen moments, from a second look at a bag: a few messages each."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vla_ros.core.errors import DependencyError, InputError
from vla_ros.image_codec import encode_rgb
from vla_ros.progress import Progress
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.bag_info import STAMPED
from vla_ros.replay.pictures import PICTURE_TYPES, picture_of
from vla_ros.replay.stamps import header_ns
from vla_ros.report.moments import Moment

_BEFORE_NS, _AFTER_NS = 1_200_000_000, 300_000_000
_WIDTH, _QUALITY = 240, 78


def camera_topics(bag: Bag, most: int = 3) -> list[str]:
    """Return the topics with pictures; of a raw one and its compressed twin the compressed."""
    topics = [t.name for t in bag.topics.values() if t.type in PICTURE_TYPES and t.count
              and 'depth' not in t.name.lower()]
    return [name for name in topics if f'{name}/compressed' not in topics][:most]


def camera_name(topic: str) -> str:
    """Return how people call a camera: ``/camera/wrist/image_raw/compressed`` is ``wrist``."""
    parts = [part for part in topic.split('/') if part and part not in (
        'camera', 'cameras', 'image_raw', 'compressed', 'image', 'color')]
    return '/'.join(parts[-1:]) or topic


def thumbnails(bag: Bag, moments: Sequence[Moment],
               progress: Progress | None = None) -> list[dict[str, Any]]:
    """Return, for each moment, its words and the pictures that were there then.

    A picture: ``camera``, ``offset_s`` (its stamp after the moment [s]), ``jpeg`` (base64), and
    ``problem`` in place of the last where it cannot be decoded.
    """
    cameras = camera_topics(bag)
    found = []
    for moment in moments:
        shots = [shot for name in cameras if (shot := _shot(bag, name, moment)) is not None]
        found.append({'kind': moment.kind, 'text': moment.text, 'time_ns': moment.time_ns,
                      'pictures': shots})
        if progress is not None:
            progress.advance()
    return found


def _shot(bag: Bag, topic: str, moment: Moment) -> dict[str, Any] | None:
    record = _nearest(bag, topic, moment)
    if record is None:
        return None
    shot: dict[str, Any] = {'camera': camera_name(topic), 'topic': topic,
                            'offset_s': round((_stamp(record) - moment.time_ns) * 1e-9, 3)}
    try:
        shot['jpeg'] = base64.b64encode(small_jpeg(picture_of(bag, record))).decode('ascii')
    except (InputError, DependencyError) as error:
        shot['problem'] = str(error)
    return shot


def _nearest(bag: Bag, topic: str, moment: Moment) -> Record | None:
    best: Record | None = None
    begin, end = moment.receive_ns - _BEFORE_NS, moment.receive_ns + _AFTER_NS
    for record in bag.records([topic], max(begin, 0), end):
        if best is None or (abs(_stamp(record) - moment.time_ns)
                            < abs(_stamp(best) - moment.time_ns)):
            best = record
    return best


def _stamp(record: Record) -> int:
    return (header_ns(record.data) if record.type in STAMPED else 0) or record.receive_ns


def small_jpeg(rgb: np.ndarray, width: int = _WIDTH) -> bytes:
    """Return a (H, W, 3) uint8 RGB picture as a JPEG of at most this width [px]."""
    import cv2

    if rgb.shape[1] > width:
        height = max(round(rgb.shape[0] * width / rgb.shape[1]), 1)
        rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))
    return encode_rgb(np.ascontiguousarray(rgb), quality=_QUALITY)


def without_pictures(shot: Mapping[str, Any]) -> dict[str, Any]:
    """Return a moment without the bytes of its pictures, for ``report.json``."""
    return {**shot, 'pictures': [{key: value for key, value in picture.items() if key != 'jpeg'}
                                 for picture in shot['pictures']]}

"""Pictures of a bag, decoded ahead in threads: OpenCV decodes without holding the interpreter."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.image_codec import rgb_from_compressed, rgb_from_image
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.stamps import to_ns

IMAGE, COMPRESSED_IMAGE = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
PICTURE_TYPES = (IMAGE, COMPRESSED_IMAGE)

_AHEAD = 16  # pictures in memory beyond the one that is used, for each thread
_MOST_WAITING = 2000  # messages of any kind


class Item(NamedTuple):
    """One message, read.

    Attributes
    ----------
    topic : str
        Where it was.
    receive_ns : int
        When it was received [ns].
    stamp_ns : int
        Its header's stamp, or the receive time where it has none [ns].
    value : Any
        (H, W, 3) uint8 RGB of a picture, otherwise the message.

    """

    topic: str
    receive_ns: int
    stamp_ns: int
    value: Any


def picture_of(bag: Bag, record: Record) -> np.ndarray:
    """Return the picture (H, W, 3) uint8 RGB of an ``Image`` or ``CompressedImage``.

    Raises
    ------
    InputError
        When it cannot be decoded.

    """
    if record.type not in PICTURE_TYPES:
        raise InputError(f'{record.topic}: {record.type} is no picture; expected '
                         f'{" or ".join(PICTURE_TYPES)}', topic=record.topic)
    return np.asarray(_decoded(_read(bag, record), record.type).value)


def read_items(bag: Bag, topics: Collection[str] | None = None, *, start_ns: int | None = None,
               stop_ns: int | None = None, threads: int | None = None,
               sizes: Mapping[str, tuple[int, int]] | None = None) -> Iterator[Item]:
    """Yield messages and decoded pictures by receive time.

    Parameters
    ----------
    bag : Bag
        Open.
    topics, start_ns, stop_ns
        As for :meth:`Bag.records`.
    threads : int | None
        That decode pictures; None: one for each core, 0: none beside the caller.
    sizes : Mapping[str, tuple[int, int]] | None
        Topic -> (width, height) that its pictures must have [px]; for other topics the first
        picture says.

    Raises
    ------
    InputError
        As :meth:`Bag.records`, and for a picture that cannot be decoded or whose size differs.

    """
    expected = dict(sizes or {})
    records = bag.records(topics, start_ns, stop_ns)
    if threads == 0:
        for record in records:
            yield _checked(_decoded(_read(bag, record), record.type), bag, expected)
        return
    threads = threads or (len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity')
                          else os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix='decode') as pool:
        # Everything waits in one line, so that the order stays that of the bag.
        waiting: deque[Future[Item] | Item] = deque()
        pictures = 0
        try:
            for record in records:
                item = _read(bag, record)
                if record.type in PICTURE_TYPES:
                    waiting.append(pool.submit(_decoded, item, record.type))
                    pictures += 1
                else:
                    waiting.append(item)
                while (pictures > threads * _AHEAD or len(waiting) > _MOST_WAITING
                       or (waiting and not isinstance(waiting[0], Future))):
                    first = waiting.popleft()
                    pictures -= isinstance(first, Future)
                    yield _checked(_result(first), bag, expected)
            while waiting:
                yield _checked(_result(waiting.popleft()), bag, expected)
        finally:
            for left in waiting:
                if isinstance(left, Future):
                    left.cancel()


def _read(bag: Bag, record: Record) -> Item:
    message = bag.message(record)
    header = getattr(message, 'header', None)
    stamp_ns = record.receive_ns if header is None else to_ns(header.stamp)
    return Item(record.topic, record.receive_ns, stamp_ns, message)


def _decoded(item: Item, message_type: str) -> Item:
    if message_type == IMAGE:
        return item._replace(value=rgb_from_image(item.value, item.topic))
    if message_type == COMPRESSED_IMAGE:
        return item._replace(value=rgb_from_compressed(item.value, item.topic))
    return item


def _result(item: Future[Item] | Item) -> Item:
    return item.result() if isinstance(item, Future) else item


def _checked(item: Item, bag: Bag, expected: dict[str, tuple[int, int]]) -> Item:
    if isinstance(item.value, np.ndarray):
        height, width = item.value.shape[:2]
        wanted = expected.setdefault(item.topic, (width, height))
        if wanted != (width, height):
            raise InputError(
                f'{item.topic}: a picture of {width}x{height} pixels '
                f'{(item.receive_ns - bag.start_ns) * 1e-9:.3f} s after the start, expected '
                f'{wanted[0]}x{wanted[1]}', topic=item.topic)
    return item

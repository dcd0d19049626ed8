"""Episodes as BridgeData, UMI and LIBERO excerpts have them in an ``.npz``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.types import EE_DIMS, GRIPPER_DIM
from vla_ros.replay.episode import Episode, Frame, Frames, regular_stamps
from vla_ros.replay.video_file import video_frames

BRIDGE_RATE_HZ = 5.0
"""Control rate of BridgeData V2 [Hz]; its files do not say it."""

LIBERO_RATE_HZ = 20.0
"""Control rate of LIBERO [Hz]."""

_RPY = ('roll', 'pitch', 'yaw')


def read_public(path: Path) -> list[Episode]:
    """Return the episodes of a file, whichever of the three it is.

    Raises
    ------
    InputError
        When it is none of them, or its parts do not fit each other.

    """
    try:
        arrays = dict(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: not an .npz of episodes: {error}', path=path) from error
    try:
        if any(name.endswith('_image_jpeg') for name in arrays):
            return _bridge(path, arrays)
        if {'state', 'timestamp', 'gripper_width'} <= set(arrays):
            return [_umi(path, arrays)]
        if {'full_image', 'wrist_image', 'state', 'task_description'} <= set(arrays):
            return [_libero(path, arrays)]
    except KeyError as error:
        raise InputError(f'{path}: {error} is missing', path=path) from error
    raise InputError(f'{path}: neither an episode of this package nor an excerpt of Bridge, UMI or '
                     f'LIBERO; arrays: {", ".join(sorted(arrays)[:12])}', path=path)


def _bridge(path: Path, arrays: dict[str, Any]) -> list[Episode]:
    names = sorted(name.removesuffix('_image_jpeg') for name in arrays
                   if name.endswith('_image_jpeg'))
    found = []
    for name in names:
        state = arrays[f'{name}_state']
        found.append(Episode(
            regular_stamps(len(state), BRIDGE_RATE_HZ),
            {'third_person': _pieces(arrays[f'{name}_image_jpeg'], arrays[f'{name}_image_len'],
                                     f'{path}: {name}')},
            state, ('x', 'y', 'z', *_RPY, GRIPPER_DIM),
            arrays[f'{name}_action'], (*EE_DIMS, GRIPPER_DIM),
            str(arrays[f'{name}_instruction']), BRIDGE_RATE_HZ, f'{path.name} {name}'))
    return found


def _pieces(data: np.ndarray, lengths: np.ndarray, where: str) -> Frames:
    ends = np.cumsum(lengths)
    if not ends.size or int(ends[-1]) != data.size:
        raise InputError(f'{where}: {data.size} bytes of pictures, but their lengths add up to '
                         f'{int(ends[-1]) if ends.size else 0}')
    raw = data.tobytes()

    def frames() -> Iterator[Frame]:
        return (raw[int(end - length):int(end)] for end, length in zip(ends, lengths, strict=True))

    return frames


def _umi(path: Path, arrays: dict[str, Any]) -> Episode:
    video = path.with_suffix('.mp4')
    if not video.is_file():
        raise InputError(f'{path}: the video {video.name} is not beside it', path=path)
    times = arrays['timestamp']
    rate = round(1.0 / float(np.median(np.diff(times))), 3)
    stamps = regular_stamps(1, rate)[0] + np.round((times - times[0]) * 1e9).astype(np.int64)
    steps = len(stamps)
    return Episode(
        stamps, {'wrist': lambda: video_frames(video, 0.0, steps, rate)}, arrays['state'],
        ('x', 'y', 'z', 'rx', 'ry', 'rz', GRIPPER_DIM), np.zeros((steps, 0)), (),
        '', rate, path.name)


def _libero(path: Path, arrays: dict[str, Any]) -> Episode:
    pictures = {'third_person': arrays['full_image'], 'wrist': arrays['wrist_image']}
    state = np.atleast_2d(arrays['state'])

    def frames(camera: str) -> Iterator[Frame]:
        picture = pictures[camera]
        return iter([picture] if picture.ndim == 3 else picture)

    return Episode(
        regular_stamps(len(state), LIBERO_RATE_HZ),
        {camera: lambda camera=camera: frames(camera)  # type: ignore[misc]
         for camera in pictures},
        state, ('x', 'y', 'z', 'rx', 'ry', 'rz', 'finger_left', 'finger_right'),
        np.zeros((len(state), 0)), (), str(arrays['task_description']), LIBERO_RATE_HZ, path.name)

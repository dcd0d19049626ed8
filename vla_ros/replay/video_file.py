"""Video files of episodes: H.264 in MP4, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vla_ros.core.errors import DependencyError, InputError

try:
    import av
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("videos of episodes need PyAV, which is not installed: "
                          "pip install 'vla_ros[datasets]'") from error

CRF = 18
"""Quality of H.264, 0 (lossless) to 51; 18 is hard to tell from the original."""

_KEYFRAME_INTERVAL = 2  # training reads single frames: every other one can be decoded by itself


class VideoFile:
    """Encodes pictures of one size at one rate.

    Parameters
    ----------
    path : Path
        MP4 file; its folder is made.
    rate_hz : float
        Frames a second.

    Raises
    ------
    InputError
        When a picture has another size than the first, or an odd width or height.

    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rate = Fraction(rate_hz).limit_denominator(1000)
        self.frames = 0
        self.bytes = 0  # encoded until now; the file itself grows in leaps
        self.size: tuple[int, int] | None = None
        self._container = av.open(str(path), 'w')
        self._stream = self._container.add_stream('libx264', rate=self.rate)

    def add(self, rgb: np.ndarray) -> None:
        """Append a (H, W, 3) uint8 RGB picture."""
        height, width = rgb.shape[:2]
        if self.size is None:
            if height % 2 or width % 2:
                raise InputError(f'{self.path}: H.264 shares colour between two pixels, so width '
                                 f'and height must be even, found {width}x{height}')
            self.size = (width, height)
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = 'yuv420p'
            self._stream.options = {'crf': str(CRF), 'g': str(_KEYFRAME_INTERVAL), 'bf': '0'}
        elif self.size != (width, height):
            raise InputError(f'{self.path}: a picture of {width}x{height}, those before have '
                             f'{self.size[0]}x{self.size[1]}')
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format='rgb24')
        frame.pts, frame.time_base = self.frames, 1 / self.rate
        self.frames += 1
        self._mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self.size is not None:
            self._mux(self._stream.encode())
        self._container.close()

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            self.bytes += packet.size
            self._container.mux(packet)


def video_frames(path: Path, start_s: float, count: int, rate_hz: float) -> Iterator[np.ndarray]:
    """Yield ``count`` frames (H, W, 3) uint8 RGB from a time in the video on.

    Raises
    ------
    InputError
        When the file is no video, or has fewer frames from there on.

    """
    found = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            if start_s > 0:
                container.seek(int(start_s / stream.time_base), stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.time is not None and frame.time < start_s - 0.5 / rate_hz:
                    continue
                yield frame.to_ndarray(format='rgb24')
                found += 1
                if found == count:
                    return
    except (av.FFmpegError, OSError, IndexError) as error:
        raise InputError(f'{path}: cannot be read as a video: {error}', path=path) from error
    raise InputError(f'{path}: {found} frames from {start_s:.3f} s on, expected {count}', path=path)

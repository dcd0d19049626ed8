"""The newest picture of each camera as JPEG, made when somebody wants it and once for all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_ros.core.errors import VlaRosError
from vla_ros.image_codec import encode_rgb


@dataclass
class _Slot:
    read: Callable[[], np.ndarray] | None = None  # decodes the newest picture
    number: int = 0  # of the newest picture
    made: int = 0  # number of the picture that jpeg is of
    jpeg: bytes = b''
    problem: str = ''


class CameraFrames:
    """Keeps only the newest picture; :meth:`offer` never waits for whoever looks.

    Parameters
    ----------
    names : tuple[str, ...]
        The cameras.
    largest : int
        Width or height that is sent at most [px]; larger pictures are shrunk.
    quality : int
        JPEG quality [%].

    """

    def __init__(self, names: tuple[str, ...], largest: int, quality: int) -> None:
        self.names = names
        self._largest = largest
        self._quality = quality
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._slots = {name: _Slot() for name in names}

    def offer(self, name: str, read: Callable[[], np.ndarray]) -> None:
        """Take in that there is a new picture; ``read`` gives its (H, W, 3) uint8 RGB pixels."""
        with self._lock:
            slot = self._slots[name]
            slot.read, slot.number = read, slot.number + 1

    def number(self, name: str) -> int:
        """Return the number of a camera's newest picture; 0 before the first."""
        with self._lock:
            return self._slots[name].number

    def problem(self, name: str) -> str:
        """Return why the newest picture cannot be shown; empty when it can."""
        with self._lock:
            return self._slots[name].problem

    def jpeg(self, name: str) -> tuple[int, bytes]:
        """Return the number and the JPEG of a camera's newest picture; empty when there is none.

        It takes milliseconds, for the first that asks for a picture.
        """
        with self._making:
            slot = self._slots[name]
            with self._lock:
                read, number = slot.read, slot.number
            if number != slot.made and read is not None:
                try:
                    jpeg, problem = encode_rgb(_shrunk(read(), self._largest), 'jpeg',
                                               self._quality), ''
                except VlaRosError as error:
                    jpeg, problem = b'', str(error)
                with self._lock:
                    slot.made, slot.jpeg, slot.problem = number, jpeg, problem
            return slot.made, slot.jpeg


def _shrunk(rgb: np.ndarray, largest: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    if max(height, width) <= largest:
        return rgb
    import cv2  # encode_rgb says what is missing, where it is

    factor = largest / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))

"""One episode: what was seen, measured and done, step by step, whatever file it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.image_codec import check_rgb, rgb_from_compressed

Frame: TypeAlias = np.ndarray | bytes
"""(H, W, 3) uint8 RGB, or a JPEG or PNG as it was found."""

Frames: TypeAlias = Callable[[], Iterator[Frame]]
"""Begins again at the first frame with every call, so that an episode need not be in memory."""

ORIGIN_NS = 1_000_000_000
"""Stamp of the first step where a source has no clock: zero would mean that there is no stamp."""


@dataclass(frozen=True, eq=False)
class Episode:
    """A recorded episode of T steps.

    Attributes
    ----------
    stamps_ns : np.ndarray
        (T,) int64, increasing [ns].
    images : Mapping[str, Frames]
        Camera -> its T frames.
    state : np.ndarray
        (T, S) what was measured, in the units of the source.
    state_names : tuple[str, ...]
        Of the S columns.
    actions : np.ndarray
        (T, A) what was done after each observation; A = 0 where the source has no actions.
    action_names : tuple[str, ...]
        Of the A columns.
    instruction : str
        The task in words.
    rate_hz : float
        Steps a second.
    source : str
        File and episode, for people.
    state_topic : str
        Where a bag has the state: ``joint_states``, or ``proprio`` where it is no joints.
    notes : Mapping[str, str]
        What a bag's topic ``/episode`` shall say besides.

    Raises
    ------
    InputError
        When the lengths do not fit each other or the stamps do not increase.

    """

    stamps_ns: np.ndarray
    images: Mapping[str, Frames]
    state: np.ndarray
    state_names: tuple[str, ...]
    actions: np.ndarray
    action_names: tuple[str, ...]
    instruction: str
    rate_hz: float
    source: str
    state_topic: str = 'proprio'
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = len(self.stamps_ns)
        if not steps:
            raise InputError(f'{self.source}: an episode without a step')
        if not self.rate_hz > 0:
            raise InputError(f'{self.source}: a rate of {self.rate_hz} Hz')
        for what, values, names in (('state', self.state, self.state_names),
                                    ('actions', self.actions, self.action_names)):
            if values.shape != (steps, len(names)):
                raise InputError(f'{self.source}: {what} of shape {values.shape}, expected '
                                 f'{(steps, len(names))} for {steps} steps and the names '
                                 f'{" ".join(names) or "none"}')
            if not np.isfinite(values).all():
                step = int(np.argwhere(~np.isfinite(values))[0][0])
                raise InputError(f'{self.source}: {what} of step {step} are not finite')
        if not (np.diff(self.stamps_ns) > 0).all():
            step = int(np.argmax(np.diff(self.stamps_ns) <= 0)) + 1
            raise InputError(f'{self.source}: the stamp of step {step} is not after that before')

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.stamps_ns)

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield the T pictures of a camera, (H, W, 3) uint8 RGB.

        Raises
        ------
        InputError
            When there are more or fewer than T, one cannot be decoded, or the sizes differ.

        """
        size: tuple[int, ...] | None = None
        for step, frame in enumerate(self.encoded_frames(camera)):
            rgb = rgb_of(frame, f'{self.source}: {camera} step {step}')
            size = size or rgb.shape
            if rgb.shape != size:
                raise InputError(f'{self.source}: {camera} step {step}: {rgb.shape[1]}x'
                                 f'{rgb.shape[0]} pixels, before {size[1]}x{size[0]}')
            yield rgb

    def encoded_frames(self, camera: str) -> Iterator[Frame]:
        """Yield the T frames of a camera as they are in the source.

        Raises
        ------
        InputError
            When there are more or fewer than T.

        """
        count = 0
        for frame in self.images[camera]():
            count += 1
            if count > self.steps:
                break
            yield frame
        if count != self.steps:
            found = 'more' if count > self.steps else str(count)
            raise InputError(f'{self.source}: {camera} has {found} pictures for {self.steps} steps')


class _Compressed:
    """What the decoder wants to see of a ``CompressedImage``."""

    format = ''

    def __init__(self, data: bytes) -> None:
        self.data = data


def rgb_of(frame: Frame, where: str) -> np.ndarray:
    """Return the picture (H, W, 3) uint8 RGB of a frame; an error names ``where``."""
    if isinstance(frame, bytes):
        return rgb_from_compressed(_Compressed(frame), where)
    check_rgb(frame)
    return frame


def regular_stamps(steps: int, rate_hz: float, origin_ns: int = ORIGIN_NS) -> np.ndarray:
    """Return (T,) int64 stamps at a rate [ns]."""
    return origin_ns + np.round(np.arange(steps) * (1e9 / rate_hz)).astype(np.int64)

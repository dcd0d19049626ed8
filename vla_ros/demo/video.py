"""The demo's video: both cameras side by side above a caption, encoded while the demo runs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import DependencyError

try:
    import av
    from matplotlib import font_manager
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError(f'the demo writes a video and plots with {error.name}: '
                          f"pip install 'vla_ros[demo]'") from error

PANEL = 320
"""Height of a camera's picture in the video [px]."""

BAR = 80
"""Height of the caption [px]."""

_TIME_BASE = Fraction(1, 1000)
_BACKLOG = 40  # frames that may wait; beyond that they are dropped, not piled up
_INK, _PALE, _GROUND = (238, 241, 244), (160, 170, 180), (24, 28, 34)
_MODE_COLOURS = {'AUTONOMOUS': (46, 160, 98), 'HOLD': (214, 150, 40), 'STOPPED': (205, 70, 60)}


@dataclass(frozen=True)
class Caption:
    """What the bar under the pictures says."""

    instruction: str
    detail: str
    mode: str
    seconds: float
    policy: str


class FrameComposer:
    """Draws the pictures of some cameras side by side, with a caption below.

    Parameters
    ----------
    cameras : tuple[str, ...]
        From left to right.

    """

    def __init__(self, cameras: tuple[str, ...]) -> None:
        self.cameras = cameras
        self.size = (PANEL * len(cameras), PANEL + BAR)
        regular = font_manager.findfont('DejaVu Sans')
        bold = font_manager.findfont(font_manager.FontProperties(family='DejaVu Sans',
                                                                 weight='bold'))
        self._title = ImageFont.truetype(bold, 17)
        self._text = ImageFont.truetype(regular, 13)
        self._small = ImageFont.truetype(regular, 12)
        self._pill = ImageFont.truetype(bold, 12)

    def compose(self, images: Mapping[str, np.ndarray], caption: Caption) -> np.ndarray:
        """Return (height, width, 3) uint8 RGB; a camera that is missing stays dark."""
        canvas = Image.new('RGB', self.size, _GROUND)
        draw = ImageDraw.Draw(canvas)
        for i, name in enumerate(self.cameras):
            if name in images:
                canvas.paste(_fitted(images[name]), (i * PANEL, 0))
            else:
                draw.text((i * PANEL + PANEL // 2, PANEL // 2), 'no picture', _PALE, self._text,
                          anchor='mm')
            self._tag(draw, i * PANEL + 8, 8, name.replace('_', ' '))
        self._caption(draw, caption)
        return np.asarray(canvas)

    def _tag(self, draw: Any, x: int, y: int, text: str) -> None:
        left, top, right, bottom = draw.textbbox((x + 6, y + 4), text, self._small)
        draw.rounded_rectangle((left - 6, top - 4, right + 6, bottom + 4), 4, fill=(24, 28, 34))
        draw.text((x + 6, y + 4), text, _INK, self._small)

    def _caption(self, draw: Any, caption: Caption) -> None:
        width, right = self.size[0], self.size[0] - 12
        pill = draw.textlength(caption.mode or '-', self._pill)
        draw.rounded_rectangle((right - pill - 16, PANEL + 9, right, PANEL + 30), 10,
                               fill=_MODE_COLOURS.get(caption.mode, (90, 100, 110)))
        draw.text((right - 8 - pill / 2, PANEL + 20), caption.mode or '-', (255, 255, 255),
                  self._pill, anchor='mm')
        rows = ((20, caption.instruction, self._title, _INK, pill + 50),
                (44, caption.detail, self._text, _INK, 110),
                (65, f'policy: {caption.policy}', self._small, _PALE, 24))
        for y, text, font, colour, reserved in rows:
            draw.text((12, PANEL + y), _shortened(draw, text, font, width - 12 - reserved), colour,
                      font, anchor='lm')
        draw.text((right, PANEL + 44), f'{caption.seconds:.1f} s', _INK, self._text, anchor='rm')


class VideoWriter:
    """Encodes H.264 that every browser plays, in a thread of its own, at the speed of the stamps.

    Parameters
    ----------
    path : Path
        The mp4 to write.
    cameras : tuple[str, ...]
        From left to right.
    rate_hz : float
        Nominal rate; each frame is shown at its own time.

    """

    def __init__(self, path: Path, cameras: tuple[str, ...], rate_hz: float = 10.0) -> None:
        self.path = path
        self.frames = 0
        self.dropped = 0
        self.error: Exception | None = None
        self._rate = rate_hz
        self._composer = FrameComposer(cameras)
        self._queue: queue.Queue[tuple[int, Mapping[str, np.ndarray], Caption] | None] = (
            queue.Queue(_BACKLOG))
        self._thread = threading.Thread(target=self._run, name='video', daemon=True)
        self._thread.start()

    def add(self, stamp_ns: int, images: Mapping[str, np.ndarray], caption: Caption) -> None:
        """Append the pictures ((H, W, 3) uint8 RGB, by camera) of one moment; never blocks."""
        try:
            self._queue.put_nowait((stamp_ns, dict(images), caption))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Encode what still waits and finish the file; without a frame there is no file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        try:
            self._encode()
        except Exception as error:  # noqa: BLE001, the demo goes on, and its report says why
            self.error = error
            self.dropped, self.frames = self.dropped + self.frames, 0
            while self._queue.get() is not None:
                self.dropped += 1

    def _encode(self) -> None:
        first = self._queue.get()
        if first is None:
            return
        with av.open(str(self.path), 'w', options={'movflags': 'faststart'}) as container:
            stream = container.add_stream('libx264', rate=Fraction(self._rate).limit_denominator())
            stream.width, stream.height = self._composer.size
            stream.pix_fmt = 'yuv420p'
            # One thread and a quick preset: the two cores have a robot to move.
            stream.options = {'preset': 'veryfast', 'crf': '21', 'threads': '1'}
            stream.codec_context.time_base = _TIME_BASE
            start_ns, last = first[0], -1
            item: tuple[int, Mapping[str, np.ndarray], Caption] | None = first
            while item is not None:
                stamp_ns, images, caption = item
                frame = av.VideoFrame.from_ndarray(self._composer.compose(images, caption),
                                                   format='rgb24')
                frame.time_base = _TIME_BASE
                frame.pts = last = max(round((stamp_ns - start_ns) / 1e6), last + 1)
                container.mux(stream.encode(frame))
                self.frames += 1
                item = self._queue.get()
            container.mux(stream.encode())


class FramePairing:
    """Collects the pictures of all cameras that were taken at one moment.

    A moment is complete when every camera has it, or when a later one begins: pictures are sent
    best effort, and one that is lost must not stop the video.
    """

    def __init__(self, cameras: tuple[str, ...]) -> None:
        self._cameras = cameras
        self._stamp_ns: int | None = None
        self._images: dict[str, np.ndarray] = {}
        self._shown: dict[str, np.ndarray] = {}

    def add(self, camera: str, stamp_ns: int,
            image: np.ndarray) -> list[tuple[int, dict[str, np.ndarray]]]:
        """Take one picture; return the moments that are complete now (stamp, pictures)."""
        complete = []
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            return []  # too late
        if self._stamp_ns is not None and stamp_ns > self._stamp_ns and self._images:
            complete.append(self._take())
        self._stamp_ns = stamp_ns
        self._images[camera] = image
        if len(self._images) == len(self._cameras):
            complete.append(self._take())
        return complete

    def _take(self) -> tuple[int, dict[str, np.ndarray]]:
        assert self._stamp_ns is not None
        self._shown.update(self._images)
        self._images = {}
        return self._stamp_ns, dict(self._shown)


def _fitted(rgb: np.ndarray) -> Any:
    """Return a picture scaled to fit a panel, centred on the ground colour."""
    image = Image.fromarray(np.ascontiguousarray(rgb))
    scale = PANEL / max(image.size)
    image = image.resize((max(round(image.width * scale), 1), max(round(image.height * scale), 1)),
                         Image.BICUBIC)
    if image.size == (PANEL, PANEL):
        return image
    panel = Image.new('RGB', (PANEL, PANEL), _GROUND)
    panel.paste(image, ((PANEL - image.width) // 2, (PANEL - image.height) // 2))
    return panel


def _shortened(draw: Any, text: str, font: Any, width: float) -> str:
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + '…', font) > width:
        text = text[:-1]
    return text + '…'

"""Renders the simulated cameras in a thread of their own and publishes what they see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_ros.ros import qos
from vla_ros.ros.images import camera_info, compressed_from_rgb, image_from_rgb
from vla_ros.ros.pacing import RateWindow

_WINDOW_S = 3.0


class CameraStreams:
    """Publishes images of the snapshots it is given; drops those that it has no time for.

    Parameters
    ----------
    node : Node
        Publishes ``camera/<name>/image_raw``, ``…/compressed`` and ``camera/<name>/camera_info``.
    open_cameras : Callable[[], Any]
        Makes the cameras (``names``, ``intrinsics(name)``, ``render(snapshot)``, ``close()``) and
        draws once. It is called in the thread that will render, to which OpenGL is bound.
    jpeg_quality : int
        Quality of the compressed images in percent.

    Raises
    ------
    DependencyError
        When nothing on this machine can render.

    """

    def __init__(self, node: Node, open_cameras: Callable[[], Any], jpeg_quality: int) -> None:
        self._node = node
        self._open_cameras = open_cameras
        self._jpeg_quality = jpeg_quality
        self._changed = threading.Condition()
        self._pending: tuple[Any, int] | None = None
        self._running = True
        self._ready = False
        self._error: BaseException | None = None
        self._published = 0
        self._dropped = 0
        self._rate = RateWindow(_WINDOW_S)
        self._outputs: list[_Output] = []
        self._thread = threading.Thread(target=self._run, name='cameras', daemon=True)

    def start(self) -> None:
        """Open the cameras and begin; raises what opening them raised."""
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._error is not None)
        if self._error is not None:
            raise self._error

    def offer(self, snapshot: Any, stamp_ns: int, *, wait: bool = False) -> None:
        """Give a snapshot of the world, taken at ``stamp_ns``, to be rendered.

        One that still waits is replaced, so that the images are never late; with ``wait`` the
        caller waits for it instead (a simulation that runs as fast as it can).
        """
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._pending is None or not self._running)
            if self._pending is not None:
                self._dropped += 1
            self._pending = (snapshot, stamp_ns)
            self._changed.notify_all()

    def raise_error(self) -> None:
        """Raise what ended the rendering, if anything did."""
        if self._error is not None:
            raise self._error

    def report(self) -> dict[str, object]:
        """Return the images a second (wall time) of each camera, and the snapshots dropped."""
        with self._changed:
            self._rate.add(time.monotonic(), self._published)
            rate = self._rate.rate()
            return {'image rate [Hz]': 0.0 if rate is None else rate,
                    'images': self._published, 'dropped': self._dropped}

    def stop(self) -> None:
        """End the thread and close the cameras."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            cameras = self._open_cameras()
        except BaseException as error:  # raised again by start()
            self._fail(error)
            return
        try:
            self._outputs = [
                _Output(self._node, name, cameras.intrinsics(name), self._jpeg_quality)
                for name in cameras.names]
            with self._changed:
                self._ready = True
                self._changed.notify_all()
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._pending is not None or not self._running)
                    if not self._running:
                        return
                    assert self._pending is not None
                    snapshot, stamp_ns = self._pending
                    self._pending = None
                    self._changed.notify_all()
                images = cameras.render(snapshot)
                for output in self._outputs:
                    output.publish(images[output.name], stamp_ns)
                with self._changed:
                    self._published += 1
        except BaseException as error:
            self._fail(error)
        finally:
            cameras.close()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            self._running = False
            self._changed.notify_all()


class _Output:
    """The three topics of one camera."""

    def __init__(self, node: Node, name: str, K: Any, jpeg_quality: int) -> None:
        self.name = name
        self._K = K
        self._jpeg_quality = jpeg_quality
        self._frame_id = f'{name}_camera_optical_frame'
        topic = f'camera/{name}'
        self._image = node.create_publisher(Image, f'{topic}/image_raw', qos.CAMERA)
        self._compressed = node.create_publisher(
            CompressedImage, f'{topic}/image_raw/compressed', qos.CAMERA)
        self._info = node.create_publisher(CameraInfo, f'{topic}/camera_info', qos.CAMERA)

    def publish(self, rgb: Any, stamp_ns: int) -> None:
        height, width = rgb.shape[:2]
        self._image.publish(image_from_rgb(rgb, stamp_ns, self._frame_id))
        self._info.publish(camera_info(self._K, width, height, stamp_ns, self._frame_id))
        # Encoding takes longer than sending the raw image: only for somebody who wants it.
        if self._compressed.get_subscription_count():
            self._compressed.publish(compressed_from_rgb(
                rgb, stamp_ns, self._frame_id, quality=self._jpeg_quality))

"""Cameras: the images are of the snapshot whose time they bear, never late, encoded when wanted."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_ros.core.errors import DependencyError
from vla_ros.ros import camera_streams, qos
from vla_ros.ros.camera_streams import CameraStreams
from vla_ros.ros.images import rgb_from_compressed, rgb_from_image
from vla_ros.ros.stamps import to_ns

NAMES = ('third_person', 'wrist')


class FakeCameras:
    """Draws a snapshot (a number) as the brightness of every pixel."""

    names = NAMES

    def __init__(self):
        self.thread = threading.get_ident()
        self.gate = threading.Semaphore(0)
        self.drawing = threading.Semaphore(0)
        self.closed_by = None

    def intrinsics(self, name):
        return np.diag([100.0, 100.0, 1.0])

    def render(self, snapshot):
        assert threading.get_ident() == self.thread
        self.drawing.release()
        assert self.gate.acquire(timeout=20)
        if snapshot is None:
            raise RuntimeError('lost the device')
        return {name: np.full((4, 6, 3), snapshot + i, np.uint8) for i, name in enumerate(NAMES)}

    def close(self):
        self.closed_by = threading.get_ident()


@pytest.fixture
def streams(make_node):
    """Return (node, streams, fake cameras), started and later stopped."""
    node, opened = make_node('sim'), []
    running = CameraStreams(node, lambda: opened.append(FakeCameras()) or opened[0], 90)
    running.start()
    yield node, running, opened[0]
    opened[0].gate.release(100)
    running.stop()
    assert opened[0].closed_by == opened[0].thread


def listen(node, kind, topic):
    received = []
    node.create_subscription(kind, topic, received.append, qos.CAMERA)
    return received


def test_images_bear_the_time_of_their_snapshot(streams, make_node, spin_until):
    _, running, cameras = streams
    listener = make_node('listener')
    raw = {name: listen(listener, Image, f'camera/{name}/image_raw') for name in NAMES}
    infos = listen(listener, CameraInfo, 'camera/wrist/camera_info')
    spin_until([listener], lambda: all(o._image.get_subscription_count()
                                       and (o.name != 'wrist' or o._info.get_subscription_count())
                                       for o in running._outputs), 'match')
    cameras.gate.release(100)
    running.offer(40, 7_000)
    spin_until([], lambda: all(raw.values()) and infos, 'images')
    for i, name in enumerate(NAMES):
        msg = raw[name][0]
        assert to_ns(msg.header.stamp) == 7_000
        assert msg.header.frame_id == f'{name}_camera_optical_frame'
        assert np.all(rgb_from_image(msg) == 40 + i)
    assert (infos[0].width, infos[0].height, infos[0].k[0]) == (6, 4, 100.0)
    assert infos[0].header == raw['wrist'][0].header


def test_compressed_images_are_made_only_for_a_subscriber(streams, make_node, spin_until,
                                                          monkeypatch):
    node, running, cameras = streams
    encoded = []
    encode = camera_streams.compressed_from_rgb
    monkeypatch.setattr(camera_streams, 'compressed_from_rgb',
                        lambda *a, **k: encoded.append(a[2]) or encode(*a, **k))
    cameras.gate.release(100)
    running.offer(10, 1)
    spin_until([node], lambda: running.report()['images'] == 1, 'first images')
    assert encoded == []
    listener = make_node('listener')
    got = listen(listener, CompressedImage, 'camera/wrist/image_raw/compressed')
    spin_until([listener], lambda: running._outputs[1]._compressed.get_subscription_count(),
               'match')
    running.offer(200, 2)
    spin_until([], lambda: got, 'compressed image')
    assert encoded == ['wrist_camera_optical_frame']
    assert np.allclose(rgb_from_compressed(got[0]), 201, atol=2)


def test_newest_snapshot_replaces_one_that_waits(streams, spin_until):
    node, running, cameras = streams
    running.offer(1, 1)
    assert cameras.drawing.acquire(timeout=20)  # the first is being drawn, slowly
    for i in (2, 3, 4):
        running.offer(i, i)
    cameras.gate.release(2)
    spin_until([node], lambda: running.report()['images'] == 2, 'two images')
    assert running.report()['dropped'] == 2
    assert running._pending is None


def test_unlimited_simulation_waits_for_the_cameras_instead(streams, spin_until):
    node, running, cameras = streams
    cameras.gate.release(100)
    for i in range(20):
        running.offer(i, i, wait=True)
    spin_until([node], lambda: running.report()['images'] == 20, 'all images')
    assert running.report()['dropped'] == 0


def test_rendering_that_fails_is_raised_where_it_is_asked_for(streams, spin_until):
    node, running, cameras = streams
    cameras.gate.release(100)
    running.raise_error()
    running.offer(None, 1)
    spin_until([node], lambda: running._error is not None, 'the failure')
    with pytest.raises(RuntimeError, match='lost the device'):
        running.raise_error()
    running.offer(1, 2, wait=True)  # nobody will take it: this must not wait for ever


def test_start_raises_that_nothing_can_render(make_node):
    def no_graphics():
        raise DependencyError('install libegl1 or libosmesa6')

    with pytest.raises(DependencyError, match='install'):
        CameraStreams(make_node('sim'), no_graphics, 90).start()

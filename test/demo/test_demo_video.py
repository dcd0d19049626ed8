"""The video can be played, has every frame, and plays at the speed of the stamps."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('av')

import av

from vla_ros.demo.video import BAR, PANEL, Caption, FrameComposer, FramePairing, VideoWriter

CAMERAS = ('third_person', 'wrist')
CAPTION = Caption('pick up the insulator', 'lifted 1 cm', 'AUTONOMOUS', 1.5,
                  'scripted expert (privileged)')
RED, BLUE = (np.full((256, 256, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))


def write(path, stamps_ms, **options) -> VideoWriter:
    video = VideoWriter(path, CAMERAS, **options)
    for ms in stamps_ms:
        video.add(ms * 1_000_000, {'third_person': RED, 'wrist': BLUE}, CAPTION)
    video.close()
    return video


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return stream.codec_context, frames


def test_every_frame_comes_out_again_in_a_format_that_browsers_play(tmp_path):
    path = tmp_path / 'demo.mp4'
    video = write(path, range(0, 1200, 100))
    assert (video.frames, video.dropped, video.error) == (12, 0, None)
    codec, frames = decoded(path)
    assert (codec.name, codec.pix_fmt) == ('h264', 'yuv420p')
    assert len(frames) == 12
    assert (frames[0].width, frames[0].height) == (2 * PANEL, PANEL + BAR)


def test_the_cameras_are_side_by_side_in_the_given_order(tmp_path):
    path = tmp_path / 'demo.mp4'
    write(path, [0, 100])
    picture = decoded(path)[1][0].to_ndarray(format='rgb24')
    left, right = picture[PANEL // 2, PANEL // 2], picture[PANEL // 2, PANEL + PANEL // 2]
    assert left[0] > 150 > 60 > left[2]
    assert right[2] > 150 > 60 > right[0]


def test_it_plays_at_the_speed_of_the_stamps_also_across_a_lost_frame(tmp_path):
    path = tmp_path / 'demo.mp4'
    write(path, [5000, 5100, 5400, 5500])
    times = [frame.time for frame in decoded(path)[1]]
    assert times == pytest.approx([0.0, 0.1, 0.4, 0.5], abs=2e-3)


def test_without_a_frame_there_is_no_file(tmp_path):
    video = write(tmp_path / 'demo.mp4', [])
    assert video.frames == 0
    assert not (tmp_path / 'demo.mp4').exists()


def test_an_encoder_that_fails_is_told_and_nobody_is_blocked(tmp_path):
    video = write(tmp_path / 'no' / 'such' / 'folder.mp4', range(0, 10_000, 100))
    assert video.error is not None
    assert video.frames == 0


@pytest.mark.parametrize('shape', [(256, 256), (480, 640), (720, 405)])
def test_pictures_of_any_size_fit_their_panel(shape):
    picture = np.full((*shape, 3), 255, np.uint8)
    frame = FrameComposer(CAMERAS).compose({'third_person': picture}, CAPTION)
    assert frame.shape == (PANEL + BAR, 2 * PANEL, 3)
    assert (frame[PANEL // 2, PANEL // 2] == 255).all()


def test_the_caption_is_drawn_and_a_long_one_stays_inside():
    composer = FrameComposer(CAMERAS)
    empty = composer.compose({}, Caption('', '', '', 0.0, ''))
    long = composer.compose({}, Caption('word ' * 100, 'x' * 400, 'HOLD', 1.0, 'p' * 400))
    bar = slice(PANEL, PANEL + BAR)
    assert (empty[bar] != long[bar]).any()
    # The pill with the mode keeps its ground: the text ends before it.
    assert (long[PANEL + 12, 2 * PANEL - 40] == (214, 150, 40)).all()
    assert (empty[:PANEL] == long[:PANEL]).all()


def test_pictures_of_one_moment_are_shown_together():
    pairing = FramePairing(CAMERAS)
    assert pairing.add('third_person', 1, RED) == []
    [(stamp, images)] = pairing.add('wrist', 1, BLUE)
    assert stamp == 1
    assert images['third_person'] is RED
    assert images['wrist'] is BLUE


def test_a_lost_picture_does_not_stop_the_video():
    pairing = FramePairing(CAMERAS)
    pairing.add('third_person', 1, RED)
    pairing.add('wrist', 1, BLUE)
    pairing.add('third_person', 2, BLUE)
    [(stamp, images)] = pairing.add('third_person', 3, RED)  # wrist of 2 was lost
    assert stamp == 2
    assert images['third_person'] is BLUE
    assert images['wrist'] is BLUE, 'the last one stays'
    assert [stamp for stamp, _ in pairing.add('wrist', 3, BLUE)] == [3]


def test_a_picture_that_comes_too_late_is_left_out():
    pairing = FramePairing(CAMERAS)
    pairing.add('third_person', 5, RED)
    assert pairing.add('wrist', 4, BLUE) == []
    assert [stamp for stamp, _ in pairing.add('wrist', 5, BLUE)] == [5]

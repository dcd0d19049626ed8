"""Bridge, UMI and LIBERO episodes become bags (called derived) that a replay can read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip('av', reason='PyAV is not installed')

from vla_ros.core.errors import InputError
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_info import inspect_bag
from vla_ros.replay.episode_bag import read_episode, write_episode
from vla_ros.replay.public_episodes import read_public


@pytest.fixture
def bridge(episodes):
    return read_public(episodes / 'bridge_25x10.npz')


def test_bridge_survives_as_bags_to_the_byte(bridge, tmp_path):
    assert len(bridge) == 25
    for i, episode in enumerate(bridge[::6]):
        write_episode(tmp_path / str(i), episode)
        found = read_episode(tmp_path / str(i))
        assert np.array_equal(found.state, episode.state)
        assert np.array_equal(found.actions, episode.actions)
        assert found.instruction == episode.instruction != ''
        assert list(found.encoded_frames('third_person')) == list(
            episode.encoded_frames('third_person')), 'the JPEGs themselves'


def test_bridge_bag_lacks_only_the_wrist_camera(bridge, tmp_path):
    write_episode(tmp_path / 'bag', bridge[0])
    with Bag(tmp_path / 'bag') as bag:
        info = inspect_bag(bag)
    assert set(info.missing) == {'wrist'}
    assert info.recorded['chunks'].topic == '/action_chunk'
    pictures = {topic.name: topic.pictures for topic in info.topics}
    assert pictures['/camera/third_person/image_raw/compressed'] == {
        '64x64 rgb8; jpeg compressed bgr8': 10}


def test_umi_has_every_frame_of_its_video(episodes, tmp_path):
    episode = read_public(episodes / 'umi_cup.npz')[0]
    assert (episode.steps, episode.rate_hz) == (400, 10.0)
    assert sum(rgb.shape == (224, 224, 3) for rgb in episode.frames('wrist')) == 400
    write_episode(tmp_path / 'bag', episode, 'jpeg')
    found = read_episode(tmp_path / 'bag')
    assert np.array_equal(found.state, episode.state)
    assert np.array_equal(found.stamps_ns, episode.stamps_ns)
    for ours, theirs in itertools.islice(zip(found.frames('wrist'), episode.frames('wrist'),
                                             strict=True), 0, 400, 40):
        assert np.abs(ours.astype(int) - theirs).mean() < 3


def test_libero_observation_has_both_cameras_and_its_task(episodes, tmp_path):
    episode = read_public(episodes / 'libero_spatial_observation.npz')[0]
    write_episode(tmp_path / 'bag', episode)
    with Bag(tmp_path / 'bag') as bag:
        assert inspect_bag(bag).missing == {}
    found = read_episode(tmp_path / 'bag')
    assert found.instruction.startswith('pick up the black bowl')
    assert np.array_equal(found.state, episode.state)
    for camera in ('third_person', 'wrist'):
        assert np.array_equal(next(found.frames(camera)), next(episode.frames(camera)))


def test_damaged_excerpts_are_refused(episodes, tmp_path):
    arrays = dict(np.load(episodes / 'bridge_25x10.npz'))
    arrays['e03_image_jpeg'] = arrays['e03_image_jpeg'][:-5]
    np.savez(tmp_path / 'cut.npz', **arrays)
    with pytest.raises(InputError, match='e03: .* bytes of pictures, but their lengths'):
        read_public(tmp_path / 'cut.npz')
    umi = dict(np.load(episodes / 'umi_cup.npz'))
    np.savez(tmp_path / 'umi.npz', **umi)
    with pytest.raises(InputError, match=r'umi\.mp4 is not beside it'):
        read_public(tmp_path / 'umi.npz')
    np.savez(tmp_path / 'other.npz', a=np.zeros(3))
    with pytest.raises(InputError, match='neither an episode'):
        read_public(tmp_path / 'other.npz')

"""Episodes go into bags, data sets and back: numbers exactly, pictures within their codec."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.image_codec import encode_rgb
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.episode import Episode, regular_stamps
from vla_ros.replay.episode_bag import read_episode, write_episode
from vla_ros.replay.episode_npz import is_npz_episode, read_npz, write_npz
from vla_ros.replay.topic_choice import JOINT_STATE

NAMES = ('x', 'y', 'gripper')


def smooth(number: int, width: int = 32, height: int = 24) -> np.ndarray:
    """Return a picture that a codec keeps well."""
    across, down = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return np.dstack([across, down, np.full_like(across, 10 * number % 200)]).astype(np.uint8)


def make(steps=6, cameras=('third_person', 'wrist'), encoded=False, seed=0, rate=5.0, **changes):
    rng = np.random.default_rng(seed)
    pictures = [smooth(i + seed) for i in range(steps)]
    frames = [encode_rgb(rgb) for rgb in pictures] if encoded else pictures
    episode = Episode(regular_stamps(steps, rate), {camera: lambda: iter(frames)
                                                    for camera in cameras},
                      rng.normal(size=(steps, 3)), NAMES, rng.normal(size=(steps, 2)), ('x', 'y'),
                      'put it there', rate, f'made {seed}')
    return replace(episode, **changes)


def assert_same_numbers(found, expected, dtype=np.float64):
    assert np.array_equal(found.stamps_ns, expected.stamps_ns)
    assert np.array_equal(found.state, expected.state.astype(dtype))
    assert np.array_equal(found.actions, expected.actions.astype(dtype))
    assert (found.state_names, found.action_names) == (expected.state_names, expected.action_names)
    assert found.instruction == expected.instruction
    assert found.rate_hz == expected.rate_hz
    assert list(found.images) == list(expected.images)


def assert_same_frames(found, expected):
    for camera in expected.images:
        for ours, theirs in zip(found.encoded_frames(camera), expected.encoded_frames(camera),
                                strict=True):
            assert type(ours) is type(theirs)
            assert ours == theirs if isinstance(ours, bytes) else np.array_equal(ours, theirs)


@pytest.mark.parametrize('encoded', [False, True])
@pytest.mark.parametrize('steps', [1, 6])
def test_bag_gives_back_the_episode_exactly(tmp_path, encoded, steps):
    episode = make(steps, encoded=encoded)
    write_episode(tmp_path / 'bag', episode)
    found = read_episode(tmp_path / 'bag')
    assert_same_numbers(found, episode)
    assert_same_frames(found, episode)


def test_bag_says_that_it_is_derived(tmp_path):
    write_episode(tmp_path / 'bag', make())
    with Bag(tmp_path / 'bag') as bag:
        assert bag.custom['derived_from'] == 'made 0'
        assert '"derived": true' in bag.message(next(bag.records(['/episode']))).data


@pytest.mark.parametrize(('image_format', 'worst'), [('raw', 0), ('png', 0), ('jpeg', 12)])
def test_pictures_are_written_in_the_format_that_is_asked_for(tmp_path, image_format, worst):
    write_episode(tmp_path / 'bag', make(), image_format)
    compressed = '' if image_format == 'raw' else '/compressed'
    with Bag(tmp_path / 'bag') as bag:
        assert f'/camera/wrist/image_raw{compressed}' in bag.topics
    found = read_episode(tmp_path / 'bag')
    for ours, theirs in zip(found.frames('wrist'), make().frames('wrist'), strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= worst


@pytest.mark.parametrize('encoded', [False, True])
def test_npz_gives_back_the_episode_exactly(tmp_path, encoded):
    episode = make(encoded=encoded)
    write_npz(tmp_path / 'e.npz', episode)
    found = read_npz(tmp_path / 'e.npz')
    assert is_npz_episode(tmp_path / 'e.npz')
    assert_same_numbers(found, episode)
    for camera in episode.images:
        assert all(np.array_equal(a, b) for a, b in zip(
            found.frames(camera), episode.frames(camera), strict=True))


def test_npz_is_read_with_numpy_alone_and_marks_the_ends(tmp_path):
    write_npz(tmp_path / 'e.npz', make())
    with np.load(tmp_path / 'e.npz') as arrays:
        assert arrays['steps/observation/image/wrist'].shape == (6, 24, 32, 3)
        assert arrays['steps/is_first'].tolist() == [True] + [False] * 5
        assert arrays['steps/is_last'].tolist() == [False] * 5 + [True]
        assert set(arrays['steps/language_instruction']) == {'put it there'}
    with pytest.raises(ConfigError, match='exists already'):
        write_npz(tmp_path / 'e.npz', make())


@pytest.fixture
def run(tmp_path):
    """A run whose streams have their own rates: pictures 10 Hz, states 100 Hz, chunks of 5."""
    with BagWriter(tmp_path / 'run') as bag:
        for i in range(200):
            at = 10 ** 9 + i * 10 ** 7
            bag.write_message('/joint_states', JOINT_STATE, at, messages.joint_state(
                ('b', 'a') if i % 2 else ('a', 'b'), [-i, i] if i % 2 else [i, -i], at))
            if i % 10 == 0:
                bag.write_message('/camera/wrist/image_raw', 'sensor_msgs/msg/Image', at,
                                  messages.image(smooth(i), at + 3_000_000, ''))
            if i % 20 == 5:
                chunk = (at - 10 ** 9) * 1e-9 + np.arange(5)[:, None] * 0.1
                bag.write_message('/action_chunk', 'trajectory_msgs/msg/JointTrajectory', at,
                                  messages.action_chunk(['z'], chunk, 10 ** 8, at, ''))
    return tmp_path / 'run'


def test_streams_are_joined_by_stamp_and_joints_by_name(run):
    episode = read_episode(run)
    assert episode.state_names == ('a', 'b')
    # The picture i is stamped 3 ms after the state i.
    first = round((episode.stamps_ns[0] - 10 ** 9 - 3_000_000) / 10 ** 7)
    assert episode.state[:, 0].tolist() == list(range(first, first + 10 * episode.steps, 10))
    assert (episode.state[:, 1] == -episode.state[:, 0]).all()


def test_action_is_the_step_that_is_due(run):
    episode = read_episode(run, tolerance_s=0.06)
    seconds = (episode.stamps_ns - 10 ** 9) * 1e-9
    assert np.abs(episode.actions[:, 0] - seconds).max() <= 0.051, 'half a step of the chunk'
    assert read_episode(run, actions='none').action_names == ()


def test_resampling_is_even_and_takes_the_nearest(run):
    episode = read_episode(run, rate_hz=20, actions='none')
    assert set(np.diff(episode.stamps_ns)) == {50_000_000}
    assert (episode.rate_hz, episode.steps) == (20, len(list(episode.frames('wrist'))))
    wanted = (episode.stamps_ns - 10 ** 9) / 10 ** 7
    assert np.abs(episode.state[:, 0] - wanted).max() <= 0.5 + 1e-9


def test_hole_in_a_stream_is_named(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(40):
            at = 10 ** 9 + i * 10 ** 8
            bag.write_message('/wrist', 'sensor_msgs/msg/Image', at,
                              messages.image(smooth(i), at, ''))
            if not 10 < i < 30:
                bag.write_message('/joint_states', JOINT_STATE, at,
                                  messages.joint_state(['a'], [i], at))
    with pytest.raises(InputError, match=r'/joint_states: no message within 0\.1 s of step'):
        read_episode(tmp_path / 'bag')
    assert read_episode(tmp_path / 'bag', tolerance_s=1.0).steps == 40


def test_bag_without_a_camera_is_no_episode(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_message('/joint_states', JOINT_STATE, 1, messages.joint_state(['a'], [0.0], 1))
    with pytest.raises(InputError, match='no camera'):
        read_episode(tmp_path / 'bag')


@pytest.mark.parametrize(('changes', 'words'), [
    ({'stamps_ns': np.array([3, 2, 1, 4, 5, 6])}, 'step 1 is not after'),
    ({'state': np.full((6, 3), np.nan)}, 'state of step 0 are not finite'),
    ({'actions': np.zeros((5, 2))}, r'actions of shape \(5, 2\), expected \(6, 2\)'),
    ({'rate_hz': float('nan')}, 'a rate of nan'),
])
def test_episode_that_does_not_fit_itself_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        make(**changes)


@pytest.mark.parametrize('count', [5, 7])
def test_pictures_that_are_not_as_many_as_the_steps_are_refused(tmp_path, count):
    episode = make(images={'wrist': lambda: iter([smooth(0)] * count)})
    with pytest.raises(InputError, match=r'wrist has (5|more) pictures for 6 steps'):
        list(episode.frames('wrist'))
    with pytest.raises(InputError, match='pictures for 6 steps'):
        write_episode(tmp_path / 'bag', episode)

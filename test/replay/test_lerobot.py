"""The LeRobot layouts: what goes out comes back, in the files and columns that others expect."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('pyarrow', reason='pyarrow is not installed')
pytest.importorskip('av', reason='PyAV is not installed')

import pyarrow as pa
import pyarrow.parquet as pq

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.image_codec import encode_rgb
from vla_ros.replay import lerobot_layout
from vla_ros.replay.episode import Episode, regular_stamps
from vla_ros.replay.episode_bag import read_episode, write_episode
from vla_ros.replay.episode_source import open_episodes
from vla_ros.replay.lerobot_layout import VERSIONS, merged_stats, vector_stats
from vla_ros.replay.lerobot_reader import LeRobotDataset
from vla_ros.replay.lerobot_writer import write_lerobot

NAMES = ('x', 'y', 'gripper')


def picture(number, width=64, height=48):
    across, down = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return np.dstack([across, down, np.full_like(across, 20 * number % 250)]).astype(np.uint8)


def make(index=0, steps=7, width=64, cameras=('third_person', 'wrist'), rate=10.0, names=NAMES):
    rng = np.random.default_rng(index)
    frames = {camera: (lambda k=k: (picture(index * 3 + i + 5 * k, width) for i in range(steps)))
              for k, camera in enumerate(cameras)}
    return Episode(regular_stamps(steps, rate, 5 * 10 ** 9), frames,
                   rng.normal(size=(steps, len(names))), names, rng.normal(size=(steps, 2)),
                   ('x', 'y'), f'task {index % 2}', rate, f'made {index}')


EPISODES = [make(0), make(1, 4), make(2, 9)]


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_data_set_gives_back_every_episode(tmp_path, version, dtype):
    info = write_lerobot(tmp_path / 'ds', EPISODES, version, dtype)
    assert (info['total_episodes'], info['total_frames'], info['total_tasks']) == (3, 20, 2)
    found = open_episodes(tmp_path / 'ds')
    assert len(found) == 3
    for index, episode in enumerate(EPISODES):
        back = found.episode(index)
        assert np.array_equal(back.state, episode.state.astype(dtype))
        assert np.array_equal(back.actions, episode.actions.astype(dtype))
        assert np.array_equal(back.stamps_ns, episode.stamps_ns)
        assert (back.instruction, back.rate_hz, back.state_names, back.action_names) == (
            episode.instruction, episode.rate_hz, episode.state_names, episode.action_names)
        assert set(back.images) == set(episode.images)
        for camera in episode.images:
            for ours, theirs in zip(back.frames(camera), episode.frames(camera), strict=True):
                assert np.abs(ours.astype(int) - theirs).mean() < 2, 'within the codec'


def test_bag_to_data_set_to_bag(tmp_path, version):
    for index, episode in enumerate(EPISODES[:2]):
        write_episode(tmp_path / f'bag{index}', episode)
    write_lerobot(tmp_path / 'ds', (read_episode(tmp_path / f'bag{i}') for i in range(2)), version,
                  'float64')
    for index, episode in enumerate(EPISODES[:2]):
        write_episode(tmp_path / f'again{index}', open_episodes(tmp_path / 'ds').episode(index))
        back = read_episode(tmp_path / f'again{index}')
        assert np.array_equal(back.state, episode.state)
        assert np.array_equal(back.actions, episode.actions)
        assert np.array_equal(back.stamps_ns, episode.stamps_ns)


def test_files_are_where_the_layout_has_them(tmp_path, version):
    write_lerobot(tmp_path / 'ds', EPISODES, version)
    found = {str(path.relative_to(tmp_path / 'ds')) for path in (tmp_path / 'ds').rglob('*.*')
             if path.is_file()}
    camera = 'observation.images.wrist'
    if version == 'v2.1':
        expected = {'meta/info.json', 'meta/tasks.jsonl', 'meta/episodes.jsonl',
                    'meta/episodes_stats.jsonl', 'data/chunk-000/episode_000002.parquet',
                    f'videos/chunk-000/{camera}/episode_000002.mp4'}
    else:
        expected = {'meta/info.json', 'meta/tasks.parquet', 'meta/stats.json',
                    'meta/episodes/chunk-000/file-000.parquet', 'data/chunk-000/file-000.parquet',
                    f'videos/{camera}/chunk-000/file-000.mp4'}
    assert expected <= found
    info = json.loads((tmp_path / 'ds/meta/info.json').read_text())
    assert info['codebase_version'] == version
    assert info['features']['observation.state'] == {
        'dtype': 'float32', 'shape': [3], 'names': list(NAMES)}
    assert info['features'][camera]['shape'] == [48, 64, 3]


def test_columns_of_the_steps_count_as_the_layout_wants(tmp_path):
    write_lerobot(tmp_path / 'ds', EPISODES, 'v3.0')
    table = pq.read_table(tmp_path / 'ds/data/chunk-000/file-000.parquet').to_pydict()
    assert table['index'] == list(range(20))
    assert table['episode_index'] == [0] * 7 + [1] * 4 + [2] * 9
    assert table['frame_index'] == [*range(7), *range(4), *range(9)]
    assert table['task_index'] == [0] * 7 + [1] * 4 + [0] * 9
    assert np.allclose(table['timestamp'][:3], [0, 0.1, 0.2])
    rows = pq.read_table(tmp_path / 'ds/meta/episodes/chunk-000/file-000.parquet').to_pylist()
    assert [(row['dataset_from_index'], row['dataset_to_index']) for row in rows] == [
        (0, 7), (7, 11), (11, 20)]
    key = 'videos/observation.images.wrist'
    assert [row[f'{key}/from_timestamp'] for row in rows] == pytest.approx([0, 0.7, 1.1])
    tasks = pq.read_table(tmp_path / 'ds/meta/tasks.parquet')
    assert json.loads(tasks.schema.metadata[b'pandas'])['index_columns'] == ['__index_level_0__']


def test_full_files_are_followed_by_others(tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_layout, 'DATA_MB', 1e-4)
    monkeypatch.setattr(lerobot_layout, 'VIDEO_MB', 1e-4)
    monkeypatch.setattr('vla_ros.replay.lerobot_writer.CHUNK', 2)
    write_lerobot(tmp_path / 'ds', [make(i, 100) for i in range(5)], 'v3.0', 'float64')
    assert len(list((tmp_path / 'ds/data').rglob('*.parquet'))) == 5
    assert (tmp_path / 'ds/data/chunk-002/file-000.parquet').is_file()
    assert len(list((tmp_path / 'ds/videos').rglob('*.mp4'))) > 2
    found = LeRobotDataset(tmp_path / 'ds')
    for index in range(5):
        episode, back = make(index, 100), found.episode(index)
        assert np.array_equal(back.state, episode.state)
        for ours, theirs in zip(back.frames('wrist'), episode.frames('wrist'), strict=True):
            assert np.abs(ours.astype(int) - theirs).mean() < 2


def test_statistics_of_parts_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    parts = [rng.normal(i, i + 1, (n, 3)) for i, n in enumerate((5, 50, 1))]
    merged = merged_stats([{'a': vector_stats(part)} for part in parts])['a']
    whole = vector_stats(np.vstack(parts))
    for name, value in whole.items():
        assert np.allclose(merged[name], value), name


@pytest.mark.parametrize(('other', 'words'), [
    (make(1, width=32), 'sizes'), (make(1, cameras=('wrist',)), 'sizes'),
    (make(1, rate=5.0), 'rate_hz 5 instead of 10'), (make(1, names=('a', 'b', 'c')),
                                                     'state_names')])
def test_episode_that_does_not_fit_the_others_leaves_nothing_behind(tmp_path, version, other,
                                                                    words):
    with pytest.raises(InputError, match=f'made 1 does not fit.*{words}'):
        write_lerobot(tmp_path / 'ds', [make(0), other], version)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_why(tmp_path, version):
    with pytest.raises(InputError, match='no episode'):
        write_lerobot(tmp_path / 'ds', [], version)
    with pytest.raises(InputError, match=r'9\.700 steps a second.*whole number'):
        write_lerobot(tmp_path / 'ds', [make(rate=9.7)], version)
    with pytest.raises(InputError, match='must be even, found 63x48'):
        write_lerobot(tmp_path / 'ds', [make(width=63)], version)
    with pytest.raises(ConfigError, match=r'v2\.1, v3\.0'):
        write_lerobot(tmp_path / 'ds', EPISODES, 'v4')
    write_lerobot(tmp_path / 'ds', [make()], version)
    with pytest.raises(ConfigError, match='exists already'):
        write_lerobot(tmp_path / 'ds', [make()], version)


def test_damaged_data_sets_are_refused(tmp_path, version):
    path = tmp_path / 'ds'
    write_lerobot(path, EPISODES, version)
    video = sorted((path / 'videos').rglob('*.mp4'))[-1]
    video.write_bytes(video.read_bytes()[:200])
    with pytest.raises(InputError, match='mp4'):
        list(LeRobotDataset(path).episode(2).frames('wrist'))
    sorted((path / 'data').rglob('*.parquet'))[0].write_bytes(b'nothing')
    with pytest.raises(InputError, match='cannot be read'):
        LeRobotDataset(path).episode(0)
    about = path / 'meta/info.json'
    info = json.loads(about.read_text())
    for changes, words in (({'codebase_version': 'v1.6'}, 'version v1.6'),
                           ({'total_episodes': 9}, 'says 9 episodes, 3 are listed')):
        about.write_text(json.dumps({**info, **changes}))
        with pytest.raises(InputError, match=words):
            LeRobotDataset(path)
    about.unlink()
    with pytest.raises(ConfigError, match='no LeRobot dataset'):
        LeRobotDataset(path)


def test_video_that_is_too_short_is_found_out(tmp_path):
    write_lerobot(tmp_path / 'a', [make(0, 4)], 'v2.1')
    write_lerobot(tmp_path / 'b', [make(0, 9)], 'v2.1')
    name = 'videos/chunk-000/observation.images.wrist/episode_000000.mp4'
    (tmp_path / 'a' / name).replace(tmp_path / 'b' / name)
    with pytest.raises(InputError, match=r'4 frames from 0\.000 s on, expected 9'):
        list(LeRobotDataset(tmp_path / 'b').episode(0).frames('wrist'))


def test_pictures_inside_the_table_are_read(tmp_path):
    """Data sets without video keep PNGs in the parquet file."""
    write_lerobot(tmp_path / 'ds', [make(0, 3, cameras=())], 'v2.1')
    file = tmp_path / 'ds/data/chunk-000/episode_000000.parquet'
    column = pa.array([{'bytes': encode_rgb(picture(i), 'png'), 'path': f'{i}.png'}
                       for i in range(3)])
    pq.write_table(pq.read_table(file).append_column('observation.image', column), file)
    about = tmp_path / 'ds/meta/info.json'
    info = json.loads(about.read_text())
    info['features']['observation.image'] = {'dtype': 'image', 'shape': [48, 64, 3], 'names': None}
    about.write_text(json.dumps(info))
    episode = LeRobotDataset(tmp_path / 'ds').episode(0)
    for i, rgb in enumerate(episode.frames('image')):
        assert np.array_equal(rgb, picture(i))


def test_names_of_other_writers_are_understood(tmp_path, version):
    write_lerobot(tmp_path / 'ds', [make()], version)
    about = tmp_path / 'ds/meta/info.json'
    info = json.loads(about.read_text())
    info['features']['observation.state']['names'] = {'motors': ['m1', 'm2', 'm3']}
    info['features']['action']['names'] = None
    about.write_text(json.dumps(info))
    episode = LeRobotDataset(tmp_path / 'ds').episode(0)
    assert episode.state_names == ('m1', 'm2', 'm3')
    assert episode.action_names == ('action_0', 'action_1')

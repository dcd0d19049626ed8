"""``vla-ros episode``: list, import and export."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')
pytest.importorskip('pyarrow', reason='pyarrow is not installed')
pytest.importorskip('av', reason='PyAV is not installed')

from vla_ros.cli.episode import chosen_episodes
from vla_ros.cli.main import main
from vla_ros.core.errors import ConfigError
from vla_ros.replay.episode import Episode, regular_stamps
from vla_ros.replay.episode_bag import read_episode
from vla_ros.replay.episode_npz import write_npz


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / 'episodes'
    for index in range(3):
        steps = 4 + index
        write_npz(folder / f'e{index}.npz', Episode(
            regular_stamps(steps, 5), {'wrist': lambda steps=steps: iter(
                [np.zeros((16, 16, 3), np.uint8)] * steps)},
            np.full((steps, 1), float(index)), ('x',), np.zeros((steps, 1)), ('x',),
            '' if index == 1 else 'go', 5.0, f'e{index}'))
    return folder


def test_episodes_go_to_bags_and_on_to_every_format(source, tmp_path, capsys):
    bags = tmp_path / 'bags'
    assert main(['episode', 'import', str(source), str(bags), '--episodes', '0-1',
                 '--instruction', 'given']) == 0
    names = sorted(path.name for path in bags.iterdir())
    assert names == ['episode_000000', 'episode_000001']
    assert [read_episode(bags / name).instruction for name in names] == ['go', 'given']
    for kind in ('lerobot-v3.0', 'lerobot-v2.1', 'npz'):
        out = tmp_path / kind
        assert main(['episode', 'export', *(str(bags / name) for name in names), str(out),
                     '--format', kind]) == 0
        capsys.readouterr()
        assert main(['episode', 'list', str(out), '--json']) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [(row['steps'], row['instruction']) for row in rows] == [(4, 'go'), (5, 'given')]


def test_wrong_arguments_exit_with_2_and_unreadable_files_with_1(source, tmp_path, capsys):
    assert main(['episode', 'list', str(tmp_path / 'nothing')]) == 2
    assert main(['episode', 'import', str(source), str(tmp_path / 'o'), '--episodes', '7']) == 2
    assert 'there are 0 to 2' in capsys.readouterr().err
    assert main(['episode', 'import', str(source), str(tmp_path / 'o'), '--images', 'gif']) == 2
    assert 'jpeg' in capsys.readouterr().err
    broken = tmp_path / 'x.npz'
    broken.write_bytes(b'nothing')
    assert main(['episode', 'list', str(broken)]) == 1


def test_list_of_episodes_is_read_as_people_write_it():
    assert chosen_episodes('', 3) == [0, 1, 2]
    assert chosen_episodes('0, 2-4,1', 9) == [0, 2, 3, 4, 1]
    for text in ('a', '1-', '1-b'):
        with pytest.raises(ConfigError, match='neither a number nor a range'):
            chosen_episodes(text, 9)

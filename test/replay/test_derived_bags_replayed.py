"""Public episodes as derived bags, replayed: every recorded picture reaches the policy in its turn.

The policy knows each picture of the episode by its pixels and answers what the public file says of
it, so that an error of zero needs the right picture, at the right time, against the right action.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

pytest.importorskip('av', reason='PyAV is not installed')

from vla_ros.cli.main import main
from vla_ros.core.errors import InputError
from vla_ros.core.se3 import rotation_from_vector, vector_from_rotation
from vla_ros.core.types import EE_DIMS, ActionChunk, ActionConvention, Rotation
from vla_ros.policy import POLICIES
from vla_ros.policy.protocol import PolicySpec
from vla_ros.replay.episode_bag import write_episode
from vla_ros.replay.public_episodes import read_public


class Remembering:
    """A policy that answers each picture with what it was told of it."""

    def __init__(self, camera, pictures, actions, spec):
        self.spec = spec
        self._camera = camera
        self._known = {picture.tobytes(): action
                       for picture, action in zip(pictures, actions, strict=True)}
        self.instructions: set[str] = set()
        self.states: list[np.ndarray] = []

    def warm_up(self):
        """Nothing to do."""

    def check_instruction(self, instruction):
        """Any will do."""

    def infer(self, observation):
        picture = observation.images[self._camera]
        if picture.tobytes() not in self._known:
            raise InputError('a picture that the episode does not have')
        self.instructions.add(observation.instruction)
        self.states.append(np.asarray(observation.state['proprio']))
        action = np.atleast_2d(self._known[picture.tobytes()])
        return ActionChunk(observation.stamp_ns, self.spec.dt_ns, action, self.spec.dims,
                           self.spec.convention)


@pytest.fixture
def replayed(monkeypatch, tmp_path, capsys):
    """Return the function that replays a bag with a policy: (exit status, result)."""
    def run(bag, policy, *arguments):
        monkeypatch.setitem(POLICIES, 'remembering', lambda: policy)
        status = main(['replay', str(bag), '--policy', 'remembering', '--json', '--quiet',
                       *map(str, arguments)])
        captured = capsys.readouterr()
        assert captured.out, captured.err
        return status, json.loads(captured.out)
    return run


def bridge_policy(episode, actions):
    spec = PolicySpec('remembering', 'test', ('third_person',), False, 200_000_000, 1,
                      ActionConvention(rotation=Rotation.RPY), episode.action_names)
    return Remembering('third_person', list(episode.frames('third_person')), actions, spec)


def test_bridge_episodes_replayed_against_themselves_give_no_error(episodes, tmp_path, replayed):
    for number in (0, 7, 24):
        episode = read_public(episodes / 'bridge_25x10.npz')[number]
        bag = tmp_path / str(number)
        write_episode(bag, episode)
        policy = bridge_policy(episode, episode.actions)
        expect = tmp_path / 'expect.yaml'
        expect.write_text('l1_max: 0\nmissed: 0\ncompared: 10\n', encoding='utf-8')
        status, result = replayed(bag, policy, '--expect', expect)
        assert status == 0
        assert result['against'] == 'chunks'
        assert policy.instructions == {episode.instruction}
        assert np.allclose(np.unique(policy.states, axis=0), np.unique(episode.state, axis=0))


def test_bridge_replayed_one_step_late_fails_the_expectation(episodes, tmp_path, replayed):
    episode = read_public(episodes / 'bridge_25x10.npz')[0]
    write_episode(tmp_path / 'bag', episode)
    expect = tmp_path / 'expect.yaml'
    expect.write_text('relative: 0.01\n', encoding='utf-8')
    late = bridge_policy(episode, np.roll(episode.actions, 1, axis=0))
    status, result = replayed(tmp_path / 'bag', late, '--expect', expect,
                              '--report', tmp_path / 'out')
    assert status == 1
    assert result['metrics']['relative'] > 0.05
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'FAILED' in page and 'data:image/jpeg' in page


def test_umi_replayed_against_the_states_that_followed_gives_no_error(
        episodes, tmp_path, replayed):
    whole = read_public(episodes / 'umi_cup.npz')[0]
    n = 40
    pictures = list(islice(whole.frames('wrist'), n))
    episode = replace(whole, stamps_ns=whole.stamps_ns[:n], state=whole.state[:n],
                      actions=whole.actions[:n], images={'wrist': lambda: iter(pictures)})
    write_episode(tmp_path / 'bag', episode, 'raw')
    moved = [np.concatenate([after[:3] - before[:3], vector_from_rotation(
        rotation_from_vector(after[3:6]) @ rotation_from_vector(before[3:6]).T)])
        for before, after in zip(episode.state, episode.state[1:])]
    spec = PolicySpec('remembering', 'test', ('wrist',), False, 100_000_000, 1,
                      ActionConvention(), EE_DIMS)
    policy = Remembering('wrist', pictures, [*moved, np.zeros(6)], spec)
    status, result = replayed(tmp_path / 'bag', policy, '--task', 'place the cup', '--rate', 50,
                              '--against-recorded', 'states')
    assert status == 0
    metrics = result['metrics']
    assert metrics['compared'] == n - 1, 'all but the last, after which nothing follows'
    assert max(d['l1_max'] for d in metrics['dimensions']) < 1e-6
    assert min(d['spread'] for d in metrics['dimensions'][:3]) > 1e-3, 'the hand moves'
    assert policy.instructions == {'place the cup'}

"""What a recording says of the files that a run was made with."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

if importlib.util.find_spec('rosbags') is None:
    pytest.skip('rosbags is not installed', allow_module_level=True)

from vla_ros.policy.fingerprint import file_fingerprint
from vla_ros.resources import share_file
from vla_ros.ros.recording_facts import file_facts, git_commit, machine_facts


def test_a_checkpoint_is_known_by_every_file_of_its(tmp_path: Path) -> None:
    (tmp_path / 'config.json').write_text('{}')
    facts = file_facts('piper', {'policy': 'openvla', 'model_path': str(tmp_path)})
    assert facts['checkpoint'] == {'config.json': file_fingerprint(tmp_path / 'config.json')}
    config = share_file('config', 'policies', 'openvla.yaml')
    assert facts['policy_config'] == {str(config): file_fingerprint(config)}
    assert set(facts['robot']) == {str(share_file('config', 'robots', 'piper.yaml')),
                                   str(share_file('urdf', 'piper.urdf'))}


def test_what_cannot_be_read_says_so_and_stops_no_recording(tmp_path: Path) -> None:
    facts = file_facts('piper', {'policy': 'openvla', 'policy_config': str(tmp_path / 'no.yaml'),
                                 'model_path': '/no/such/folder'})
    assert facts['checkpoint'] == ('unknown: /no/such/folder: no such directory on this machine')
    assert facts['policy_config'].startswith('unknown: ')


def test_without_a_policy_node_nothing_is_said_of_a_policy() -> None:
    assert set(file_facts('piper', {})) == {'config', 'robot'}


def test_a_commit_is_named_and_a_change_shows(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(
            ['git', '-C', str(tmp_path), '-c', 'user.name=n', '-c', 'user.email=e', *words],
            capture_output=True, text=True, check=True).stdout.strip()

    assert git_commit(tmp_path) == '', 'no checkout'
    git('init')
    (tmp_path / 'file').write_text('a')
    git('add', '.')
    git('commit', '-m', 'one')
    head = git('rev-parse', 'HEAD')
    assert git_commit(tmp_path) == head
    (tmp_path / 'file').write_text('b')
    assert git_commit(tmp_path) == f'{head}-dirty'


def test_versions_are_those_that_run() -> None:
    facts = machine_facts()
    assert facts['versions']['rmw'].startswith('rmw_') and facts['versions']['python']
    assert facts['machine']['cores']

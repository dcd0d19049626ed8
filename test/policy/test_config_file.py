"""A policy's configuration is found by name or path."""

from __future__ import annotations

from pathlib import Path

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.policy import load_policy
from vla_ros.policy.config_file import config_file
from vla_ros.resources import share_directory, share_file


@pytest.mark.parametrize(('policy', 'given', 'name'), [
    ('scripted', None, 'scripted'), ('openvla', '', 'openvla'),
    ('openvla', 'openvla_bridge', 'openvla_bridge'), ('scripted', 'scripted', 'scripted')])
def test_a_name_is_a_file_that_is_shipped(policy: str, given: str | None, name: str) -> None:
    assert config_file(policy, given) == share_file('config', 'policies', f'{name}.yaml')


@pytest.mark.parametrize('path', ['mine.yaml', 'folder/mine', '/somewhere/mine.yml'])
def test_a_path_is_taken_as_it_is(path: str) -> None:
    assert config_file('openvla', path) == Path(path)


def test_a_path_may_begin_at_home() -> None:
    assert config_file('openvla', '~/mine.yaml') == Path.home() / 'mine.yaml'


def test_a_name_that_is_none_lists_those_of_the_policy() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'openvla_bridge'\?") as raised:
        config_file('openvla', 'openvla_brige')
    assert 'scripted' not in str(raised.value)


def test_the_scripted_policy_takes_its_name() -> None:
    assert load_policy('scripted', config='scripted').spec.name == 'scripted'


def test_every_shipped_file_can_be_named() -> None:
    files = sorted((share_directory() / 'config' / 'policies').glob('*.yaml'))
    assert files == [config_file(path.stem.partition('_')[0], path.stem) for path in files]

"""Installed files are found wherever the package was put."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vla_ros
from vla_ros import resources
from vla_ros.core.errors import ConfigError

PACKAGE = Path(vla_ros.__file__).parent


def located(site_packages: Path) -> subprocess.CompletedProcess[str]:
    """Copy the package there, and ask the copy where its files are."""
    shutil.copytree(
        PACKAGE, site_packages / 'vla_ros', ignore=shutil.ignore_patterns('__pycache__')
    )
    code = (
        f'import sys; sys.path.insert(0, {str(site_packages)!r})\n'
        'from vla_ros.resources import share_directory\n'
        'print(share_directory())'
    )
    return subprocess.run(
        [sys.executable, '-c', code], cwd='/', capture_output=True, text=True, check=False
    )


def make_share(folder: Path) -> Path:
    (folder / 'config' / 'robots').mkdir(parents=True)
    return folder


def test_source_checkout_comes_first(tmp_path):
    make_share(tmp_path / 'share' / 'vla_ros')
    make_share(tmp_path / 'src')
    assert located(tmp_path / 'src').stdout.strip() == str(tmp_path / 'src')


@pytest.mark.parametrize('inside', ['lib/python3/site-packages', 'local/lib/python3/dist-packages'])
def test_share_beside_lib_is_found_whatever_the_prefix(tmp_path, inside):
    share = make_share(tmp_path / 'share' / 'vla_ros')
    assert located(tmp_path / inside).stdout.strip() == str(share)


def test_error_lists_every_place_that_was_searched(monkeypatch, tmp_path):
    places = [tmp_path / 'a', tmp_path / 'b', tmp_path / 'a']
    monkeypatch.setattr(resources, '_candidates', lambda: iter(places))
    with pytest.raises(ConfigError) as caught:
        resources.share_directory()
    assert str(caught.value).count(str(tmp_path / 'a')) == 1
    assert str(tmp_path / 'b') in str(caught.value)


def test_missing_file_is_named_with_its_whole_path():
    with pytest.raises(ConfigError, match=r'urdf.nothing\.urdf'):
        resources.share_file('urdf', 'nothing.urdf')

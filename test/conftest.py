"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no failure of what is tested.
settings.register_profile('vla_ros', deadline=None)
settings.load_profile('vla_ros')


# What starts real nodes runs one after another in one process, also where pytest-xdist shares the
# tests between several; everything else by file, so that a file's fixtures are made once.
_GRAPH = ('ros', 'demo')


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group the tests for ``-n 2 --dist loadgroup``; nothing without pytest-xdist.

    Here and not when the collection is complete, where pytest-xdist reads the groups before us.
    """
    if not item.config.pluginmanager.hasplugin('xdist'):
        return
    parts = item.path.relative_to(ROOT / 'test').parts
    group = 'graph' if parts[0] in _GRAPH else '/'.join(parts)
    item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """Return the root of the source checkout."""
    return ROOT


@pytest.fixture(scope='session')
def shared() -> Path:
    """Return the folder of reference material that lies beside the checkout, or skip.

    ``VLA_ROS_SHARED`` names it where it lies elsewhere; a wrong name there is an error, not a skip.
    """
    named = os.environ.get('VLA_ROS_SHARED')
    folder = Path(named) if named else ROOT.parent / 'shared'
    if not folder.is_dir():
        if named:
            pytest.fail(f'VLA_ROS_SHARED={named}: no such folder')
        pytest.skip(f'no reference material at {folder} (set VLA_ROS_SHARED to where it is)')
    return folder

"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no failure of what is tested.
settings.register_profile('vla_ros', deadline=None)
settings.load_profile('vla_ros')


# What starts real nodes runs one after another in one process, also where pytest-xdist shares the
# tests between several; everything else by file, so that a file's fixtures are made once.
_GRAPH = ('test/ros/', 'test/demo/')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests so between processes (``-n 2``).

    Its own groups (``--dist loadgroup``) are not used: pytest-xdist 3.8 loses them silently with
    pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return 'graph' if nodeid.startswith(_GRAPH) else nodeid.split('::', 1)[0]

    return Scheduling(config, log)


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

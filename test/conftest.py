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

"""What a recording says of the run: versions, commit, hashes of configuration and policy."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rclpy.utilities import get_rmw_implementation_identifier

from vla_ros.core.errors import VlaRosError
from vla_ros.demo.machine import machine, versions
from vla_ros.policy.config_file import config_file
from vla_ros.policy.fingerprint import file_fingerprint, folder_fingerprint
from vla_ros.resources import share_directory
from vla_ros.robots import load_profile

_PACKAGES = ('rclpy', 'ros-rclpy', 'rosbags', 'numpy', 'pin', 'mujoco', 'opencv-python-headless',
             'torch', 'transformers', 'bitsandbytes')
_GIT_S = 5.0


def machine_facts() -> dict[str, Any]:
    """Return versions, machine and the commit of this package."""
    return {'versions': {**versions(_PACKAGES), 'rmw': get_rmw_implementation_identifier()},
            'machine': machine(), 'git': git_commit(Path(__file__).resolve().parent)}


def git_commit(folder: Path) -> str:
    """Return the commit of a checkout, with ``-dirty`` when it was changed; empty: none."""
    command = ['git', '-C', str(folder), 'describe', '--always', '--dirty', '--abbrev=40',
               '--exclude=*']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def file_facts(robot: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hashes of the robot's, the package's and the policy's files.

    Parameters
    ----------
    robot : str
        Robot profile.
    policy : Mapping[str, Any]
        Parameters of the policy node; empty: none answered.

    What cannot be read says so in its place: a recording is not refused for it.

    """
    facts: dict[str, Any] = {'config': _hash_of_all(share_directory() / 'config')}
    profile = load_profile(robot)
    facts['robot'] = {str(path): _or_why(file_fingerprint, path)
                      for path in (profile.path, profile.urdf_path)}
    if name := policy.get('policy'):
        facts['policy_config'] = _or_why(_policy_config, str(name),
                                         str(policy.get('policy_config') or ''))
    if model := policy.get('model_path'):
        facts['checkpoint'] = _or_why(folder_fingerprint, Path(str(model)))
    return facts


def _policy_config(policy: str, given: str) -> dict[str, str]:
    path = config_file(policy, given)
    return {str(path): file_fingerprint(path)}


def _hash_of_all(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob('*.yaml')):
        digest.update(str(path.relative_to(folder)).encode() + b'\0' + path.read_bytes())
    return f'sha256:{digest.hexdigest()}'


def _or_why(what: Any, *args: Any) -> Any:
    try:
        return what(*args)
    except VlaRosError as error:
        return f'unknown: {error}'

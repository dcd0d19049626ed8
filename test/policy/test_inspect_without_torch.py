"""A checkpoint can be looked through before PyTorch is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vla_ros.core.errors import ConfigError


def test_headers_are_read_without_torch(shared: Path, repo_root: Path) -> None:
    checkpoint = shared / 'golden' / 'openvla' / 'openvla_oft_tiny'
    if not checkpoint.is_dir():
        pytest.skip(f'no golden data at {checkpoint}')
    done = subprocess.run(
        [sys.executable, '-c',
         'import sys\n'
         'for name in ("torch", "transformers", "PIL", "tokenizers"): sys.modules[name] = None\n'
         'from vla_ros.cli.main import main\n'
         f'sys.exit(main(["policy", "inspect", "--json", {str(checkpoint)!r}]))'],
        cwd=repo_root, capture_output=True, text=True, timeout=60, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    (problem,) = report['problems']
    assert "is not installed" in problem and 'pip install' in problem
    assert (report['policy'], report['head'], report['proprio']) == ('openvla_oft', 'l1', 8)
    assert report['language']['layers'] == 3
    assert set(report['memory']) == {'none', 'int8', 'nf4'}


def test_a_ready_made_convention_is_chosen_by_its_name() -> None:
    pytest.importorskip('torch')
    pytest.importorskip('transformers')
    from vla_ros.policy.openvla.settings import read_settings

    settings, _ = read_settings('openvla_oft', 'openvla_oft_libero', {})
    assert settings.convention.translation_scale == 0.05
    with pytest.raises(ConfigError, match="Did you mean 'openvla_oft_libero'"):
        read_settings('openvla_oft', 'openvla_oft_libreo', {})

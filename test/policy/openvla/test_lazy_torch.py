"""The package works where torch is not installed; only these policies do not."""

import importlib.util
import subprocess
import sys

import pytest

NEEDED = ('torch', 'transformers', 'accelerate', 'simplejpeg')


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)


def test_importing_the_policies_imports_no_torch():
    done = run('import sys, vla_ros.policy; assert "torch" not in sys.modules; '
               'assert "openvla_oft" in vla_ros.policy.POLICIES')
    assert done.returncode == 0, done.stderr


def test_without_torch_the_error_says_what_to_install():
    done = run('import sys; sys.modules["torch"] = None\n'
               'from vla_ros.policy import load_policy\n'
               'from vla_ros.core.errors import DependencyError\n'
               'try: load_policy("openvla", model_path="/")\n'
               'except DependencyError as error: print(error)')
    assert 'torch' in done.stdout, done.stderr
    assert 'pip install' in done.stdout


def test_the_tests_of_openvla_run():
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f'{", ".join(missing)} not installed: the tests of OpenVLA are left out')

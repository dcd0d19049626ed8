"""The pytest plugin in somebody else's tests: results, failures with the table, clear errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rosbags')
pytest.importorskip('pinocchio')
pytest.importorskip('mujoco')

from replayed_bags import write_scripted

pytest_plugins = ['pytester']


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scripted(tmp_path_factory.mktemp('plugin') / 'bag', 0.5)


def run(pytester: pytest.Pytester, bag: Path, test: str) -> pytest.RunResult:
    (pytester.path / 'bag').symlink_to(bag)
    (pytester.path / 'good.yaml').write_text('relative: 0\n', encoding='utf-8')
    (pytester.path / 'bad.yaml').write_text('horizon: 9\n', encoding='utf-8')
    pytester.makepyfile('import pytest\n\n' + test)
    return pytester.runpytest('-p', 'vla_ros.pytest_plugin', '-p', 'no:cacheprovider',
                              '--strict-markers')


def test_a_marker_replays_and_gives_the_result(pytester: pytest.Pytester, bag: Path) -> None:
    result = run(pytester, bag, '''
@pytest.mark.vla_replay(bag='bag', policy='scripted', expect='good.yaml')
def test_it(vla_replay):
    assert vla_replay.metrics.relative == 0.0
    assert len(vla_replay.inferences) == 5

def test_without_a_marker(vla_replay):
    assert vla_replay(bag='bag', policy='scripted', against_recorded='states').against == 'states'
''')
    result.assert_outcomes(passed=2)


def test_a_limit_that_is_not_kept_fails_with_the_table(pytester: pytest.Pytester,
                                                       bag: Path) -> None:
    result = run(pytester, bag, '''
@pytest.mark.vla_replay(bag='bag', policy='scripted', expect='bad.yaml')
def test_it(vla_replay):
    raise AssertionError('it must not come here')
''')
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*vla_replay: *bag fell short', 'FELL SHORT*horizon*8*>= 9'])
    result.stdout.no_fnmatch_line('*it must not come here*')


@pytest.mark.parametrize(('mark', 'message'), [
    ("bag='bag', policy='scriptd'", "*unknown policy 'scriptd'. Did you mean 'scripted'*"),
    ("bag='nowhere', policy='scripted'", '*nowhere*'),
    ("bag='bag'", '*policy is missing; a replay needs bag and policy*'),
    ("bag='bag', policy='scripted', expct='good.yaml'", "*unknown option of a replay 'expct'*"),
    ("'bag', policy='scripted'", '*give everything by name*'),
])
def test_a_wrong_marker_says_what_is_wrong(pytester: pytest.Pytester, bag: Path, mark: str,
                                           message: str) -> None:
    result = run(pytester, bag, f'''
@pytest.mark.vla_replay({mark})
def test_it(vla_replay):
    pass
''')
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    script = ('import sys, pytest, vla_ros.pytest_plugin\n'
              'print(*sorted(n for n in sys.modules if n.startswith("vla_ros")))\n'
              'print(*sorted({"numpy", "torch", "rosbags", "rclpy", "yaml"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True,
                          timeout=60, check=True, cwd=Path(__file__).resolve().parents[1])
    assert done.stdout.splitlines() == ['vla_ros vla_ros.pytest_plugin', '']


def test_the_installed_package_brings_the_plugin() -> None:
    setup = (Path(__file__).resolve().parents[1] / 'setup.py').read_text(encoding='utf-8')
    assert "'pytest11': ['vla_ros.pytest_plugin = vla_ros.pytest_plugin']" in setup

"""The file for Rerun has what the bag has; without Rerun the command says how to get it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vla_ros.cli.main import main
from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.report.rerun_file import check_rerun, write_rrd


def entities(path):
    """Return what Rerun's own command line says is in a file."""
    done = subprocess.run([sys.executable, '-m', 'rerun', 'rrd', 'stats', str(path)],
                          capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def test_without_rerun_the_error_says_how_to_install_it(tell, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'rerun', None)
    with pytest.raises(DependencyError, match='pip install'):
        check_rerun()
    out = tmp_path / 'out'
    assert main(['report', str(tell()), '--out', str(out), '--rrd', str(tmp_path / 'x.rrd')]) == 1
    assert 'rerun-sdk' in capsys.readouterr().err
    assert not out.exists(), 'it is said before the long work'


def test_an_old_rerun_is_refused(monkeypatch):
    old = type(sys)('rerun')
    old.RecordingStream = type('RecordingStream', (), {})
    old.__version__ = '0.18.0'
    monkeypatch.setitem(sys.modules, 'rerun', old)
    with pytest.raises(DependencyError, match=r'0\.23 or newer, found 0\.18\.0'):
        check_rerun()


@pytest.mark.parametrize('simulated', [False, True])
def test_the_file_has_every_stream_on_both_time_lines(tell, tmp_path, simulated):
    pytest.importorskip('rerun', reason='rerun-sdk is not installed')
    path = tell(person=(3.0, 4.0), policy_closes=True, simulated=simulated, seconds=5.0)
    text = entities(write_rrd(path, tmp_path / 'sub' / 'run.rrd', quiet=True))
    for entity in ('/camera/third_person', '/camera/wrist', '/measured/joint_states', '/action',
                   '/mode', '/mode/reason', '/intervention', '/limiters', '/instruction'):
        assert f'\n{entity}: ' in text, entity
    for index in ('stamp', 'receive'):
        assert f'\n{index}: ' in text


def test_a_path_that_cannot_be_written_is_named(tell, tmp_path):
    pytest.importorskip('rerun', reason='rerun-sdk is not installed')
    with pytest.raises(ConfigError, match='cannot write'):
        write_rrd(tell(), tmp_path, quiet=True)

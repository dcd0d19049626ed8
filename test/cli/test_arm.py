"""``vla-ros arm check``: wrong arguments are refused before anything is listened to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vla_ros.cli.arm import as_text
from vla_ros.cli.main import main
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.check import Finding, Level


@pytest.mark.parametrize(('arguments', 'says'), [
    (['robot:=pipr'], 'Did you mean'),
    (['robott:=piper'], 'Did you mean'),
    (['piper'], 'expected name:=value'),
    (['driver:=pipr_ros'], 'Choices: agx_arm_ros'),
    (['robot:=ur5e', 'driver:=piper_ros'], 'the joints of piper_ros'),
    (['use_sim_time:=maybe'], 'true, false or auto'),
    (['--seconds', '0'], '0.5 to 3600'),
    (['--seconds', 'nan'], '0.5 to 3600'),
])
def test_a_wrong_argument_is_status_2_and_says_what_is_right(capsys, arguments, says):
    assert main(['arm', 'check', *arguments]) == 2
    assert says in capsys.readouterr().err


def test_the_text_begins_each_line_with_its_level_and_ends_with_the_count():
    driver = load_driver(load_profile('piper'))
    text = as_text('piper', driver, [Finding(Level.OK, 'rate', '200 Hz'),
                                     Finding(Level.FAIL, 'clock', 'two of them')])
    lines = text.splitlines()
    assert lines[1:3] == ['   ok  rate: 200 Hz', ' FAIL  clock: two of them']
    assert lines[-1] == '1 wrong, 0 doubtful'


def test_help_needs_no_ros():
    code = ('import sys; sys.modules["rclpy"] = None\n'
            'from vla_ros.cli.main import main\n'
            'main(["arm", "check", "--help"])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'driver:=' in done.stdout

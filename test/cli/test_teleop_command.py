"""``vla-ros teleop``: the node by a short name, and what a user who mistypes is told."""

import subprocess
import sys

import pytest

from vla_ros.cli.main import main


@pytest.mark.parametrize(('arguments', 'part'), [
    (['mouse'], 'keyboard'), (['keyboard', 'robot=piper'], 'name:=value'),
    (['keyboard', ':=piper'], 'name:=value')])
def test_a_wrong_argument_is_refused_with_what_may_stand_there(arguments, part, capsys):
    try:
        status = main(['teleop', *arguments])
    except SystemExit as ended:  # argparse
        status = ended.code
    assert status == 2
    assert part in capsys.readouterr().err


@pytest.mark.ros
@pytest.mark.parametrize(('arguments', 'part'), [
    ([], 'stdin is no terminal'), (['joystick', 'joystick_mapping:=xbx'], "Did you mean 'xbox'"),
    (['keyboard', 'robbot:=piper'], "did you mean 'robot'"),
    (['joystick', 'linear_speed:=99.0'], '0.001 to 2.0 m/s')])
def test_the_node_checks_its_parameters(arguments, part):
    pytest.importorskip('rclpy')
    done = subprocess.run([sys.executable, '-m', 'vla_ros.cli.main', 'teleop', *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 2, done.stderr
    assert part in done.stderr
    assert 'Traceback' not in done.stderr

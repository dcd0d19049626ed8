"""``vla-ros record`` without a graph: its arguments, and the line for ros2 bag."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy')
pytest.importorskip('rosbags')

from vla_ros.cli import record
from vla_ros.cli.main import main
from vla_ros.ros.parameter_spec import load_specs


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    record.add_arguments(parser)
    return parser.parse_args(arguments)


def test_only_what_was_given_goes_to_the_node() -> None:
    assert record.ros_arguments(parsed()) == ['--ros-args']
    assert record.ros_arguments(parsed('--keep-last', '60', '--topics', '/a', '/b', '--sim-time',
                                       '--out', "it's: here", '--compress')) == [
        '--ros-args', '-p', 'folder:="it\'s: here"', '-p', 'additional_topics:=["/a", "/b"]',
        '-p', 'keep_last_s:=60.0', '-p', 'compress:=true', '-p', 'use_sim_time:=true']


def test_every_option_is_a_parameter_of_the_node() -> None:
    assert set(record._PARAMETERS.values()) <= set(load_specs('record_node'))


def test_the_line_for_ros2_bag_has_the_topics_of_the_arm_and_its_file(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / 'qos.yaml'
    assert main(['record', '--robot', 'ur5e', '--driver', 'ur_trajectory', '--name', 'x',
                 '--transport', 'compressed', '--print-ros2-command', str(file)]) == 0
    line = capsys.readouterr().out
    assert f'--qos-profile-overrides-path {file}' in line and 'recordings/x' in line
    topics = line.split('--topics ')[-1].split()
    assert '/scaled_joint_trajectory_controller/joint_trajectory' in topics
    assert '/camera/wrist/image_raw/compressed' in topics
    assert '/camera/wrist/image_raw' not in topics and '/clock' not in topics
    overrides = yaml.safe_load(file.read_text())
    assert set(overrides) <= set(topics)
    assert overrides['/mode']['durability'] == 'transient_local'
    assert overrides['/joint_states']['reliability'] == 'best_effort'


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--duration', '0'], 'duration'), (['--params-file', '/no/file'], 'no such file'),
    (['--print-ros2-command', '/no/folder/x'], 'cannot write'),
    (['--print-ros2-command', 'x', '--split-mb', '-1'], 'split_mb')])
def test_a_wrong_argument_is_refused(arguments: list[str], words: str,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['record', *arguments]) == 2
    assert words in capsys.readouterr().err

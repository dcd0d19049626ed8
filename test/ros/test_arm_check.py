"""``vla-ros arm check`` as a process against fake drivers: exit status, words and JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from adapter_rig import fake_fixture  # noqa: F401
from graph_rig import Observer, wait_until
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]


def check(*arguments: str, seconds: float = 1.5) -> tuple[int, dict[str, Any], str]:
    """Return exit status, the report and what was said on stderr."""
    done = subprocess.run(
        [sys.executable, '-m', 'vla_ros.cli.main', 'arm', 'check', *arguments, '--json',
         '--seconds', str(seconds)], capture_output=True, text=True, timeout=120, cwd=ROOT,
        env={**os.environ, 'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4', 'PYTHONPATH': os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))})
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def found(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in report['findings'] if f['check'] == name)


def test_a_sound_piper_is_status_0(fake: Callable[..., Any]) -> None:
    fake('fake_piper_ros')
    status, report, _ = check('robot:=piper')
    assert status == 0, report
    assert report['ok'] is True
    assert 'flange link6' in found(report, 'end pose')['text']
    assert found(report, 'ready')['level'] == 'ok'


def test_the_wrong_dh_variant_is_told_in_words(fake: Callable[..., Any]) -> None:
    fake('fake_piper_ros', robot='piper_old_dh')
    status, report, _ = check('robot:=piper')
    assert status == 1
    text = found(report, 'end pose')['text']
    assert text.startswith("wrong model: the driver's end pose is 9.93 mm from the flange of piper")
    assert 'Use robot:=piper_old_dh' in text
    assert check('robot:=piper_old_dh')[0] == 0


def test_a_missing_tcp_is_doubtful_and_one_that_is_set_is_right(fake: Callable[..., Any]) -> None:
    process = fake('fake_agx_arm_ros')
    status, report, _ = check('driver:=agx_arm_ros')
    assert status == 0
    assert found(report, 'end pose')['level'] == 'warn'
    assert 'no TCP set' in found(report, 'end pose')['text']
    process.stop()
    fake('fake_agx_arm_ros', tcp_offset=[0.0, 0.0, 0.1358, 0.0, 0.0, 0.0])
    assert 'is the tool frame tcp' in found(check('driver:=agx_arm_ros')[1], 'end pose')['text']


def test_clocks_that_differ_are_told(fake: Callable[..., Any]) -> None:
    fake('fake_piper_ros', stamp_offset_s=-2.0)
    status, report, _ = check()
    assert status == 1
    assert 'stale' in found(report, 'clock')['text']


def test_zeros_of_an_arm_that_is_not_heard_are_told(fake: Callable[..., Any]) -> None:
    fake('fake_piper_ros', silent='true')
    status, report, _ = check()
    assert status == 1
    assert 'no stamp' in found(report, 'joint states')['text']


def test_a_gripper_that_goes_half_way_is_told(fake: Callable[..., Any]) -> None:
    """Somebody moves the gripper meanwhile, as one is asked to."""
    fake('fake_agx_arm_ros', half_gripper='true')
    observer = Observer()
    try:
        commands = observer.publisher(JointState, 'control/joint_states', QoSProfile(depth=1))
        wait_until(lambda: commands.get_subscription_count() > 0, 'the driver')
        ticks = [0]

        def tick() -> None:
            ticks[0] += 1
            width = 0.06 if (ticks[0] // 75) % 2 else 0.01
            commands.publish(JointState(name=['gripper'], position=[width], effort=[1.0]))

        observer.every(0.02, tick)
        status, report, _ = check('driver:=agx_arm_ros', seconds=6.0)
    finally:
        observer.close()
    texts = ' '.join(f['text'] for f in report['findings'] if f['check'] == 'gripper')
    assert status == 1
    assert 'missing factor 2' in texts


def test_nothing_there_is_status_1_and_says_what_is(fake: Callable[..., Any]) -> None:
    fake('fake_agx_arm_ros')
    status, report, _ = check('robot:=piper')
    assert status == 1
    assert 'agx_arm_ros' in found(report, 'rate')['text']
    assert 'joint_ctrl_single' in found(report, 'ready')['text']


def test_a_ur_is_checked_in_its_controllers_frame(fake: Callable[..., Any]) -> None:
    fake('fake_ur_driver', robot='ur3e', tcp=[0.0, 0.0, 0.15],
         start=np.array([0.1, -1.5, 1.2, -1.0, -1.3, 0.4]).tolist())
    status, report, _ = check('robot:=ur3e')
    assert status == 0
    assert 'is the tool frame' in found(report, 'end pose')['text']
    status, report, _ = check('robot:=ur5e')
    assert status == 1
    assert 'Use robot:=ur3e' in found(report, 'end pose')['text']


def test_a_robot_description_is_compared(fake: Callable[..., Any], tmp_path: Path) -> None:
    text = (ROOT / 'urdf/ur5e.urdf').read_text('utf-8').replace(
        'xyz="-0.3922 0.0 0.1333"', 'xyz="-0.3931 0.0 0.1341"')
    params = tmp_path / 'params.yaml'
    params.write_text('/**:\n  ros__parameters:\n    robot_description: |\n'
                      + ''.join(f'      {line}\n' for line in text.splitlines()), 'utf-8')
    fake('fake_ur_driver', '--params-file', str(params))
    _, report, _ = check('robot:=ur5e')
    assert 'wrist_1_joint: origin 1.204 mm' in found(report, 'model')['text']

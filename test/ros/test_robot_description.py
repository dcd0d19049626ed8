"""The driver's model replaces ours before the arm is commanded, or the node does not start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')

from graph_rig import Observer
from std_msgs.msg import String

from vla_ros.core.errors import ConfigError
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros import qos
from vla_ros.ros.robot_description import follow_if_described, receive_description

pytestmark = pytest.mark.ros

PROFILE = load_profile('ur5e')
DRIVER = load_driver(PROFILE, 'ros2_control')
OURS = PROFILE.urdf_path.read_text(encoding='utf-8')
CALIBRATED = OURS.replace('xyz="-0.3922 0.0 0.1333"', 'xyz="-0.3931 0.0 0.1341"')


@pytest.fixture
def observer() -> Iterator[Observer]:
    made = Observer()
    yield made
    made.close()


def publish(observer: Observer, text: str) -> None:
    observer.description = observer.publisher(  # type: ignore[attr-defined]
        String, 'robot_description', qos.LATCHED)
    observer.description.publish(String(data=text))  # type: ignore[attr-defined]


def test_a_description_that_was_published_before_is_received(observer: Observer,
                                                            ros_context: Any) -> None:
    publish(observer, CALIBRATED)
    assert receive_description(ros_context, 20.0) == CALIBRATED


def test_it_replaces_our_model_and_the_difference_is_logged(observer: Observer,
                                                            ros_context: Any) -> None:
    publish(observer, CALIBRATED)
    lines: list[str] = []
    followed = follow_if_described(ros_context, PROFILE, DRIVER, 20.0, lines.append)
    assert followed.urdf_path != PROFILE.urdf_path
    assert '-0.3931' in Path(followed.urdf_path).read_text(encoding='utf-8')
    assert 'wrist_1_joint: origin 1.204 mm' in lines[0]


def test_without_one_ours_is_used_and_that_is_said(ros_context: Any) -> None:
    lines: list[str] = []
    assert follow_if_described(ros_context, PROFILE, DRIVER, 0.3, lines.append) is PROFILE
    assert 'the shipped model of ur5e is used' in lines[0]


def test_another_arms_description_is_an_error(observer: Observer, ros_context: Any) -> None:
    publish(observer, load_profile('piper').urdf_path.read_text(encoding='utf-8'))
    with pytest.raises(ConfigError, match='Is robot:=ur5e the arm that runs'):
        follow_if_described(ros_context, PROFILE, DRIVER, 20.0, lambda text: None)


def test_the_simulated_arm_and_a_wait_of_0_do_not_look(ros_context: Any) -> None:
    lines: list[str] = []
    assert follow_if_described(ros_context, PROFILE, load_driver(PROFILE, 'sim'), 9.0,
                               lines.append) is PROFILE
    assert follow_if_described(ros_context, PROFILE, DRIVER, 0.0, lines.append) is PROFILE
    assert lines == []

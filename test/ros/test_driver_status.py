"""What drivers say in messages of their own: modes, faults, active controllers, gripper actions.

These packages come with the drivers. Where one is not installed, its tests are left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from adapter_rig import Rig, fake_fixture, rig_fixture  # noqa: F401
from graph_rig import wait_until
from std_msgs.msg import String, UInt8MultiArray

from vla_ros.core.errors import DependencyError
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros.adapters import make_adapter
from vla_ros.ros.adapters.optional_messages import optional_type

pytestmark = pytest.mark.ros

TRAJECTORY = 'scaled_joint_trajectory_controller'


def needs(*packages: str) -> Any:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f'{", ".join(missing)} not installed')


@pytest.fixture
def without_gripper(tmp_path: Path) -> str:
    path = tmp_path / 'driver.yaml'
    path.write_text('driver: {type: ur_trajectory, gripper: {kind: none}}\n', encoding='utf-8')
    return str(path)


@needs('ur_dashboard_msgs')
def test_a_protective_stop_is_named_as_one(fake: Callable[..., Any], rig: Callable[..., Rig],
                                           without_gripper: str) -> None:
    fake('fake_ur_driver', controllers=[TRAJECTORY])
    made = rig('ur5e', without_gripper)
    made.ready()
    made.observer.trigger('fake/protective_stop')
    made.wait_reason('safety mode 3: protective stop')
    made.observer.trigger('fake/release')
    made.ready()
    assert len(made.reasons) == 1


@needs('controller_manager_msgs')
def test_a_controller_that_is_loaded_but_not_active_is_not_used(
        fake: Callable[..., Any], rig: Callable[..., Rig], without_gripper: str) -> None:
    fake('fake_ur_driver', controllers=[TRAJECTORY, 'joint_trajectory_controller'],
         active='freedrive_mode_controller')
    made = rig('ur5e', without_gripper)
    reason = made.wait_reason('not active')
    assert '--activate scaled_joint_trajectory_controller' in reason
    assert '--deactivate freedrive_mode_controller' in reason
    activate = made.observer.publisher(String, 'fake/activate', 1)
    wait_until(lambda: activate.get_subscription_count() > 0, 'the controller manager')
    activate.publish(String(data='joint_trajectory_controller'))
    made.ready()
    assert made.adapter.values()['controller'] == 'joint_trajectory_controller'
    activate.publish(String(data=TRAJECTORY))
    wait_until(lambda: made.reasons, 'a call for re-arming')
    assert 'was replaced' in made.reasons[0]
    made.ready()
    assert made.adapter.values()['controller'] == TRAJECTORY


@pytest.mark.parametrize(('name', 'driver', 'package'), [
    pytest.param('fake_piper_ros', 'piper_ros', 'piper_msgs', marks=needs('piper_msgs')),
    pytest.param('fake_agx_arm_ros', 'agx_arm_ros', 'agx_arm_msgs', marks=needs('agx_arm_msgs')),
])
def test_the_pipers_faults_stop_it_and_refused_targets_do_not(
        fake: Callable[..., Any], rig: Callable[..., Rig], name: str, driver: str,
        package: str) -> None:
    fake(name)
    made = rig('piper', driver)
    made.ready()
    status = made.observer.publisher(UInt8MultiArray, 'fake/arm_status', 1)
    wait_until(lambda: status.get_subscription_count() > 0, 'the fake')
    status.publish(UInt8MultiArray(data=[1, 1]))
    made.wait_reason('arm_status 1: emergency stop')
    assert not made.step()
    status.publish(UInt8MultiArray(data=[2, 0]))
    made.wait_reason('teach mode')
    status.publish(UInt8MultiArray(data=[1, 3]))  # a singularity that a target met
    made.ready()
    assert len(made.reasons) == 1


@needs('control_msgs')
@pytest.mark.parametrize('interface', ['gripper_command', 'parallel'])
def test_the_robotiq_gripper_goes_where_it_is_told(fake: Callable[..., Any],
                                                   rig: Callable[..., Rig],
                                                   interface: str) -> None:
    fake('fake_ur_driver', controllers=[TRAJECTORY])
    fake('fake_gripper', interface=interface)
    made = rig('ur5e')
    made.ready()
    made.command_width = 0.085
    made.start_loop()
    wait_until(lambda: made.width is not None and made.width > 0.0845, 'an open gripper')
    made.command_width = 0.02
    wait_until(lambda: abs(made.width - 0.02) < 5e-4, 'the width')
    # 0 is open, 0.7929 closed; a goal for each change, not for each command.
    assert [m.data for m in made.said.messages if m.data.startswith('goal')] == [
        'goal 0.0000 50.0', f'goal {0.7929 * (1 - 0.02 / 0.085):.4f} 50.0']
    assert np.abs(made.measured - made.q).max() < 1e-6  # the arm has the gripper's state beside it


@pytest.mark.skipif(optional_type('control_msgs', 'action', 'GripperCommand') is not None,
                    reason='control_msgs is installed')
def test_a_gripper_that_cannot_be_moved_here_is_an_error_that_says_how(
        rig: Callable[..., Rig], without_gripper: str) -> None:
    made = rig('ur5e', without_gripper, listen_only=True)
    profile = load_profile('ur5e')
    with pytest.raises(DependencyError, match=r'ros-<distro>-control-msgs.*kind: none'):
        make_adapter(made.observer.node, profile, load_driver(profile), 100.0)

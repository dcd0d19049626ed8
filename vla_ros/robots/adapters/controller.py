"""Whether a ros2_control controller, by its own parameters, takes what we would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vla_ros.robots.adapters.driver import Driver

PARAMETERS: dict[str, tuple[str, ...]] = {
    'trajectory': ('joints', 'command_interfaces', 'allow_nonzero_velocity_at_trajectory_end',
                   'speed_scaling_interface_name', 'speed_scaling.state_interface'),
    'position': ('joints', 'interface_name'),
}
"""The parameters that are asked for, by the driver's interface."""

TOPICS = {'trajectory': 'joint_trajectory', 'position': 'commands'}
"""The controller's topic, by the driver's interface."""


def controller_problem(driver: Driver, controller: str, found: Mapping[str, Any]) -> str:
    """Return why the controller cannot be used; empty when it can.

    Parameters
    ----------
    driver : Driver
        With what we would send.
    controller : str
        Its name.
    found : Mapping[str, Any]
        Its parameters by name; None for one that it does not have.

    """
    joints = found.get('joints')
    if not joints:
        return f'{controller} does not say which joints it moves (parameter joints)'
    if driver.joints.order_in(joints) is None:
        return (f'{controller} moves {", ".join(joints)}; the profile has '
                f'{", ".join(driver.joints.names)} (driver.joints: prefix, rename)')
    if driver.interface == 'position':
        interface = found.get('interface_name')
        if interface not in (None, '', 'position'):
            # A position sent as a velocity or an effort would throw the arm about.
            return f'{controller} commands {interface}, not position'
        return ''
    interfaces = found.get('command_interfaces')
    if interfaces and 'position' not in interfaces:
        return f'{controller} commands {", ".join(interfaces)}, not position'
    if (driver.last_velocity == 'commanded'
            and not found.get('allow_nonzero_velocity_at_trajectory_end')):
        return (f'{controller} refuses trajectories that end in motion '
                '(allow_nonzero_velocity_at_trajectory_end); set driver.last_velocity: zero')
    return ''


def scales_time(found: Mapping[str, Any]) -> bool:
    """Return whether the controller slows its trajectories by the robot's speed scaling.

    ``scaled_joint_trajectory_controller`` has the first of the two parameters, the plain controller
    from Lyrical on the second.
    """
    return bool(found.get('speed_scaling_interface_name')
                or found.get('speed_scaling.state_interface'))


def chosen_controller(wanted: Sequence[str], present: Mapping[str, bool],
                      active: Mapping[str, bool] | None) -> tuple[str, str]:
    """Return the controller to use, or why there is none: one of the two is empty.

    Parameters
    ----------
    wanted : Sequence[str]
        By preference.
    present : Mapping[str, bool]
        Whether somebody subscribes to its topic; loaded controllers do, active or not.
    active : Mapping[str, bool] | None
        Whether a controller that moves joints is active, for all that the controller manager knows;
        None when it cannot be asked.

    """
    there = [name for name in wanted if present.get(name)]
    if not there:
        what = ' and '.join(wanted) if len(wanted) < 3 else ', '.join(wanted)
        return '', (f'missing controller: {what}' + (' are' if len(wanted) > 1 else ' is')
                    + ' not there; is the driver running?')
    if active is None:
        return there[0], ''
    for name in there:
        if active.get(name):
            return name, ''
    others = [name for name, is_active in active.items() if is_active]
    switch = f'ros2 control switch_controllers --activate {there[0]}'
    if others:
        switch += f' --deactivate {" ".join(others)}'
    return '', (f'{there[0]} is loaded but not active'
                + (f'; {", ".join(others)} is' if others else '') + f' ({switch})')

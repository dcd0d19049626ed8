"""Start the graph: ``ros2 launch vla_ros bringup.launch.py robot:=piper policy:=scripted``.

Wiring only: what runs is described in ``vla_ros.bringup``, which ``vla-ros up`` reads too.
"""

import functools

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from vla_ros.bringup import ARGUMENTS, PACKAGE, Bringup, ProcessSpec


def _processes(context: LaunchContext):
    given = {a.name: LaunchConfiguration(a.name).perform(context) for a in ARGUMENTS}
    actions = []
    for spec in Bringup.from_arguments(given).processes():
        parameters = [str(spec.params_file)] if spec.params_file else []
        node = Node(package=PACKAGE, executable=spec.name, name=spec.name, output='screen',
                    sigterm_timeout=str(spec.stop_timeout_s),
                    parameters=[*parameters, dict(spec.parameters)])
        actions += [node, RegisterEventHandler(OnProcessExit(
            target_action=node, on_exit=functools.partial(_on_exit, spec)))]
    return actions


def _on_exit(spec: ProcessSpec, event: ProcessExited, context: LaunchContext):
    if context.is_shutdown:
        return []
    if not spec.required:
        return [LogInfo(msg=f'{spec.name} ended: {spec.without}')]
    return [LogInfo(msg=f'{spec.name} ended: stopping the rest'),
            EmitEvent(event=Shutdown(reason=f'{spec.name} ended'))]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and, once they are known, the processes."""
    return LaunchDescription([
        *(DeclareLaunchArgument(a.name, default_value=a.default, description=a.description)
          for a in ARGUMENTS),
        OpaqueFunction(function=_processes),
    ])

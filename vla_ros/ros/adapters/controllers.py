"""Finds the ros2_control controller that takes our commands, and asks it what it expects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from vla_ros.robots.adapters.controller import (
    PARAMETERS,
    TOPICS,
    chosen_controller,
    controller_problem,
)
from vla_ros.robots.adapters.driver import Driver
from vla_ros.ros.adapters.base import others_on
from vla_ros.ros.adapters.optional_messages import optional_type


class ControllerWatch:
    """Which of the driver's controllers is to be used, and why none can be.

    A loaded controller subscribes to its topic whether it is active or not. Only the controller
    manager knows the difference; it is asked where ``controller_manager_msgs`` is installed.
    """

    def __init__(self, node: Node, driver: Driver) -> None:
        self._node = node
        self._driver = driver
        self.name = ''
        self.problem = 'the controllers have not been looked for yet'
        self.parameters: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        self._asked: set[tuple[str, str]] = set()
        self._answers: dict[str, dict[str, Any]] = {}
        self._active: dict[str, bool] | None = None
        self._list: Any = None
        self._listing: Any = None
        kind = optional_type('controller_manager_msgs', 'srv', 'ListControllers')
        if kind is not None:
            self._list_type = kind
            self._list = node.create_client(kind, 'controller_manager/list_controllers')
        else:
            node.get_logger().warning(
                'controller_manager_msgs is not installed here: a controller that is loaded is '
                'taken to be active')

    def topic(self, controller: str) -> str:
        """Return the topic that a controller takes commands on."""
        return f'{controller}/{TOPICS[self._driver.interface]}'

    def look(self) -> None:
        """Look at the graph, and ask what is not known yet; answers come later."""
        present = {name: self._present(name) for name in self._driver.controllers}
        for name, is_there in present.items():
            if not is_there:  # it may come back another
                self._answers.pop(name, None)
                self._asked = {asked for asked in self._asked if asked[0] != name}
        self._ask_manager()
        before = self.name
        self.name, self.problem = chosen_controller(self._driver.controllers, present, self._active)
        if self.name and before and self.name != before:
            # For one look, so that what was underway is stopped and begun anew.
            self.name, self.problem = '', f'{before} was replaced by {self.name}'
        if self.name:
            self._ask_parameters(self.name)
            self.parameters = self._answers.get(self.name, {})
            wanted = PARAMETERS[self._driver.interface]
            if len(self.parameters) < len(wanted):
                self.problem = f'{self.name} has not said what it expects (its get_parameters)'
            else:
                self.problem = controller_problem(self._driver, self.name, self.parameters)

    def _present(self, controller: str) -> bool:
        topic = self._node.resolve_topic_name(self.topic(controller))
        return bool(others_on(self._node.get_subscriptions_info_by_topic(topic), self._node))

    def _ask_parameters(self, controller: str) -> None:
        client = self._client(controller)
        if not client.service_is_ready():
            return
        for name in PARAMETERS[self._driver.interface]:
            # One by one: a node that lacks one of several answers none of them.
            if (controller, name) not in self._asked:
                self._asked.add((controller, name))
                future = client.call_async(GetParameters.Request(names=[name]))
                future.add_done_callback(self._keep(controller, name))

    def _client(self, controller: str) -> Any:
        if controller not in self._clients:
            self._clients[controller] = self._node.create_client(
                GetParameters, f'{controller}/get_parameters')
        return self._clients[controller]

    def _keep(self, controller: str, name: str) -> Callable[[Any], None]:
        def keep(future: Any) -> None:
            result = future.result()
            values = list(result.values) if result is not None else []
            value = parameter_value_to_python(values[0]) if values else None
            self._answers.setdefault(controller, {})[name] = value
        return keep

    def _ask_manager(self) -> None:
        if self._list is None or (self._listing is not None and not self._listing.done()):
            return
        if not self._list.service_is_ready():
            self._active = None
            return
        self._listing = self._list.call_async(self._list_type.Request())
        self._listing.add_done_callback(self._take_list)

    def _take_list(self, future: Any) -> None:
        if future.result() is not None:
            # Others are of interest only when they hold our joints: broadcasters are always active.
            ours = set(self._driver.joints.names)
            self._active = {
                c.name: c.state == 'active' for c in future.result().controller
                if c.name in self._driver.controllers
                or any(name.split('/')[0] in ours for name in c.claimed_interfaces)}

"""The parameters of all nodes that can be seen, asked for in small portions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.node import Node

# A node answers in the thread of its callbacks; a long answer would hold back, through the
# interpreter's lock, whatever else the process does, such as the control loop.
_PORTION = 8

_FIELDS = ('', 'bool_value', 'integer_value', 'double_value', 'string_value', 'byte_array_value',
           'bool_array_value', 'integer_array_value', 'double_array_value', 'string_array_value')


class ParameterSnapshot:
    """Asks each node once, without ever waiting; :meth:`look` has to be called now and then.

    Parameters
    ----------
    node : Node
        Asks. It does not ask itself, its parameters are said by :meth:`add`.
    on_change : Callable[[], None]
        Called when a node's parameters are complete.

    """

    def __init__(self, node: Node, on_change: Callable[[], None]) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self._node = node
        self._on_change = on_change
        self._asking: dict[str, list[Any]] = {}

    @property
    def pending(self) -> list[str]:
        """Nodes that have not answered yet."""
        return sorted(self._asking)

    def add(self, name: str, values: dict[str, Any]) -> None:
        """Say the parameters of a node that need not be asked."""
        self.values[name] = dict(values)

    def look(self) -> None:
        """Ask the nodes that are new; forget the questions to those that are gone."""
        present = {f'{space.rstrip("/")}/{name}'
                   for name, space in self._node.get_node_names_and_namespaces()
                   if not name.startswith('_')}
        own = self._node.get_fully_qualified_name()
        for name in present - set(self.values) - set(self._asking) - {own}:
            self._ask(name)
        for name in set(self._asking) - present:
            self._done(name)

    def close(self) -> None:
        """Ask no more."""
        for name in list(self._asking):
            self._done(name)

    def _ask(self, name: str) -> None:
        lister = self._node.create_client(ListParameters, f'{name}/list_parameters')
        getter = self._node.create_client(GetParameters, f'{name}/get_parameters')
        self._asking[name] = [lister, getter]
        collected: dict[str, Any] = {}

        def on_names(future: Any) -> None:
            names = sorted(future.result().result.names)
            go_on(names)

        def go_on(names: list[str]) -> None:
            if name not in self._asking:
                return
            if not names:
                self.values[name] = collected
                self._done(name)
                self._on_change()
                return
            portion, rest = names[:_PORTION], names[_PORTION:]

            def on_values(future: Any) -> None:
                collected.update(zip(portion, map(parameter_value, future.result().values),
                                     strict=False))
                go_on(rest)

            getter.call_async(GetParameters.Request(names=portion)).add_done_callback(on_values)

        # A request that is sent before the service is found is lost.
        def when_ready() -> None:
            if name not in self._asking:
                return
            if lister.service_is_ready() and getter.service_is_ready():
                timer.cancel()
                lister.call_async(ListParameters.Request()).add_done_callback(on_names)

        timer = self._node.create_timer(0.2, when_ready, clock=_steady())
        self._asking[name].append(timer)

    def _done(self, name: str) -> None:
        lister, getter, timer = self._asking.pop(name)
        timer.cancel()
        self._node.destroy_timer(timer)
        self._node.destroy_client(lister)
        self._node.destroy_client(getter)


def parameter_value(value: ParameterValue) -> Any:
    """Return the value of a parameter as JSON has it; None for one that is not set."""
    if not 0 < value.type < len(_FIELDS):
        return None
    found = getattr(value, _FIELDS[value.type])
    if isinstance(found, (bool, int, float, str)):
        return found
    return [int(item[0]) if isinstance(item, bytes) else item for item in
            (found.tolist() if hasattr(found, 'tolist') else found)]


def _steady() -> Any:
    from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]

    return Clock(clock_type=ClockType.STEADY_TIME)

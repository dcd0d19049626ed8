"""Declares a node's parameters from its file in ``config/nodes`` and keeps their values checked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from vla_ros.core.errors import ConfigError
from vla_ros.resources import share_names
from vla_ros.ros.parameter_spec import ParameterSpec, load_specs

# Parameters that ROS itself puts on nodes; they are declared by others, perhaps later.
_ROS_OWN = ('use_sim_time', 'start_type_description_service')
_ROS_OWN_PREFIXES = ('qos_overrides.',)


class NodeParameters:
    """The parameters of a node, as attributes: ``params.rate_hz``.

    A value from the command line or a parameter file is checked when the node starts, a new value
    of a ``dynamic`` parameter when it is set; the others are read-only. A float parameter also
    takes a whole number.

    Parameters
    ----------
    node : Node
        Declares them on this node (its name and namespace may have been changed).
    kind : str or Path
        Which file in ``config/nodes`` describes them, or the file itself.

    Raises
    ------
    ConfigError
        When a given value is not valid, or a parameter is given that no node of this package has
        (a typing error would otherwise leave a default in force).

    """

    def __init__(self, node: Node, kind: str | Path) -> None:
        self._specs = load_specs(kind)
        self._values: dict[str, Any] = {}
        self._listeners: list[Callable[[str, Any], None]] = []
        given: Mapping[str, Parameter] = node._parameter_overrides  # there is no public way
        _refuse_unknown(node, given, self._specs)
        checked = {name: spec.check(given[name].value) if name in given else spec.default
                   for name, spec in self._specs.items()}
        for name, spec in self._specs.items():
            # The value has been taken from the overrides above, where it could be checked with an
            # error that names the unit and the range, before rclpy complains in its own words.
            node.declare_parameter(name, checked[name], _descriptor(spec), ignore_override=True)
        self._values.update(checked)
        node.add_on_set_parameters_callback(self._on_set)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        """Return a value by its full name, also when that has dots."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f'no parameter {name!r}; the node has: '
                                 f'{", ".join(self._values)}') from None

    def as_dict(self) -> dict[str, Any]:
        """Return all values by name."""
        return dict(self._values)

    def on_change(self, listener: Callable[[str, Any], None]) -> None:
        """Call ``listener(name, value)`` after each valid change of a dynamic parameter.

        A ConfigError that it raises refuses the change.
        """
        self._listeners.append(listener)

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            # Check all before taking any: they are set together or not at all.
            new = {p.name: self._specs[p.name].check(p.value)
                   for p in parameters if p.name in self._specs}
            for name, value in new.items():
                for listener in self._listeners:
                    listener(name, value)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values.update(new)
        return SetParametersResult(successful=True)


def _refuse_unknown(node: Node, given: Mapping[str, Parameter],
                    specs: Mapping[str, ParameterSpec]) -> None:
    unknown = [name for name in given
               if name not in specs and name not in _ROS_OWN and not node.has_parameter(name)
               and not name.startswith(_ROS_OWN_PREFIXES)]
    if not unknown:
        return
    # A parameter file for `/**` holds those of all nodes; what another node knows is no mistake.
    elsewhere = {name for kind in share_names('config/nodes', '.yaml') for name in load_specs(kind)}
    problems = []
    for name in unknown:
        if name in elsewhere:
            continue
        near = difflib.get_close_matches(name, list(specs), n=1)
        problems.append(f'{name!r}' + (f' (did you mean {near[0]!r}?)' if near else ''))
    if problems:
        raise ConfigError(f'unknown parameter{"s" * (len(problems) > 1)} {", ".join(problems)}. '
                          f'Parameters of this node: {", ".join(specs)}', unknown=problems)


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    unit = f' [{spec.unit}]' if spec.unit else ''
    descriptor = ParameterDescriptor(
        name=spec.name, description=f'{spec.description}{unit}',
        additional_constraints=spec.valid_values(), read_only=not spec.dynamic,
        # ROS would refuse `rate_hz: 100` for a float; the type is checked in _on_set instead.
        dynamic_typing=True)
    # A range on a static parameter only informs. On a dynamic one rclpy would check it first and
    # say neither the unit nor, for a whole number given to a float, anything at all.
    if spec.range is not None and not spec.dynamic:
        low, high = spec.range
        if spec.type == 'float':
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))]
        elif spec.type == 'int':
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor

"""The proprioception vector that a checkpoint was trained with, from the robot's state."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.se3 import quaternion_from_rotation, rpy_from_rotation, vector_from_rotation

Array = NDArray[np.float64]
State = Mapping[str, np.ndarray]


def _position(axis: int) -> Callable[[State], float]:
    return lambda state: float(state['tool_pose'][axis, 3])


def _rpy(axis: int) -> Callable[[State], float]:
    return lambda state: float(rpy_from_rotation(state['tool_pose'][:3, :3])[axis])


def _vector(axis: int) -> Callable[[State], float]:
    return lambda state: float(vector_from_rotation(state['tool_pose'][:3, :3])[axis])


def robosuite_axis_angle(quaternion: Array) -> Array:
    """Return the rotation vector (3,) [rad] of a quaternion (x, y, z, w), as robosuite makes it.

    Its length is ``2 acos(w)``. Not the shortest turn: w < 0 gives an angle above pi, as the
    training data of LIBERO has it. The argument is neither normalised nor changed.
    """
    x, y, z, w = (float(value) for value in quaternion)
    w = min(max(w, -1.0), 1.0)
    sine = math.sqrt(1.0 - w * w)
    if sine == 0.0:
        return np.zeros(3)
    return np.array([x, y, z]) * (2.0 * math.acos(w) / sine)


def _robosuite(axis: int) -> Callable[[State], float]:
    def read(state: State) -> float:
        quaternion = quaternion_from_rotation(state['tool_pose'][:3, :3])
        # A rotation has two quaternions, q and -q. A tool that points down is near (1, 0, 0, 0) in
        # the training data, from where the simulator's own never changes sign; the shortest form
        # would jump by two pi between two such poses.
        return float(robosuite_axis_angle(-quaternion if quaternion[0] < 0.0 else quaternion)[axis])

    return read


def _quaternion(axis: int) -> Callable[[State], float]:
    return lambda state: float(quaternion_from_rotation(state['tool_pose'][:3, :3])[axis])


QUANTITIES: dict[str, Callable[[State], float]] = {
    **{name: _position(i) for i, name in enumerate(('x', 'y', 'z'))},
    **{name: _rpy(i) for i, name in enumerate(('roll', 'pitch', 'yaw'))},
    **{name: _vector(i) for i, name in enumerate(('rx', 'ry', 'rz'))},
    **{name: _robosuite(i)
       for i, name in enumerate(('robosuite_rx', 'robosuite_ry', 'robosuite_rz'))},
    **{name: _quaternion(i) for i, name in enumerate(('qx', 'qy', 'qz', 'qw'))},
    'gripper': lambda state: float(state['gripper']),
    'finger_left': lambda state: 0.5 * float(state['gripper']),
    'finger_right': lambda state: -0.5 * float(state['gripper']),
    'zero': lambda state: 0.0,
}
"""Names of what a number of a layout can be, beside ``joint1``, ``joint2``, … [rad].

Tool position ``x y z`` [m]; tool rotation as ``roll pitch yaw`` (fixed axes) [rad], as rotation
vector ``rx ry rz`` of the shortest turn [rad], as robosuite writes it (``robosuite_rx`` …, LIBERO:
turns up to two pi, about an axis with x >= 0), or as quaternion ``qx qy qz qw``, w >= 0;
``gripper``, the opening width [m], or the two fingers' positions, half the width each with opposite
signs (LIBERO); ``zero``, a number that the training data padded with.
"""

_JOINT = re.compile(r'joint([1-9]\d*)')


class ProprioLayout:
    """Which numbers a proprioception vector has, in order.

    Parameters
    ----------
    names : Sequence[str]
        Names of ``QUANTITIES``, or ``joint1`` for the first arm joint and so on.

    Raises
    ------
    ConfigError
        When a name is not known.

    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        unknown = [n for n in self.names if n not in QUANTITIES and not _JOINT.fullmatch(n)]
        if unknown or not self.names:
            raise ConfigError(f'proprio layout: unknown {", ".join(unknown) or "(empty)"}. '
                              f'Choices: joint1, joint2, …, {", ".join(QUANTITIES)}')

    def vector(self, state: State) -> Array:
        """Return the vector (n,) for an observation's state.

        Raises
        ------
        InputError
            When the state lacks what a number is read from.

        """
        out = np.empty(len(self.names))
        for i, name in enumerate(self.names):
            match = _JOINT.fullmatch(name)
            try:
                if match is None:
                    out[i] = QUANTITIES[name](state)
                else:
                    out[i] = state['joint_position'][int(match[1]) - 1]
            except KeyError as error:
                raise InputError(f'proprioception {name!r} needs {error.args[0]!r} in the state; '
                                 f'it has {", ".join(sorted(state)) or "nothing"}') from None
            except IndexError:
                raise InputError(f'proprioception {name!r}: the arm has '
                                 f'{len(state["joint_position"])} joints') from None
        return out

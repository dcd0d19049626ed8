"""The numbers of ``config/sim``, read strictly into frozen dataclasses: no defaults in code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from vla_ros.core.errors import ConfigError
from vla_ros.resources import share_file

Numbers = tuple[float, ...]
T = TypeVar('T')


@dataclass(frozen=True)
class Table:
    """A box whose top is z = 0 of the base frame [m]."""

    lower: Numbers
    upper: Numbers
    thickness: float
    height: float
    friction: float


@dataclass(frozen=True)
class Insulator:
    """Sizes of the insulator [m, kg]; heights above its own foot."""

    mass: float
    core_radius: float
    shed_radius: float
    shed_thickness: float
    shed_heights: Numbers
    cap_width: float
    cap_lower: float
    cap_upper: float
    grasp_height: float
    grasp_depth: float
    ring_height: float
    ring_inner_radius: float
    ring_tube_radius: float
    friction: float


@dataclass(frozen=True)
class Hook:
    """Sizes of the stand and its peg [m]; distances along the peg from the ring's seat."""

    peg_radius: float
    tip_distance: float
    root_distance: float
    tip_rise: float
    tip_clearance: float
    pole_radius: float
    foot: Numbers
    friction: float


@dataclass(frozen=True)
class Cubes:
    """Cubes to pick [m, kg]; ``colours`` names them."""

    width: float
    mass: float
    friction: float
    colours: Mapping[str, Numbers]


@dataclass(frozen=True)
class Spacing:
    """Least distances between the centres of a cube and of another object [m]."""

    cubes: float
    insulator: float
    hook: float


@dataclass(frozen=True)
class SceneSettings:
    """``config/sim/scene.yaml``."""

    table: Table
    insulator: Insulator
    hook: Hook
    cubes: Cubes
    spacing: Spacing
    colours: Mapping[str, Numbers]


@dataclass(frozen=True)
class Solver:
    """MuJoCo's constraint solver."""

    iterations: float
    impratio: float


@dataclass(frozen=True)
class Contact:
    """Friction of contacts beyond sliding; see MuJoCo's ``geom/friction``."""

    torsional: float
    rolling: float
    finger_friction: float
    finger_torsional: float
    finger_time: float


@dataclass(frozen=True)
class Servo:
    """Position servo of an arm joint."""

    frequency: float  # Hz
    damping_ratio: float
    armature: float  # kg m^2


@dataclass(frozen=True)
class GripperServo:
    """Position servo of a finger."""

    lead: float  # m
    damping_ratio: float
    armature: float  # kg


@dataclass(frozen=True)
class PhysicsSettings:
    """``config/sim/physics.yaml``."""

    timestep: float  # s
    solver: Solver
    contact: Contact
    servo: Servo
    gripper: GripperServo
    settle: float  # s


@dataclass(frozen=True)
class PickCriteria:
    """When an object counts as picked up."""

    lift: float  # m
    held: float  # s
    reach: float  # m
    width_tolerance: float  # m
    slip: float  # m


@dataclass(frozen=True)
class HangCriteria:
    """When the insulator counts as hung."""

    still: float  # s
    movement: float  # m
    rotation: float  # rad
    away: float  # m
    clearance: float  # m


@dataclass(frozen=True)
class TaskSettings:
    """``config/sim/tasks.yaml``."""

    pick: PickCriteria
    hang: HangCriteria


@dataclass(frozen=True)
class Spot:
    """A box on the table in which an object is placed, uniformly [m, rad]."""

    center: Numbers
    spread: Numbers
    yaw_spread: float


@dataclass(frozen=True)
class CubeArea:
    """A box on the table in which the cubes are placed, uniformly [m]."""

    center: Numbers
    spread: Numbers


@dataclass(frozen=True)
class HookPlace:
    """Where the ring's seat is, base frame [m]."""

    position: Numbers
    spread: Numbers


@dataclass(frozen=True)
class FixedCamera:
    """A camera that looks from a point to another, base frame [m]; fovy in degrees."""

    position: Numbers
    target: Numbers
    fovy: float


@dataclass(frozen=True)
class MountedCamera:
    """A camera fixed to a link; position and target in the link's frame [m]; fovy in degrees."""

    frame: str
    position: Numbers
    target: Numbers
    fovy: float


@dataclass(frozen=True)
class Layout:
    """``scene`` of a robot profile."""

    insulator: Spot
    hook: HookPlace
    cubes: CubeArea
    third_person_camera: FixedCamera
    wrist_camera: MountedCamera


_LENGTHS = {
    (Table, 'lower'): 2, (Table, 'upper'): 2, (Hook, 'foot'): 3, (Spot, 'center'): 2,
    (Spot, 'spread'): 2, (CubeArea, 'center'): 2, (CubeArea, 'spread'): 2,
    (HookPlace, 'position'): 3, (HookPlace, 'spread'): 3, (FixedCamera, 'position'): 3,
    (FixedCamera, 'target'): 3, (MountedCamera, 'position'): 3, (MountedCamera, 'target'): 3,
}


@lru_cache(maxsize=None)
def scene_settings() -> SceneSettings:
    """Return ``config/sim/scene.yaml``."""
    return _load('scene', SceneSettings)


@lru_cache(maxsize=None)
def physics_settings() -> PhysicsSettings:
    """Return ``config/sim/physics.yaml``."""
    return _load('physics', PhysicsSettings)


@lru_cache(maxsize=None)
def task_settings() -> TaskSettings:
    """Return ``config/sim/tasks.yaml``."""
    return _load('tasks', TaskSettings)


def read_layout(scene: object, path: object) -> Layout:
    """Return the layout of a robot profile's ``scene`` mapping.

    Raises
    ------
    ConfigError
        A key is missing, unknown or badly typed; the message names ``path`` and the dotted key.

    """
    return _build(Layout, scene, path, 'scene')


def _load(name: str, kind: type[T]) -> T:
    path: Path = share_file('config', 'sim', f'{name}.yaml')
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ConfigError(f'{path}: not valid YAML: {error}', path=path) from error
    return _build(kind, values, path, '')


def _build(kind: type[T], values: object, path: object, key: str) -> T:
    """Make dataclass ``kind`` of a mapping, every field present and nothing else."""
    if not isinstance(values, Mapping):
        raise _wrong(path, key, 'a mapping', values)
    types = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise ConfigError(f'{path}: unknown key {_dotted(key, name)!r}. Keys here: '
                              + ', '.join(names), path=path)
    found: dict[str, Any] = {}
    for name in names:
        dotted = _dotted(key, name)
        if name not in values:
            raise ConfigError(f'{path}: missing key {dotted!r}', path=path, key=dotted)
        found[name] = _value(kind, name, types[name], values[name], path, dotted)
    return kind(**found)


def _value(owner: type, name: str, kind: Any, value: object, path: object, key: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, value, path, key)  # type: ignore[arg-type]
    if kind is str:
        if not isinstance(value, str) or not value:
            raise _wrong(path, key, 'text', value)
        return value
    if kind is float:
        if not _is_number(value):
            raise _wrong(path, key, 'a finite number', value)
        return float(value)  # type: ignore[arg-type]
    if kind == Numbers:
        return _numbers(value, _LENGTHS.get((owner, name)), path, key)
    if not isinstance(value, Mapping) or not value:
        raise _wrong(path, key, 'a mapping of names to r g b', value)
    return {str(colour): _numbers(rgb, 3, path, _dotted(key, colour))
            for colour, rgb in value.items()}


def _numbers(value: object, length: int | None, path: object, key: str) -> Numbers:
    what = f'a list of {length or "some"} finite numbers'
    if not isinstance(value, (list, tuple)) or not all(_is_number(v) for v in value):
        raise _wrong(path, key, what, value)
    if not value or (length is not None and len(value) != length):
        raise _wrong(path, key, what, value)
    return tuple(float(v) for v in value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _dotted(key: str, name: object) -> str:
    return f'{key}.{name}' if key else str(name)


def _wrong(path: object, key: str, expected: str, value: object) -> ConfigError:
    return ConfigError(f'{path}: {key or "top"}: expected {expected}, found {value!r}',
                       path=path, key=key, value=value)

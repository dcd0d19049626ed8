"""The numbers of ``config/sim``, read strictly into frozen dataclasses: no defaults in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from vla_ros.resources import share_file
from vla_ros.section import Pair, Section, Triple, build


@dataclass(frozen=True)
class Table:
    """A box whose top is z = 0 of the base frame [m]."""

    lower: Pair
    upper: Pair
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
    shed_heights: tuple[float, ...]
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
    foot: Triple
    friction: float


@dataclass(frozen=True)
class Cubes:
    """Cubes to pick [m, kg]; ``colours`` names them."""

    width: float
    mass: float
    friction: float
    colours: Mapping[str, Triple]


@dataclass(frozen=True)
class Spacing:
    """Least distances between the centres of a cube and of another object [m]."""

    cubes: float
    insulator: float
    hook: float


@dataclass(frozen=True)
class Quality:
    """Of the pictures: shadow map [pixels], samples per pixel, facets of round shapes."""

    shadow_size: float
    samples: float
    slices: float
    stacks: float


@dataclass(frozen=True)
class SceneSettings:
    """``config/sim/scene.yaml``."""

    table: Table
    insulator: Insulator
    hook: Hook
    cubes: Cubes
    spacing: Spacing
    colours: Mapping[str, Triple]
    quality: Quality


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
    turn: float  # rad


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

    center: Pair
    spread: Pair
    yaw_spread: float


@dataclass(frozen=True)
class CubeArea:
    """A box on the table in which the cubes are placed, uniformly [m]."""

    center: Pair
    spread: Pair


@dataclass(frozen=True)
class HookPlace:
    """Where the ring's seat is, base frame [m]."""

    position: Triple
    spread: Triple


@dataclass(frozen=True)
class FixedCamera:
    """A camera that looks from a point to another, base frame [m]; fovy in degrees."""

    position: Triple
    target: Triple
    fovy: float


@dataclass(frozen=True)
class MountedCamera:
    """A camera fixed to a link; position and target in the link's frame [m]; fovy in degrees."""

    frame: str
    position: Triple
    target: Triple
    fovy: float


@dataclass(frozen=True)
class Layout:
    """``scene`` of a robot profile."""

    insulator: Spot
    hook: HookPlace
    cubes: CubeArea
    third_person_camera: FixedCamera
    wrist_camera: MountedCamera


@cache
def scene_settings() -> SceneSettings:
    """Return ``config/sim/scene.yaml``."""
    return build(SceneSettings, Section.open(share_file('config', 'sim', 'scene.yaml')))


@cache
def physics_settings() -> PhysicsSettings:
    """Return ``config/sim/physics.yaml``."""
    return build(PhysicsSettings, Section.open(share_file('config', 'sim', 'physics.yaml')))


@cache
def task_settings() -> TaskSettings:
    """Return ``config/sim/tasks.yaml``."""
    return build(TaskSettings, Section.open(share_file('config', 'sim', 'tasks.yaml')))


def read_layout(scene: object, path: object) -> Layout:
    """Return the layout of a robot profile's ``scene`` mapping.

    Raises
    ------
    ConfigError
        A key is missing, unknown or badly typed; the message names ``path`` and the dotted key.

    """
    return build(Layout, Section(path, 'scene', scene))

"""Builds the MuJoCo model: the arm from its URDF, and what stands around it.

The URDF is the only source of kinematics; everything else comes from ``config/sim`` and from the
``scene`` of the robot's profile. The base frame is MuJoCo's world frame, the table top its z = 0.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vla_ros.core.errors import ConfigError
from vla_ros.sim.engine import mujoco
from vla_ros.sim.look import add_look
from vla_ros.sim.settings import Contact, Layout, PhysicsSettings, SceneSettings

if TYPE_CHECKING:
    from vla_ros.sim.robot import SimRobot

VISUAL_GROUP, SOLID_GROUP = 1, 3  # MuJoCo draws groups 0 to 2
# An arm collides with the world and never with itself: one of the two bits must match.
_ARM = {'contype': 1, 'conaffinity': 0}
_WORLD = {'contype': 2, 'conaffinity': 3}
_GHOST = {'contype': 0, 'conaffinity': 0}
_RING_SEGMENTS = 16
_GEOM = mujoco.mjtGeom


def build_spec(robot: SimRobot, layout: Layout, scene: SceneSettings,
               physics: PhysicsSettings) -> Any:
    """Return the ``MjSpec`` of arm, objects, cameras and lights, ready to compile.

    Raises
    ------
    ConfigError
        The URDF cannot be read, or lacks a link or joint that the profile names.

    """
    try:
        spec = mujoco.MjSpec.from_file(str(robot.urdf_path))
    except ValueError as error:
        raise ConfigError(f'{robot.urdf_path}: MuJoCo cannot read it: {error}') from error
    spec.modelname = f'vla_ros {robot.name}'
    spec.compiler.degree = False
    _set_options(spec, physics)
    add_look(spec, scene)
    _prepare_arm(spec, robot, physics)
    _add_table(spec, scene)
    _add_insulator(spec, scene, physics.contact)
    _add_hook(spec, layout, scene, physics.contact)
    for colour, rgb in scene.cubes.colours.items():
        _add_cube(spec, scene, physics.contact, f'cube_{colour}', rgb)
    _add_cameras(spec, layout)
    return spec


def _set_options(spec: Any, physics: PhysicsSettings) -> None:
    option = spec.option
    option.timestep = physics.timestep
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.iterations = int(physics.solver.iterations)
    option.impratio = physics.solver.impratio


def _prepare_arm(spec: Any, robot: SimRobot, physics: PhysicsSettings) -> None:
    """Compensate gravity as arm controllers do, add rotors, and one motor to each joint."""
    arm_joints, fingers = list(robot.joints.names), list(robot.gripper.fingers)
    for body in spec.bodies:
        if body.name == 'world':
            continue
        body.gravcomp = 1.0
        finger = any(joint.name in fingers for joint in body.joints)
        for geom in body.geoms:
            if geom.contype == 0 and geom.conaffinity == 0:
                geom.group = VISUAL_GROUP
                continue
            geom.group = SOLID_GROUP
            _set(geom, _ARM)
            if finger:
                contact = physics.contact
                _rub(geom, contact.finger_friction, contact.finger_torsional, contact.rolling)
                geom.priority = 1  # what a pad holds does not change how the pad grips
                geom.solref = [contact.finger_time, 1.0]
    for name in (*arm_joints, *fingers):
        joint = spec.joint(name)
        if joint is None:
            raise ConfigError(f'{robot.urdf_path}: no joint {name!r}, which the profile names')
        joint.armature = (physics.servo if name in arm_joints else physics.gripper).armature
        joint.actgravcomp = True  # a motor's effort includes what holds the arm up
        motor = spec.add_actuator(name=name, target=name)
        motor.trntype = mujoco.mjtTrn.mjTRN_JOINT
        motor.set_to_position(kp=1.0)  # the gains follow from the compiled inertia, see servo
        motor.forcelimited = True
        limit = robot.gripper.force if name in fingers else float(joint.actfrcrange[1])
        if not limit > 0:
            raise ConfigError(f'{robot.urdf_path}: joint {name!r} has no effort limit')
        motor.forcerange = [-limit, limit]
    # Both fingers are on one rack: what moves one moves the other.
    first, *others = fingers
    for other in others:
        ratio = robot.gripper.fingers[other] / robot.gripper.fingers[first]
        rack = spec.add_equality(name=f'{first}_{other}', name1=other, name2=first)
        rack.type = mujoco.mjtEq.mjEQ_JOINT
        rack.objtype = mujoco.mjtObj.mjOBJ_JOINT
        rack.data[:5] = [0.0, ratio, 0.0, 0.0, 0.0]
        rack.solref = [2.5 * physics.timestep, 1.0]


def _add_table(spec: Any, scene: SceneSettings) -> None:
    table = scene.table
    lower, upper = np.array(table.lower), np.array(table.upper)
    center, half = (lower + upper) / 2, (upper - lower) / 2
    top = _solid(spec.worldbody, _GEOM.mjGEOM_BOX, [*half, table.thickness / 2],
                 [*center, -table.thickness / 2], material='wood')
    top.name, top.group = 'table', VISUAL_GROUP
    top.friction[0] = table.friction
    leg = 0.03
    for x in (lower[0] + 2 * leg, upper[0] - 2 * leg):
        for y in (lower[1] + 2 * leg, upper[1] - 2 * leg):
            _visual(spec.worldbody, _GEOM.mjGEOM_BOX, [leg, leg, table.height / 2],
                    [x, y, -table.height / 2 - 0.001], material='steel')
    floor = spec.worldbody.add_geom(
        name='floor', type=_GEOM.mjGEOM_PLANE, size=[4.0, 4.0, 0.1], pos=[0, 0, -table.height],
        material='floor', group=VISUAL_GROUP)
    _set(floor, _WORLD)


def _add_insulator(spec: Any, scene: SceneSettings, contact: Contact) -> None:
    """Foot at the body's origin, z up, the ring's hole along x."""
    size = scene.insulator
    body = spec.worldbody.add_body(name='insulator')
    body.add_freejoint(name='insulator')
    body.mass = size.mass
    body.ipos = [0, 0, 0.45 * size.cap_upper]
    _cylinder_inertia(body, size.mass, 0.8 * size.shed_radius, size.cap_upper)
    half_shed = size.shed_thickness / 2
    _visual(body, _GEOM.mjGEOM_CYLINDER, [size.core_radius, size.cap_lower / 2, 0],
            [0, 0, size.cap_lower / 2], material='porcelain')
    for height in size.shed_heights:
        _visual(body, _GEOM.mjGEOM_CYLINDER, [size.shed_radius, half_shed, 0], [0, 0, height],
                material='porcelain')
        _visual(body, _GEOM.mjGEOM_CYLINDER, [size.shed_radius * 0.72, half_shed, 0],
                [0, 0, height + half_shed], material='porcelain')
    # Solid parts are boxes, so that foot and cap stand and are held by faces, not by single points.
    inner = 0.75 * size.shed_radius
    foot = size.shed_heights[0] + half_shed
    solids = [([inner, inner, foot / 2], [0, 0, foot / 2])]
    for height in size.shed_heights[1:]:
        solids.append(([inner, inner, half_shed], [0, 0, height]))
    for half, position in solids:
        solid = _solid(body, _GEOM.mjGEOM_BOX, half, position)
        _rub(solid, size.friction, contact.torsional, contact.rolling)
    cap_half = (size.cap_upper - size.cap_lower) / 2
    cap = _solid(body, _GEOM.mjGEOM_BOX, [size.cap_width / 2, size.cap_width / 2, cap_half],
                 [0, 0, size.cap_lower + cap_half], material='steel')
    cap.group = VISUAL_GROUP
    _rub(cap, size.friction, contact.torsional, contact.rolling)
    ring_radius = size.ring_inner_radius + size.ring_tube_radius
    neck = size.ring_height - ring_radius
    if neck > size.cap_upper:
        _visual(body, _GEOM.mjGEOM_CYLINDER,
                [1.6 * size.ring_tube_radius, (neck - size.cap_upper) / 2 + 0.002, 0],
                [0, 0, (neck + size.cap_upper) / 2], material='steel')
    angles = np.linspace(0.0, 2 * math.pi, _RING_SEGMENTS + 1)
    points = np.stack([np.zeros_like(angles), ring_radius * np.sin(angles),
                       size.ring_height + ring_radius * np.cos(angles)], axis=1)
    for start, end in pairwise(points):
        segment = _solid(body, _GEOM.mjGEOM_CAPSULE, [size.ring_tube_radius, 0, 0], None,
                         material='steel')
        segment.fromto = [*start, *end]
        segment.group = VISUAL_GROUP
        _rub(segment, size.friction, contact.torsional, contact.rolling)
    body.add_site(name='insulator_ring', pos=[0, 0, size.ring_height], group=5)


def _add_hook(spec: Any, layout: Layout, scene: SceneSettings, contact: Contact) -> None:
    """Put the hook's origin at the ring's seat; a mocap body, so that a reset can place it."""
    size, ring = scene.hook, scene.insulator
    seat = layout.hook.position
    body = spec.worldbody.add_body(name='hook', mocap=True, pos=list(seat))
    axis = ring.ring_inner_radius - size.peg_radius  # of the peg above the centre of a resting ring
    parts = [
        ([-size.tip_distance, 0, axis], [size.root_distance, 0, axis], size.peg_radius),
        ([-size.tip_distance, 0, axis], [-size.tip_distance, 0, axis + size.tip_rise],
         size.peg_radius),
    ]
    for start, end, radius in parts:
        part = _solid(body, _GEOM.mjGEOM_CAPSULE, [radius, 0, 0], None, material='steel')
        part.fromto = [*start, *end]
        part.group = VISUAL_GROUP
        _rub(part, size.friction, contact.torsional, contact.rolling)
    # The pole goes on below the table top by as much as the hook can be raised.
    bottom = -(seat[2] + layout.hook.spread[2])
    top = axis + 0.02
    pole = _solid(body, _GEOM.mjGEOM_CYLINDER, [size.pole_radius, (top - bottom) / 2, 0],
                  [size.root_distance, 0, (top + bottom) / 2], material='dark')
    pole.group = VISUAL_GROUP
    stand = spec.worldbody.add_body(name='stand', mocap=True, pos=[seat[0], seat[1], 0])
    half = np.array(size.foot) / 2
    foot = _solid(stand, _GEOM.mjGEOM_BOX, half, [size.root_distance, 0, half[2]], material='dark')
    foot.group = VISUAL_GROUP
    body.add_site(name='hook_seat', pos=[0, 0, 0], group=5)
    body.add_site(name='hook_tip', group=5,
                  pos=[-size.tip_distance - size.peg_radius - size.tip_clearance, 0, axis])


def _add_cube(spec: Any, scene: SceneSettings, contact: Contact, name: str,
              rgb: tuple[float, ...]) -> None:
    half = scene.cubes.width / 2
    body = spec.worldbody.add_body(name=name, pos=[0, 0, half])
    body.add_freejoint(name=name)
    cube = _solid(body, _GEOM.mjGEOM_BOX, [half] * 3, [0, 0, 0])
    cube.group, cube.mass, cube.rgba = VISUAL_GROUP, scene.cubes.mass, [*rgb, 1.0]
    _rub(cube, scene.cubes.friction, contact.torsional, contact.rolling)


def _add_cameras(spec: Any, layout: Layout) -> None:
    fixed, mounted = layout.third_person_camera, layout.wrist_camera
    spec.worldbody.add_camera(
        name='third_person', pos=list(fixed.position), fovy=fixed.fovy,
        quat=_look_at(fixed.position, fixed.target, (0.0, 0.0, 1.0)))
    link = spec.body(mounted.frame)
    if link is None:
        raise ConfigError(
            f'scene.wrist_camera.frame: no link {mounted.frame!r} in the URDF; links: '
            + ', '.join(body.name for body in spec.bodies if body.name != 'world'))
    # Up in the picture is away from the tool's axis: the fingers come in from below.
    away = (mounted.position[0], mounted.position[1], 0.0)
    up = away if math.hypot(*away) > 1e-3 else (-1.0, 0.0, 0.0)
    link.add_camera(name='wrist', pos=list(mounted.position), fovy=mounted.fovy,
                    quat=_look_at(mounted.position, mounted.target, up))


def _look_at(position: tuple[float, ...], target: tuple[float, ...],
             up: tuple[float, ...]) -> np.ndarray:
    """Return the quaternion (w, x, y, z) of a camera that looks along its -z, y up."""
    back = np.subtract(position, target)
    right = np.cross(up, back)
    if not (np.linalg.norm(back) > 1e-6 and np.linalg.norm(right) > 1e-6):
        raise ConfigError(f'a camera at {position} cannot look at {target}: they coincide, or the '
                          'view is straight along the up direction')
    back, right = back / np.linalg.norm(back), right / np.linalg.norm(right)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(back, right), back], axis=1).flatten())
    return quat


def _solid(body: Any, kind: Any, size: Any, pos: Any, material: str | None = None) -> Any:
    geom = body.add_geom(type=kind, size=list(size), group=SOLID_GROUP)
    if pos is not None:
        geom.pos = list(pos)
    if material:
        geom.material = material
    _set(geom, _WORLD)
    return geom


def _visual(body: Any, kind: Any, size: Any, pos: Any, material: str) -> Any:
    geom = body.add_geom(type=kind, size=list(size), pos=list(pos), material=material,
                         group=VISUAL_GROUP, mass=0.0)
    _set(geom, _GHOST)
    return geom


def _rub(geom: Any, sliding: float, torsional: float, rolling: float) -> None:
    geom.condim = 6
    geom.friction = [sliding, torsional, rolling]


def _set(geom: Any, bits: dict[str, int]) -> None:
    geom.contype, geom.conaffinity = bits['contype'], bits['conaffinity']


def _cylinder_inertia(body: Any, mass: float, radius: float, height: float) -> None:
    across = mass * (3 * radius**2 + height**2) / 12
    body.inertia = [across, across, mass * radius**2 / 2]
    body.explicitinertial = True

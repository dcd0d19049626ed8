"""Solid primitives, and the URDF text of links and joints that are made of them.

A link is a list of shapes and a mass. Its inertia is that of the same shapes at uniform density,
so it is physically valid whatever the shapes are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COLOURS = {
    'white': (0.92, 0.92, 0.90),
    'silver': (0.72, 0.74, 0.76),
    'graphite': (0.20, 0.21, 0.23),
    'black': (0.07, 0.07, 0.08),
    'pad': (0.52, 0.54, 0.56),
    'blue': (0.32, 0.58, 0.78),
    'orange': (0.95, 0.48, 0.12),
}

Triple = Sequence[float]
ZERO = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Shape:
    """A box (size x y z), cylinder (radius, length; along z) or sphere (radius), placed in a link.

    ``collides`` is False for decoration: it is drawn and has mass, but touches nothing.
    """

    kind: str
    size: tuple[float, ...]
    xyz: Triple
    rpy: Triple
    colour: str
    collides: bool = True

    @property
    def rotation(self) -> np.ndarray:
        roll, pitch, yaw = self.rpy
        cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
        cy, sy = math.cos(yaw), math.sin(yaw)
        about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
        about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        return about_z @ about_y @ about_x

    @property
    def volume(self) -> float:
        if self.kind == 'box':
            return math.prod(self.size)
        if self.kind == 'cylinder':
            radius, length = self.size
            return math.pi * radius**2 * length
        (radius,) = self.size
        return 4 / 3 * math.pi * radius**3

    @property
    def inertia_per_mass(self) -> np.ndarray:
        """Principal moments about the own centre, in the own axes, for a mass of 1 kg [m^2]."""
        if self.kind == 'box':
            x2, y2, z2 = (length**2 for length in self.size)
            return np.array([y2 + z2, x2 + z2, x2 + y2]) / 12
        if self.kind == 'cylinder':
            radius, length = self.size
            across = (3 * radius**2 + length**2) / 12
            return np.array([across, across, radius**2 / 2])
        (radius,) = self.size
        return np.full(3, 0.4 * radius**2)


def box(size: Triple, at: Triple, colour: str, collides: bool = True) -> Shape:
    """Return an axis-aligned box."""
    return Shape('box', tuple(size), at, ZERO, colour, collides)


def ball(radius: float, at: Triple, colour: str, collides: bool = True) -> Shape:
    """Return a sphere."""
    return Shape('sphere', (radius,), at, ZERO, colour, collides)


def tube(radius: float, start: Triple, end: Triple, colour: str, collides: bool = True) -> Shape:
    """Return a cylinder between two points."""
    along = np.subtract(end, start)
    pitch = math.atan2(math.hypot(along[0], along[1]), along[2])
    yaw = math.atan2(along[1], along[0])
    centre = np.add(start, end) / 2
    length = float(np.linalg.norm(along))
    return Shape('cylinder', (radius, length), tuple(centre), (0.0, pitch, yaw), colour, collides)


def inertial(shapes: Sequence[Shape], mass: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre of mass [m] and the inertia about it [kg m^2] at uniform density."""
    volumes = np.array([shape.volume for shape in shapes])
    masses = mass * volumes / volumes.sum()
    centres = np.array([shape.xyz for shape in shapes])
    com = masses @ centres / mass
    total = np.zeros((3, 3))
    for part, shape, offset in zip(masses, shapes, centres - com, strict=True):
        own = shape.rotation @ np.diag(shape.inertia_per_mass) @ shape.rotation.T
        total += part * (own + offset @ offset * np.eye(3) - np.outer(offset, offset))
    return com, total


def numbers(values: Triple) -> str:
    """Return numbers as a URDF attribute: short, and never ``-0``."""
    return ' '.join(f'{round(float(value), 9) + 0.0:.9g}' for value in values)


def exact(values: Triple) -> str:
    """Return numbers of the kinematics, with every digit they have."""
    return ' '.join(repr(float(value)) for value in values)


def link(name: str, shapes: Sequence[Shape] = (), mass: float = 0.0) -> str:
    """Return a ``<link>``; without shapes it is only a frame, without mass it has no inertia."""
    if not shapes:
        return f'  <link name="{name}"/>'
    lines = [f'  <link name="{name}">', *(_inertial(shapes, mass) if mass else [])]
    for shape in shapes:
        lines += _geometry('visual', shape)
    for shape in shapes:
        if shape.collides:
            lines += _geometry('collision', shape)
    return '\n'.join([*lines, '  </link>'])


def fixed(name: str, parent: str, child: str, xyz: Triple = ZERO, rpy: Triple = ZERO) -> str:
    """Return a fixed ``<joint>``."""
    return '\n'.join([*_joint_head(name, 'fixed', parent, child, xyz, rpy), '  </joint>'])


def moving(
    name: str, kind: str, parent: str, child: str, xyz: Triple, rpy: Triple,
    limits: tuple[float, float], effort: float, velocity: float,
    axis: Triple = (0, 0, 1), damping: float = 0.0,
) -> str:  # fmt: skip
    """Return a revolute or prismatic ``<joint>``."""
    lower, upper = limits
    return '\n'.join([
        *_joint_head(name, kind, parent, child, xyz, rpy),
        f'    <axis xyz="{numbers(axis)}"/>',
        f'    <limit lower="{lower!r}" upper="{upper!r}" effort="{effort:g}"'
        f' velocity="{velocity!r}"/>',
        f'    <dynamics damping="{damping:g}" friction="0"/>',
        '  </joint>',
    ])  # fmt: skip


def robot(name: str, note: str, elements: Sequence[str]) -> str:
    """Return a whole URDF.

    The ``<mujoco>`` element makes MuJoCo keep the visual geometry and the links without joints;
    every other URDF reader skips it.
    """
    materials = [
        f'  <material name="{colour}"><color rgba="{numbers((*rgb, 1))}"/></material>'
        for colour, rgb in COLOURS.items()
    ]
    return '\n'.join([
        '<?xml version="1.0"?>',
        f'<!-- {note}',
        '     Written by `python urdf/generate`; change it there. -->',
        f'<robot name="{name}">',
        '  <mujoco><compiler discardvisual="false" fusestatic="false"'
        ' strippath="false" balanceinertia="false"/></mujoco>',
        *materials,
        *elements,
        '</robot>',
        '',
    ])  # fmt: skip


def _inertial(shapes: Sequence[Shape], mass: float) -> list[str]:
    com, inertia = inertial(shapes, mass)
    keys = ('ixx', 'ixy', 'ixz', 'iyy', 'iyz', 'izz')
    upper = inertia[np.triu_indices(3)]
    moments = ' '.join(f'{key}="{value:.6e}"' for key, value in zip(keys, upper, strict=True))
    return [
        '    <inertial>',
        f'      <origin xyz="{numbers(com)}" rpy="0 0 0"/>',
        f'      <mass value="{mass:g}"/>',
        f'      <inertia {moments}/>',
        '    </inertial>',
    ]


def _joint_head(
    name: str, kind: str, parent: str, child: str, xyz: Triple, rpy: Triple
) -> list[str]:
    return [
        f'  <joint name="{name}" type="{kind}">',
        f'    <parent link="{parent}"/>',
        f'    <child link="{child}"/>',
        f'    <origin xyz="{exact(xyz)}" rpy="{exact(rpy)}"/>',
    ]


def _geometry(tag: str, shape: Shape) -> list[str]:
    if shape.kind == 'box':
        solid = f'<box size="{numbers(shape.size)}"/>'
    elif shape.kind == 'cylinder':
        radius, length = shape.size
        solid = f'<cylinder radius="{radius:g}" length="{length:.9g}"/>'
    else:
        solid = f'<sphere radius="{shape.size[0]:g}"/>'
    material = f'<material name="{shape.colour}"/>' if tag == 'visual' else ''
    return [
        f'    <{tag}>',
        f'      <origin xyz="{numbers(shape.xyz)}" rpy="{numbers(shape.rpy)}"/>',
        f'      <geometry>{solid}</geometry>' + material,
        f'    </{tag}>',
    ]

"""Universal Robots UR3e, UR5e, UR10e with a generic 85 mm parallel gripper on tool0.

Kinematics are the maker's nominal ones (a calibrated arm differs by 1 to 2 mm); link frames and
names are those of ur_description. The looks are proportional to a few radii and offsets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from parts import Shape, Triple, ball, box, fixed, link, moving, robot, tube

TCP = 0.150
"""Tool frame past tool0 [m]; the fingertips are 15 mm further out."""
STROKE = 0.0425
"""Travel of each finger [m]."""
GRIPPER_MASS, FINGER_MASS = 0.75, 0.06


@dataclass(frozen=True)
class Arm:
    """One size of arm: DH lengths [m] and what else its description says."""

    d1: float
    a2: float
    a3: float
    d4: float
    d5: float
    d6: float
    wrist_2_z: float  # what the maker's description has there, 2e-11 m, instead of 0
    wrist_3_z: float
    masses: tuple[float, ...]  # base, shoulder, upper arm, forearm, wrist 1, 2, 3 [kg]
    efforts: tuple[float, ...]  # N m
    velocities: tuple[int, ...]  # degrees per second
    upper_arm_offset: float  # of the upper arm's tube, along the shoulder's axis [m]
    forearm_offset: float
    big: float  # radius of shoulder and elbow [m]
    small: float  # radius of the wrists [m]


ARMS = {
    'ur3e': Arm(
        0.15185, -0.24355, -0.2132, 0.13105, 0.08535, 0.0921,
        -1.750557762378351e-11, -1.8890025766262e-11,
        (2.0, 1.98, 3.4445, 1.437, 0.871, 0.805, 0.261),
        (54, 54, 28, 9, 9, 9), (180, 180, 180, 360, 360, 360),
        0.120, 0.027, 0.050, 0.034,
    ),
    'ur5e': Arm(
        0.1625, -0.425, -0.3922, 0.1333, 0.0997, 0.0996,
        -2.044881182297852e-11, -2.042830148012698e-11,
        (4.0, 3.761, 8.058, 2.846, 1.37, 1.3, 0.365),
        (150, 150, 150, 28, 28, 28), (180,) * 6,
        0.138, 0.007, 0.060, 0.040,
    ),
    'ur10e': Arm(
        0.1807, -0.6127, -0.57155, 0.17415, 0.11985, 0.11655,
        -2.458164590756244e-11, -2.390480459346185e-11,
        (4.0, 7.369, 13.051, 3.989, 2.1, 1.98, 0.615),
        (330, 330, 150, 54, 54, 54), (120, 120, 180, 180, 180, 180),
        0.176, 0.049, 0.076, 0.048,
    ),
}  # fmt: skip


def arm_shapes(arm: Arm) -> dict[str, list[Shape]]:
    """Return the shapes of base_link_inertia … wrist_3_link, each in its own frame."""
    big, small, cap = arm.big, arm.small, 0.006
    upper, fore = arm.upper_arm_offset, arm.forearm_offset
    base_top = arm.d1 - 1.05 * big
    elbow = 1.0 * big  # half length of the upper arm's end housings
    reach = 1.1 * small  # half length of the wrist housings
    split = upper - elbow  # where the elbow turns, along its axis
    top, low = upper + 0.9 * elbow, fore - 0.8 * big  # the elbow's ends
    return {
        'base_link_inertia': [
            tube(1.3 * big, (0, 0, 0), (0, 0, 0.02), 'silver'),
            tube(1.12 * big, (0, 0, 0.02), (0, 0, base_top), 'silver'),
            tube(1.15 * big, (0, 0, base_top - 0.012), (0, 0, base_top), 'graphite', False),
        ],
        'shoulder_link': [
            tube(big, (0, 0, -1.05 * big), (0, 0, 0), 'silver'),
            ball(big, (0, 0, 0), 'silver'),
            tube(big, (0, 0, 0), (0, -(upper - elbow), 0), 'silver'),
            tube(0.92 * big, (0, big, 0), (0, big - 0.02, 0), 'blue', False),
        ],
        'upper_arm_link': [
            tube(big, (0, 0, split + 0.004), (0, 0, upper + elbow), 'silver'),
            tube(0.94 * big, (0, 0, upper + elbow), (0, 0, upper + elbow + cap), 'blue', False),
            tube(0.8 * big, (0, 0, upper), (arm.a2, 0, upper), 'white'),
            tube(0.85 * big, (-big, 0, upper), (-1.25 * big, 0, upper), 'graphite', False),
            tube(
                0.85 * big, (arm.a2 + 0.9 * big, 0, upper), (arm.a2 + 1.15 * big, 0, upper),
                'graphite', False,
            ),
            tube(0.9 * big, (arm.a2, 0, split + 0.004), (arm.a2, 0, top), 'silver'),
            tube(0.84 * big, (arm.a2, 0, top), (arm.a2, 0, top + cap), 'blue', False),
        ],
        'forearm_link': [
            tube(0.9 * big, (0, 0, low), (0, 0, split), 'silver'),
            tube(0.84 * big, (0, 0, low - cap), (0, 0, low), 'blue', False),
            tube(1.02 * small, (0, 0, fore), (arm.a3, 0, fore), 'white'),
            tube(1.1 * small, (-0.9 * big, 0, fore), (-1.15 * big, 0, fore), 'graphite', False),
            tube(
                1.1 * small, (arm.a3 + 1.0 * small, 0, fore), (arm.a3 + 1.3 * small, 0, fore),
                'graphite', False,
            ),
            tube(small, (arm.a3, 0, fore - reach), (arm.a3, 0, arm.d4 - small), 'silver'),
            tube(
                0.92 * small, (arm.a3, 0, fore - reach - cap), (arm.a3, 0, fore - reach),
                'blue', False,
            ),
        ],
        'wrist_1_link': [
            tube(0.96 * small, (0, 0, -small), (0, 0, 0), 'graphite'),
            tube(small, (0, reach, 0), (0, reach - arm.d5, 0), 'silver'),
            tube(0.92 * small, (0, reach, 0), (0, reach + cap, 0), 'blue', False),
        ],
        'wrist_2_link': [
            tube(0.96 * small, (0, 0, -reach), (0, 0, 0), 'graphite'),
            tube(small, (0, -reach, 0), (0, arm.d6 - 0.03, 0), 'silver'),
            tube(0.92 * small, (0, -reach, 0), (0, -reach - cap, 0), 'blue', False),
        ],
        'wrist_3_link': [tube(0.95 * small, (0, 0, -0.03), (0, 0, 0), 'graphite')],
    }  # fmt: skip


def gripper_shapes() -> list[Shape]:
    """Return the shapes of gripper_base: z out of the flange, fingers slide along y."""
    return [
        tube(0.0375, (0, 0, 0), (0, 0, 0.02), 'black'),
        box((0.06, 0.09, 0.04), (0, 0, 0.04), 'graphite'),
        box((0.05, 0.145, 0.03), (0, 0, 0.073), 'graphite'),
        box((0.02, 0.13, 0.004), (0, 0, 0.09), 'silver', collides=False),
        # wrist camera on its bracket; the camera looks along the fingers from its front face
        box((0.04, 0.03, 0.012), (-0.046, 0, 0.048), 'graphite', collides=False),
        box((0.024, 0.09, 0.022), (-0.075, 0, 0.048), 'black', collides=False),
    ]


def finger_shapes(side: int) -> list[Shape]:
    """Return the shapes of one finger at y > 0 (``side`` = 1) or y < 0 (-1), z out of the flange.

    The inner face of the pad is the plane y = 0, so the joint position is half the opening.
    """
    return [
        box((0.026, 0.006, 0.05), (0, 0.003 * side, -0.010), 'pad'),
        box((0.024, 0.012, 0.074), (0, 0.012 * side, -0.022), 'graphite'),
        box((0.036, 0.022, 0.012), (0, 0.015 * side, -0.052), 'graphite', collides=False),
    ]


def ur(name: str, arm: Arm) -> str:
    """Return the URDF of one arm with its gripper."""
    full, half_turn = 6.283185307179586, 3.141592653589793
    shapes = arm_shapes(arm)
    links = list(shapes)
    origins: tuple[tuple[str, Triple, Triple, float], ...] = (
        ('shoulder_pan_joint', (0, 0, arm.d1), (0, 0, 0), full),
        ('shoulder_lift_joint', (0, 0, 0), (1.570796327, 0, 0), full),
        ('elbow_joint', (arm.a2, 0, 0), (0, 0, 0), half_turn),
        ('wrist_1_joint', (arm.a3, 0, arm.d4), (0, 0, 0), full),
        ('wrist_2_joint', (0, -arm.d5, arm.wrist_2_z), (1.570796327, 0, 0), full),
        # The UR3e's last joint turns without end. Two turns each way are enough for a policy, and
        # a joint with limits is one number everywhere.
        (
            'wrist_3_joint', (0, arm.d6, arm.wrist_3_z),
            (1.570796326589793, half_turn, half_turn), full,
        ),
    )  # fmt: skip
    elements = [
        link('base_link'),
        link(links[0], shapes[links[0]], arm.masses[0]),
        fixed('base_link-base_link_inertia', 'base_link', links[0], rpy=(0, 0, half_turn)),
        link('base'),
        fixed('base_link-base_fixed_joint', 'base_link', 'base', rpy=(0, 0, half_turn)),
    ]
    for index, (joint, xyz, rpy, limit) in enumerate(origins):
        parent, child = links[index], links[index + 1]
        elements += [
            link(child, shapes[child], arm.masses[index + 1]),
            moving(
                joint, 'revolute', parent, child, xyz, rpy, (-limit, limit),
                arm.efforts[index], math.radians(arm.velocities[index]), damping=1.0,
            ),
        ]  # fmt: skip
    quarter = 1.5707963267948966
    elements += [
        link('flange'),
        fixed('wrist_3-flange', 'wrist_3_link', 'flange', rpy=(0, -quarter, -quarter)),
        link('tool0'),
        fixed('flange-tool0', 'flange', 'tool0', rpy=(quarter, 0, quarter)),
        link('gripper_base', gripper_shapes(), GRIPPER_MASS),
        fixed('gripper_base_joint', 'tool0', 'gripper_base'),
    ]
    for finger, side in (('left_finger', 1), ('right_finger', -1)):
        elements += [
            link(finger, finger_shapes(side), FINGER_MASS),
            moving(
                f'{finger}_joint', 'prismatic', 'gripper_base', finger, (0, 0, TCP), (0, 0, 0),
                (0.0, STROKE), effort=100, velocity=1.0, damping=5.0, axis=(0, side, 0),
            ),
        ]  # fmt: skip
    elements += [link('tcp'), fixed('tcp_joint', 'gripper_base', 'tcp', (0, 0, TCP))]
    note = f'Universal Robots {name[:-1].upper()}e (nominal kinematics) with a parallel gripper.'
    return robot(name, note, elements)


def models() -> dict[str, str]:
    """Return URDF text by robot name."""
    return {name: ur(name, arm) for name, arm in ARMS.items()}

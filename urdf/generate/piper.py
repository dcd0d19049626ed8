"""AgileX Piper with its two-finger gripper, with current or with old joint offsets.

Link frames are those of the maker: link1 z up, link2 and link3 z along the joint axis (left),
link4 and link6 z along the forearm and out of the flange.
"""

from __future__ import annotations

from dataclasses import dataclass

from parts import Shape, Triple, ball, box, fixed, link, moving, robot, tube

MASSES = {
    'link1': 0.71, 'link2': 1.16, 'link3': 0.5, 'link4': 0.38, 'link5': 0.383, 'link6': 0.007,
    'gripper_base': 0.45, 'link7': 0.025, 'link8': 0.025,
}  # fmt: skip
TCP = 0.1358
"""Finger mount and tool frame past link6 [m]; the fingertips are 15 mm further out."""
STROKE = 0.035
"""Travel of each finger [m]."""


@dataclass(frozen=True)
class Joint:
    """Origin, limits [rad] of one arm joint."""

    xyz: Triple
    rpy: Triple
    limits: tuple[float, float]


CURRENT = (
    Joint((0, 0, 0.123), (0, 0, 0), (-2.6179938, 2.6179938)),
    Joint((0, 0, 0), (1.5707963, -0.1357866, -3.1415926), (0.0, 3.1415926)),
    Joint((0.28503, 0, 0), (0, 0, -1.7938494), (-2.9670597, 0.0)),
    Joint((-0.02198, -0.25075, 0), (1.5707963, 0, 0), (-1.7453292, 1.7453292)),
    Joint((0, 0, 0), (-1.5707963, 0, 0), (-1.2217304, 1.2217304)),
    Joint((8.8259e-05, -0.091, 0), (1.5707963, 0, 0), (-2.0943951, 2.0943951)),
)
OLD = (
    Joint((0, 0, 0.123), (0, 0, 0), (-2.618, 2.618)),
    Joint((0, 0, 0), (1.5708, -0.10095, -3.1416), (0.0, 3.14)),
    Joint((0.28503, 0, 0), (0, 0, -1.759), (-2.967, 0.0)),
    Joint((-0.021984, -0.25075, 0), (1.5708, 0, 0), (-1.745, 1.745)),
    Joint((0, 0, 0), (-1.5708, 0, 0), (-1.22, 1.22)),
    Joint((8.8259e-05, -0.091, 0), (1.5708, 0, 0), (-2.0944, 2.0944)),
)


def arm_shapes() -> dict[str, list[Shape]]:
    """Return the shapes of base_link … link6, each in its own frame."""
    elbow, wrist = (0.28503, 0, 0), (-0.02198, -0.25075, 0)
    fore = tuple(0.8 * value for value in wrist)  # where joint 4 turns, 5 cm before the wrist
    return {
        'base_link': [
            box((0.15, 0.12, 0.016), (-0.01, 0, 0.008), 'graphite'),
            tube(0.052, (0, 0, 0.016), (0, 0, 0.066), 'white'),
            box((0.05, 0.07, 0.04), (-0.06, 0, 0.036), 'white'),
        ],
        'link1': [
            tube(0.048, (0, 0, -0.055), (0, 0, -0.03), 'graphite'),
            tube(0.044, (0, -0.046, 0), (0, 0.046, 0), 'white'),
            ball(0.046, (0, 0, -0.018), 'white', collides=False),
            tube(0.036, (0, -0.052, 0), (0, 0.052, 0), 'graphite', collides=False),
        ],
        'link2': [
            tube(0.034, (0, 0, 0.053), (0, 0, 0.063), 'white', collides=False),
            tube(0.034, (0, 0, -0.063), (0, 0, -0.053), 'white', collides=False),
            tube(0.022, (0, 0, -0.065), (0, 0, 0.065), 'graphite', collides=False),
            box((0.075, 0.05, 0.009), (0.0375, 0, 0.058), 'white', collides=False),
            box((0.075, 0.05, 0.009), (0.0375, 0, -0.058), 'white', collides=False),
            tube(0.029, (0.074, 0, -0.0615), (0.074, 0, 0.0615), 'white'),
            tube(0.034, (0.074, 0, 0), (0.25, 0, 0), 'white'),
            tube(0.0355, (0.112, 0, 0), (0.120, 0, 0), 'graphite', collides=False),
            ball(0.036, (0.25, 0, 0), 'white'),
            tube(0.038, (0.28503, 0, -0.04), (0.28503, 0, 0.04), 'white'),
            tube(0.03, (*elbow[:2], -0.046), (*elbow[:2], 0.046), 'graphite', collides=False),
        ],
        'link3': [
            ball(0.0385, (-0.004, -0.03, 0), 'graphite'),
            tube(0.031, (-0.004, -0.03, 0), fore, 'white'),
            tube(0.033, tuple(0.74 * v for v in wrist), fore, 'graphite', collides=False),
        ],
        'link4': [
            tube(0.0305, (0, 0, -0.05), (0, 0, -0.008), 'white'),
            tube(0.031, (0, -0.034, 0), (0, 0.034, 0), 'white'),
            tube(0.024, (0, -0.04, 0), (0, 0.04, 0), 'graphite', collides=False),
        ],
        'link5': [
            tube(0.0275, (0, -0.012, 0), (0, -0.042, 0), 'graphite'),
            tube(0.029, (0, -0.042, 0), (0, -0.083, 0), 'white'),
        ],
        'link6': [tube(0.026, (0, 0, -0.008), (0, 0, 0), 'orange')],
    }


def gripper_shapes() -> list[Shape]:
    """Return the shapes of gripper_base: z out of the flange, fingers slide along y."""
    return [
        tube(0.03, (0, 0, 0), (0, 0, 0.022), 'graphite'),
        box((0.052, 0.074, 0.03), (0, 0, 0.035), 'graphite'),
        box((0.046, 0.116, 0.028), (0, 0, 0.063), 'graphite'),
        box((0.018, 0.1, 0.004), (0, 0, 0.079), 'silver', collides=False),
        # wrist camera on its bracket; the camera looks along the fingers from its front face
        box((0.03, 0.03, 0.012), (-0.038, 0, 0.034), 'graphite', collides=False),
        box((0.022, 0.09, 0.02), (-0.062, 0, 0.034), 'black', collides=False),
    ]


def finger_shapes() -> list[Shape]:
    """Return the shapes of one finger: y out of the flange, z away from the other finger.

    The inner face of the pad is the plane z = 0, so the joint position is half the opening.
    """
    return [
        box((0.024, 0.05, 0.006), (0, -0.010, 0.003), 'pad'),
        box((0.022, 0.07, 0.01), (0, -0.020, 0.011), 'graphite'),
        box((0.034, 0.012, 0.018), (0, -0.049, 0.013), 'graphite', collides=False),
    ]


def piper(name: str, joints: tuple[Joint, ...], note: str) -> str:
    """Return the URDF of a Piper with these arm joints."""
    elements = []
    parent = 'base_link'
    shapes = arm_shapes()
    # No inertia for the root: it never moves, and KDL (robot_state_publisher) complains of one.
    elements.append(link(parent, shapes[parent]))
    for number, joint in enumerate(joints, start=1):
        child = f'link{number}'
        elements.append(link(child, shapes[child], MASSES[child]))
        elements.append(
            moving(
                f'joint{number}', 'revolute', parent, child, joint.xyz, joint.rpy,
                joint.limits, effort=100, velocity=3.0, damping=1.0,
            )
        )  # fmt: skip
        parent = child
    elements += [
        link('gripper_base', gripper_shapes(), MASSES['gripper_base']),
        fixed('gripper_base_joint', 'link6', 'gripper_base'),
        link('link7', finger_shapes(), MASSES['link7']),
        moving(
            'joint7', 'prismatic', 'gripper_base', 'link7', (0, 0, TCP), (1.5707963267948966, 0, 0),
            (0.0, STROKE), effort=50, velocity=1.0, damping=5.0,
        ),
        link('link8', finger_shapes(), MASSES['link8']),
        moving(
            'joint8', 'prismatic', 'gripper_base', 'link8', (0, 0, TCP),
            (1.5707963267948966, 0, -3.141592653589793),
            (-STROKE, 0.0), effort=50, velocity=1.0, damping=5.0, axis=(0, 0, -1),
        ),
        link('tcp'),
        fixed('tcp_joint', 'gripper_base', 'tcp', (0, 0, TCP)),
    ]  # fmt: skip
    return robot(name, note, elements)


def models() -> dict[str, str]:
    """Return URDF text by robot name."""
    return {
        'piper': piper('piper', CURRENT, 'AgileX Piper, joint offsets since firmware S-V1.6-3.'),
        'piper_old_dh': piper(
            'piper_old_dh', OLD, 'AgileX Piper, joint offsets of firmware before S-V1.6-3.'
        ),
    }

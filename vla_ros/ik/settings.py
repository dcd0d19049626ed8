"""What can be tuned in the iterative solver."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.core.errors import ConfigError


@dataclass(frozen=True)
class PinocchioIkSettings:
    """Tolerances and bounds; the defaults suit arms of 0.5 to 1.5 m reach.

    Attributes
    ----------
    position_tolerance, rotation_tolerance : float
        A pose is reached within these [m], [rad].
    max_iterations : int
        Steps of one solve.
    rotation_length : float
        What a metre is for a radian [m/rad]: of the poses that can be reached, the nearest has the
        smallest position_error^2 + (rotation_length * rotation_error)^2. At 0.2, one degree costs
        as much as 3.5 mm, about what a grasp bears of either. It has no effect on poses that are
        reached.
    max_joint_change : float
        No joint moves further than this from the seed in one solve [rad]; a goal that needs more is
        on another branch (see ``IkStatus.BRANCH``).
    damping_below : float
        Smallest singular value of the Jacobian at which damping sets in.
    max_joint_step : float
        Largest move of a joint in one iteration [rad]; the linear model holds no further.

    """

    position_tolerance: float = 1e-5
    rotation_tolerance: float = 1e-4
    max_iterations: int = 30
    rotation_length: float = 0.2
    max_joint_change: float = 0.6
    damping_below: float = 0.03
    max_joint_step: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0.0:
                raise ConfigError(f'pinocchio IK: {name} must be positive, found {value}')

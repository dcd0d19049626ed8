"""Joint position controllers of the simulated arm and gripper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vla_ros.sim.engine import mujoco
from vla_ros.sim.robot import SimRobot
from vla_ros.sim.settings import PhysicsSettings


def tune_servos(model: Any, data: Any, robot: SimRobot, physics: PhysicsSettings) -> None:
    """Set the gains of the motors that are named after the joints, from the inertia at ``data``.

    A joint of inertia I gets stiffness w^2 I and damping 2 z w I, so every joint of every arm
    follows a ramp with the same lag 2 z / w.
    """
    servo, gripper = physics.servo, physics.gripper
    omega = 2 * math.pi * servo.frequency
    for name in robot.joints.names:
        inertia = _inertia(model, data, name)
        _set_gains(model, name, omega**2 * inertia, 2 * servo.damping_ratio * omega * inertia)
    stiffness = robot.gripper.force / gripper.lead
    for name in robot.gripper.fingers:
        inertia = _inertia(model, data, name)
        damping = 2 * gripper.damping_ratio * math.sqrt(stiffness * inertia)
        _set_gains(model, name, stiffness, damping)


class GripperDrive:
    """Moves the gripper's target with limited speed, never far ahead of the fingers.

    Staying close keeps the squeeze at the force limit while something is in the way, and lets go at
    once when the gripper is told to open.
    """

    def __init__(self, robot: SimRobot, physics: PhysicsSettings) -> None:
        factor = max(abs(f) for f in robot.gripper.fingers.values())
        self._closed, self._open = robot.gripper.closed, robot.gripper.open
        self._ahead = 2.0 * physics.gripper.lead / factor  # m of width
        self._force = robot.gripper.force
        self._step = robot.gripper.speed * physics.timestep
        self.target = self._open

    def reset(self, width: float) -> None:
        """Start from an opening width [m]."""
        self.target = width

    def advance(self, commanded: float, measured: float, force: float = math.inf) -> float:
        """Return the width that the fingers' servos shall hold for the next time step [m].

        ``force`` [N per finger] bounds the squeeze further than the gripper itself does.
        """
        step = min(max(commanded - self.target, -self._step), self._step)
        ahead = self._ahead * min(1.0, force / self._force)
        lowest, highest = measured - ahead, measured + ahead
        self.target = min(max(self.target + step, lowest), highest)
        return self.target


def _inertia(model: Any, data: Any, joint: str) -> float:
    dof = int(model.joint(joint).dofadr[0])
    unit, column = np.zeros(model.nv), np.zeros(model.nv)
    unit[dof] = 1.0
    mujoco.mj_mulM(model, data, column, unit)
    return float(column[dof])


def _set_gains(model: Any, name: str, stiffness: float, damping: float) -> None:
    motor = int(model.actuator(name).id)
    model.actuator_gainprm[motor, 0] = stiffness
    model.actuator_biasprm[motor, 1] = -stiffness
    model.actuator_biasprm[motor, 2] = -damping

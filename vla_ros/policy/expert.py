"""A memoryless expert for the simulated tasks: from where everything is to where to move next.

It keeps no state between calls. What to do is read from the poses and the gripper alone, so it can
be killed and started again in the middle of a task, and a rollout of its own predictions is a
chunk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.se3 import (
    inverse,
    pose,
    rotation_from_rpy,
    rotation_from_vector,
    vector_from_rotation,
)
from vla_ros.section import Positive

Array = NDArray[np.float64]

CLOSED, OPEN = 0.0, 1.0
_WIDTH_TOLERANCE = 0.004  # m, gripped when the fingers are this close to the object's width
_GRASP_POSITION, _GRASP_ROTATION = 0.004, 0.05  # m, rad: close the gripper from here
_ABOVE_CENTRE = 0.005  # m, where a cube is gripped: clear of the table
_ON_SEAT = 0.006  # m above its seat at which the ring may be let go
_SLIP = 0.025  # m between tool frame and grasp frame; more is not gripped any more


@dataclass(frozen=True)
class PerKind:
    """One number [m] for each kind of object."""

    insulator: Positive
    cube: Positive


@dataclass(frozen=True)
class ExpertConfig:
    """Speeds and distances, see ``config/policies/scripted.yaml`` for units and defaults."""

    grasp_pitch: Positive
    max_speed: Positive
    max_rotation_speed: Positive
    gain: Positive
    approach_distance: Positive
    retreat_distance: Positive
    lift_heights: PerKind
    gripper_open: Positive
    gripper_speed: Positive
    grasp_widths: PerKind


@dataclass(frozen=True, eq=False)
class Scene:
    """Where everything is.

    Attributes
    ----------
    T_base_tool : np.ndarray
        (4, 4) tool frame: z is the approach direction, y the closing axis.
    width : float
        Opening of the gripper [m].
    frames : Mapping[str, np.ndarray]
        (4, 4) poses of the objects' frames in the base frame.

    """

    T_base_tool: Array
    width: float
    frames: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Intent:
    """Where the tool shall go (4, 4), what the gripper shall do, and why, in a word."""

    T_base_goal: Array
    gripper: float
    phase: str


class Expert:
    """Decides what to do next."""

    def __init__(self, config: ExpertConfig) -> None:
        self.config = config

    def pick(self, scene: Scene, grasp_frame: str, kind: str) -> Intent:
        """Return the next intent of grasping and lifting what has this frame."""
        T = scene.T_base_tool
        T_grasp = self._grasp_pose(scene.frames[grasp_frame])
        if self.gripped(scene, grasp_frame, kind):
            goal = T.copy()
            goal[2, 3] = max(getattr(self.config.lift_heights, kind), T[2, 3])
            return Intent(goal, CLOSED, 'lift')
        offset, turn = _distance(T, T_grasp)
        width = getattr(self.config.grasp_widths, kind)
        # Fingers that have begun to close go on closing, though the object may have moved a little.
        closing = width - 2 * _WIDTH_TOLERANCE <= scene.width < self.config.gripper_open
        reached = offset < _GRASP_POSITION and turn < _GRASP_ROTATION
        if (reached and scene.width > width) or (closing and offset < 0.5 * _SLIP):
            return Intent(T_grasp, CLOSED, 'close')
        # A funnel: the closer to the approach line, the further down it may go.
        axis = T_grasp[:3, 2]
        delta = T[:3, 3] - T_grasp[:3, 3]
        lateral = float(np.linalg.norm(delta - axis * (axis @ delta)))
        back = 8.0 * max(lateral - 0.003, 0.0) + 0.4 * max(turn - 0.03, 0.0)
        if scene.width < self.config.gripper_open:
            back = self.config.approach_distance
        goal = T_grasp.copy()
        goal[:3, 3] -= axis * min(back, self.config.approach_distance)
        return Intent(goal, OPEN, 'approach')

    def hang(self, scene: Scene) -> Intent:
        """Return the next intent of hanging the insulator on the hook, grasping it first."""
        ring, seat = scene.frames['insulator_ring'], scene.frames['hook_seat']
        tip = scene.frames['hook_tip']
        peg = seat[:3, 0]  # from the tip to the root
        length = float(peg @ (seat[:3, 3] - tip[:3, 3]))
        along = float(peg @ (ring[:3, 3] - tip[:3, 3]))
        side = ring[:3, 3] - tip[:3, 3] - peg * along
        above_seat = float(ring[2, 3] - seat[2, 3])
        level = float(tip[2, 3] - seat[2, 3])
        threaded = (abs(float(seat[:3, 1] @ side)) < 0.012 and 0.3 * length < along < length + 0.03
                    and -0.02 < above_seat < level + 0.012)
        if not self.gripped(scene, 'insulator_grasp', 'insulator'):
            return self._release(scene) if threaded else self.pick(
                scene, 'insulator_grasp', 'insulator')
        T = scene.T_base_tool
        if threaded and along > length - 0.008:
            if above_seat < _ON_SEAT:
                return Intent(T, OPEN, 'release')
            return self._carry(T, ring, seat, seat[:3, 3] - [0.0, 0.0, _ON_SEAT], 'lower')
        ahead = tip[:3, 3] - ring[:3, 3]
        if ahead[2] > 0.03 and float(np.linalg.norm(ahead[:2])) > 0.05:
            return self._carry(T, ring, None, ring[:3, 3] + [0.0, 0.0, ahead[2]], 'lift')
        R_error = _nearest_turn(ring[:3, :3], seat[:3, :3])
        off = (max(float(np.linalg.norm(side)) - 0.004, 0.0) * 8.0
               + 0.2 * max(float(np.linalg.norm(R_error)) - 0.05, 0.0))
        return self._carry(T, ring, seat, tip[:3, 3] + peg * max(length - off, 0.0), 'thread')

    def gripped(self, scene: Scene, grasp_frame: str, kind: str) -> bool:
        """Return whether the object is between the fingers and they touch it."""
        width = getattr(self.config.grasp_widths, kind)
        offset = scene.frames[grasp_frame][:3, 3] - scene.T_base_tool[:3, 3]
        return (abs(scene.width - width) <= _WIDTH_TOLERANCE
                and float(np.linalg.norm(offset)) <= _SLIP)

    def step(self, T_base_tool: Array, intent: Intent, dt: float) -> Array:
        """Return the displacement (6,) [m, rad], base axes, of one step toward an intent."""
        c = self.config
        fraction = min(c.gain * dt, 1.0)
        move = (intent.T_base_goal[:3, 3] - T_base_tool[:3, 3]) * fraction
        turn = vector_from_rotation(
            intent.T_base_goal[:3, :3] @ T_base_tool[:3, :3].T) * fraction
        return np.concatenate([_clipped(move, c.max_speed * dt),
                               _clipped(turn, c.max_rotation_speed * dt)])

    def predicted(self, scene: Scene, displacement: Array, gripper: float, held: str | None,
                  dt: float) -> Scene:
        """Return the scene after a step: the tool moves, and what it grips moves along."""
        T = scene.T_base_tool
        after = pose(_turned(T[:3, :3], displacement[3:]), T[:3, 3] + displacement[:3])
        frames = dict(scene.frames)
        floor = 0.0
        if held is not None:
            kind = 'insulator' if held.startswith('insulator') else 'cube'
            prefix = 'insulator' if kind == 'insulator' else held
            motion = after @ inverse(T)
            for name in frames:
                if name.startswith(prefix):
                    frames[name] = motion @ frames[name]
            floor = getattr(self.config.grasp_widths, kind)
        reach = self.config.gripper_speed * dt
        if gripper == OPEN:
            width = max(scene.width, min(scene.width + reach, self.config.gripper_open + 0.001))
        else:
            width = max(scene.width - reach, min(floor, scene.width))
        return replace(scene, T_base_tool=after, width=width, frames=frames)

    def _release(self, scene: Scene) -> Intent:
        goal = scene.T_base_tool.copy()
        if scene.width < self.config.gripper_open - 0.012:
            return Intent(goal, OPEN, 'release')
        offset = scene.frames['insulator_grasp'][:3, 3] - goal[:3, 3]
        away = self.config.retreat_distance - float(np.linalg.norm(offset))
        if away > 0.0:
            goal[:3, 3] -= goal[:3, 2] * (away + 0.02)
        return Intent(goal, OPEN, 'retreat')

    def _grasp_pose(self, T_base_grasp: Array) -> Array:
        """Return the tool pose for gripping at a frame.

        A frame that stands upright (a cube) says where, and looks the same a quarter turn further:
        the tool comes in at ``grasp_pitch``, at the yaw nearest to straight away from the arm's
        base, where every arm has most room. Any other frame is the tool pose itself.
        """
        if T_base_grasp[2, 2] < 0.9:
            return T_base_grasp
        yaw = math.atan2(T_base_grasp[1, 0], T_base_grasp[0, 0])
        azimuth = math.atan2(T_base_grasp[1, 3], T_base_grasp[0, 3])
        quarter = math.pi / 2
        yaw += quarter * round((azimuth - yaw) / quarter)
        return pose(approach_rotation(yaw, self.config.grasp_pitch),
                    T_base_grasp[:3, 3] + [0.0, 0.0, _ABOVE_CENTRE])

    def _carry(self, T: Array, ring: Array, upright: Array | None, p_ring: Array,
               phase: str) -> Intent:
        """Return the intent that brings the gripped ring to a position, and upright if asked."""
        turn = np.zeros(3) if upright is None else _nearest_turn(ring[:3, :3], upright[:3, :3])
        goal = np.eye(4)
        goal[:3, :3] = _turned(T[:3, :3], turn)
        goal[:3, 3] = p_ring + _turned(np.eye(3), turn) @ (T[:3, 3] - ring[:3, 3])
        return Intent(goal, CLOSED, phase)


def approach_rotation(yaw: float, pitch: float) -> Array:
    """Return R_base_tool whose z points forward at ``yaw`` and ``pitch`` below the horizontal.

    Its y axis, along which the fingers close, is horizontal.
    """
    return rotation_from_rpy(0.0, math.pi / 2 + pitch, yaw)


def _nearest_turn(R: Array, R_goal: Array) -> Array:
    """Return the rotation vector from R to R_goal, or to R_goal turned half around z."""
    half = R_goal @ np.diag([-1.0, -1.0, 1.0])
    turns = [vector_from_rotation(goal @ R.T) for goal in (R_goal, half)]
    return min(turns, key=lambda r: float(np.linalg.norm(r)))


def _turned(R: Array, turn: Array) -> Array:
    return rotation_from_vector(turn) @ R


def _distance(T_a: Array, T_b: Array) -> tuple[float, float]:
    turn = vector_from_rotation(T_b[:3, :3] @ T_a[:3, :3].T)
    return float(np.linalg.norm(T_b[:3, 3] - T_a[:3, 3])), float(np.linalg.norm(turn))


def _clipped(v: Array, length: float) -> Array:
    norm = float(np.linalg.norm(v))
    return v if norm <= length else v * (length / norm)

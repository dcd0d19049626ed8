"""Recordings made ready to be compared: blocks, readings of the state, the gripper's opening."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InputError
from vla_ros.core.types import EE_DIMS
from vla_ros.replay.convention.candidates import JOINT_CANDIDATES, TOOL_CANDIDATES, Candidate, Run
from vla_ros.replay.convention.gripper_evidence import GripperRun
from vla_ros.replay.convention.recording import Recording
from vla_ros.replay.convention.state_layout import (
    Layout,
    forward_poses,
    gripper_places,
    joint_layout,
    pose_layouts,
)
from vla_ros.replay.convention.track import Array, Clock

_MOST_BLOCKS = 40
_BLOCK_ACTIONS = 8
_PER_ACTION = 10  # more states than this in one action tell nothing new


@dataclass(frozen=True)
class ArmModel:
    """What is known of the arm whose joints a state has.

    Attributes
    ----------
    joints : tuple[str, ...]
        Its joint names, in order.
    gripper : str
        Name of the gripper's joint.
    forward : callable
        (n,) joint positions [rad] -> T_base_tool (4, 4).

    """

    joints: tuple[str, ...]
    gripper: str
    forward: Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Reading:
    """The recordings with their state read in one way, and what can be tried on it."""

    name: str
    layout: Layout
    runs: tuple[Run, ...]
    candidates: tuple[Candidate, ...]


class Evidence:
    """Recordings of one arm with one layout of states and actions.

    Parameters
    ----------
    recordings : Sequence[Recording]
        At least one.
    model : ArmModel | None
        Of the arm, for a state with joints.

    Raises
    ------
    InputError
        When the recordings' names differ.

    """

    def __init__(self, recordings: Sequence[Recording], model: ArmModel | None) -> None:
        first = recordings[0]
        for other in recordings[1:]:
            for what in ('state_names', 'action_names'):
                if getattr(other, what) != getattr(first, what):
                    raise InputError(f'{other.name}: {what.replace("_", " ")} are '
                                     f'{" ".join(getattr(other, what)) or "none"}, in {first.name} '
                                     f'{" ".join(getattr(first, what)) or "none"}')
        self.recordings = [_thinned(recording) for recording in recordings]
        self.first = first
        self.arm = first.arm
        self.model = model
        self.joints = (joint_layout(first.state_names, model.joints, model.gripper)
                       if model else None)
        self.blocks, self._block = _blocks(recordings)

    @property
    def steps(self) -> int:
        """Number of actions."""
        return sum(len(recording.action_ns) for recording in self.recordings)

    @property
    def moving(self) -> bool:
        """Whether any number of the state but the gripper changes by more than noise."""
        size = self.recordings[0].state.shape[1]
        arm = [i for i in range(size) if i not in self.gripper_places]
        return any(len(r.state) and float(np.ptp(r.state[:, arm], axis=0).max(initial=0.0)) > 1e-3
                   for r in self.recordings)

    @property
    def gripper_places(self) -> tuple[int, ...]:
        """Where the state has the gripper."""
        if self.joints:
            return self.joints[0].gripper
        names = self.first.state_names
        named = [i for i, name in enumerate(names) if 'grip' in name]
        if len(named) == 1:
            return (named[0],)
        return gripper_places(self.whole, 6)

    @property
    def whole(self) -> Array:
        """The states of all recordings (T, S)."""
        return np.concatenate([recording.state for recording in self.recordings])

    def readings(self) -> list[Reading]:
        """Return the ways in which the state can be read, with the candidates for each."""
        tool = self._tool_candidates()
        found = []
        if self.joints:
            layout, places = self.joints
            found.append(self._reading('joints', layout, places, (
                *tool, *(JOINT_CANDIDATES if self.arm == len(places) else ()))))
        else:
            found += [self._reading(layout.words, layout, None, tool)
                      for layout in pose_layouts(self.whole) if tool]
            places = self._joints_by_name()
            if places:
                found.append(self._reading('joints', Layout('joints', places[0],
                                                            self.gripper_places),
                                           places, JOINT_CANDIDATES))
        return [reading for reading in found if reading.candidates]

    def gripper_runs(self) -> list[GripperRun]:
        """Return the gripper's number and opening; empty where one of the two is missing."""
        places = self.gripper_places
        if not places or self.arm == len(self.first.action_names):
            return []
        return [GripperRun(Clock(r.state_ns), np.abs(r.state[:, list(places)]).sum(
                           axis=1, keepdims=True) if len(places) == 2 else r.state[:, list(places)],
                           r.action_ns, r.actions[:, -1], block)
                for r, block in zip(self.recordings, self._block, strict=True)]

    def _tool_candidates(self) -> tuple[Candidate, ...]:
        arm = self.first.action_names[:self.arm]
        if self.arm != len(EE_DIMS) or (arm != EE_DIMS and set(arm) <= set(
                self.first.state_names)):
            return ()  # the names say that they are joints
        largest = max(float(np.abs(r.actions[:, 3:6]).max(initial=0.0)) for r in self.recordings)
        # With one step in a chunk a pose relative to the tool is a delta in the tool frame.
        return tuple(c for c in TOOL_CANDIDATES
                     if (c.unit == 1.0 or largest > 2 * np.pi)
                     and (self.first.chunk_steps > 1 or c.absolute or c.turning is not None))

    def _joints_by_name(self) -> list[int]:
        """Return the places of what the actions name, else of as many numbers as they have."""
        names, arm = list(self.first.state_names), self.first.action_names[:self.arm]
        if arm and all(name in names for name in arm):
            return [names.index(name) for name in arm]
        if arm == EE_DIMS:
            return []  # changes of roll, pitch, yaw would pass for those of three joints
        rest = [i for i in range(len(names)) if i not in self.gripper_places]
        return rest if arm and len(rest) == self.arm else []

    def _reading(self, name: str, layout: Layout, joints: list[int] | None,
                 candidates: tuple[Candidate, ...]) -> Reading:
        runs = []
        for recording, block in zip(self.recordings, self._block, strict=True):
            q = recording.state[:, joints] if joints is not None else None
            poses = None
            if q is not None and self.joints and self.model:
                poses = forward_poses(q, self.model.forward)
            elif q is None:
                poses = layout.poses(recording.state)
            runs.append(Run(Clock(recording.state_ns), poses, q, recording.action_ns,
                            recording.anchor_ns, recording.actions[:, :self.arm], recording.dt,
                            block))
        return Reading(name, layout, tuple(runs), candidates)


def _blocks(recordings: Sequence[Recording]) -> tuple[int, list[NDArray[np.intp]]]:
    """Return the number of blocks and each action's: a recording, or a piece of a long one."""
    if len(recordings) >= _BLOCK_ACTIONS:
        return len(recordings), [np.full(len(r.action_ns), i, np.intp)
                                 for i, r in enumerate(recordings)]
    total = sum(len(r.action_ns) for r in recordings)
    size = max(_BLOCK_ACTIONS, -(-total // _MOST_BLOCKS))
    found, first = [], 0
    for recording in recordings:
        count = len(recording.action_ns)
        found.append((first + np.arange(count) // size).astype(np.intp))
        first += -(-count // size)
    return max(first, 1), found


def _thinned(recording: Recording) -> Recording:
    """Return a recording without the states that are far denser than its actions."""
    if len(recording.state_ns) < 3 or not recording.dt > 0.0:
        return recording
    period = float(np.median(np.diff(recording.state_ns))) * 1e-9
    every = max(1, int(recording.dt / _PER_ACTION / max(period, 1e-9)))
    if every == 1:
        return recording
    return Recording(recording.name, recording.state_ns[::every], recording.state[::every],
                     recording.state_names, recording.action_ns, recording.actions,
                     recording.action_names, recording.anchor_ns, recording.dt,
                     recording.chunk_steps)

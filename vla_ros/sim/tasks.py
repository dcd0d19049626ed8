"""What counts as success, judged from the poses of tool and objects over time.

A monitor sees only frames and the gripper's opening, so the node that publishes them, a benchmark
and a recording are judged by the same code.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vla_ros.core.errors import InputError, unknown_choice
from vla_ros.core.se3 import inverse
from vla_ros.sim.settings import scene_settings, task_settings

if TYPE_CHECKING:
    from vla_ros.sim.world import SimWorld

PICK_INSULATOR = 'pick up the insulator'
HANG_INSULATOR = 'hang the insulator on the hook'


def _pick_cube(colour: str) -> str:
    return f'pick up the {colour} cube'


def task_names() -> tuple[str, ...]:
    """Return the instructions whose success can be judged."""
    return (PICK_INSULATOR, HANG_INSULATOR, *map(_pick_cube, scene_settings().cubes.colours))


@dataclass(frozen=True)
class TaskState:
    """Whether a task is done at one moment, and what is missing or measured."""

    success: bool
    detail: str


class TaskMonitor:
    """Follows one task; feed it at 20 Hz or more, in order of time.

    Parameters
    ----------
    task
        One of :func:`task_names`; case and surrounding space do not matter.

    Raises
    ------
    ConfigError
        No such task; the message lists them.

    """

    def __init__(self, task: str) -> None:
        name = ' '.join(str(task).lower().split())
        if name not in task_names():
            raise unknown_choice('task', task, task_names())
        self.task = name
        self._judge: _Pick | _Hang
        if name == HANG_INSULATOR:
            self._judge = _Hang()
        elif name == PICK_INSULATOR:
            self._judge = _Pick('insulator')
        else:
            colour = next(c for c in scene_settings().cubes.colours if _pick_cube(c) == name)
            self._judge = _Pick(f'cube_{colour}')
        self._last_ns: int | None = None
        self.state = TaskState(False, 'nothing seen yet')

    def update(self, time_ns: int, frames: Mapping[str, np.ndarray],
               gripper_width: float) -> TaskState:
        """Take in one moment and return the state of the task.

        Parameters
        ----------
        time_ns
            Later than in the last call [ns]; the same moment again changes nothing.
        frames
            (4, 4) poses in one common frame, ``tcp`` among them, as of ``SimWorld.frames``.
        gripper_width
            Measured opening [m].

        Raises
        ------
        InputError
            A frame is missing.

        """
        if self._last_ns is not None and not time_ns > self._last_ns:
            if time_ns < self._last_ns:
                raise InputError(f'task {self.task!r}: time went back from {self._last_ns} to '
                                 f'{time_ns} ns; make a new monitor')
            return self.state
        missing = [name for name in self._judge.needs if name not in frames]
        if missing:
            raise InputError(f'task {self.task!r}: no frame {", ".join(missing)}')
        self._last_ns = time_ns
        self.state = self._judge.update(time_ns, frames, gripper_width)
        return self.state


def evaluate(task: str, world: SimWorld) -> TaskState:
    """Judge a task now: let the world run on for as long as the verdict needs (about a second).

    The arm holds its last command meanwhile.
    """
    monitor, criteria = TaskMonitor(task), task_settings()
    seconds = max(criteria.pick.held, criteria.hang.still) + 0.1
    steps = max(1, 20_000_000 // world.timestep_ns)  # every 20 ms
    start = world.time_ns
    while world.time_ns - start <= seconds * 1e9:
        world.step(steps)
        monitor.update(world.time_ns, world.frames(), world.gripper_width)
    return monitor.state


class _Still:
    """How long a pose has stayed near where it is now, looking back no further than a window."""

    def __init__(self, seconds: float, movement: float, rotation: float) -> None:
        self._window_ns = round(seconds * 1e9)
        self._movement, self._rotation = movement, rotation
        self._times: deque[int] = deque()
        self._poses: deque[np.ndarray] = deque()

    def clear(self) -> None:
        self._times.clear()
        self._poses.clear()

    def update(self, time_ns: int, T: np.ndarray) -> float:
        """Return for how long every pose until now was close to ``T`` [s], at most the window."""
        self._times.append(time_ns)
        self._poses.append(T.copy())
        while len(self._times) > 2 and self._times[1] <= time_ns - self._window_ns:
            self._drop(1)
        poses = np.array(self._poses)
        moved = np.linalg.norm(poses[:, :3, 3] - T[:3, 3], axis=1)
        # |A - B| (Frobenius) of two rotations is 2 sqrt(2) sin(angle / 2).
        chord = np.linalg.norm(poses[:, :3, :3] - T[:3, :3], axis=(1, 2)) / (2 * math.sqrt(2))
        close = (moved <= self._movement) & (chord <= math.sin(self._rotation / 2))
        far = np.flatnonzero(~close)
        if len(far):
            self._drop(int(far[-1]) + 1)
        return (time_ns - self._times[0]) * 1e-9 if self._times else 0.0

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._times.popleft()
            self._poses.popleft()


class _Pick:
    """Above the table, between fingers as wide apart as the object, and moving along with them."""

    def __init__(self, name: str) -> None:
        scene = scene_settings()
        self._criteria = task_settings().pick
        self._name = name
        insulator = name == 'insulator'
        self._grasp = 'insulator_grasp' if insulator else name
        self._rest = 0.0 if insulator else scene.cubes.width / 2
        self._width = scene.insulator.cap_width if insulator else scene.cubes.width
        self.needs = tuple(dict.fromkeys((name, self._grasp, 'tcp')))
        self._still = _Still(self._criteria.held, self._criteria.slip, self._criteria.turn)

    def update(self, time_ns: int, frames: Mapping[str, np.ndarray], width: float) -> TaskState:
        criteria, T_tool_object = self._criteria, inverse(frames['tcp']) @ frames[self._name]
        lift = float(frames[self._name][2, 3]) - self._rest
        reach = float(np.linalg.norm(frames[self._grasp][:3, 3] - frames['tcp'][:3, 3]))
        problem = ''
        if not lift >= criteria.lift:
            problem = f'lifted {max(100 * lift, 0.0):.1f} cm, needs {100 * criteria.lift:.1f} cm'
        elif not reach <= criteria.reach:
            problem = f'the gripper is {100 * reach:.1f} cm away from its grasp point'
        elif not abs(width - self._width) <= criteria.width_tolerance:
            problem = (f'the gripper is {1000 * width:.0f} mm open, the {self._name} is '
                       f'{1000 * self._width:.0f} mm wide')
        if problem:
            self._still.clear()
            return TaskState(False, problem)
        held = self._still.update(time_ns, T_tool_object)
        return TaskState(held >= criteria.held - 1e-9,
                         f'lifted {100 * lift:.1f} cm, held for {held:.1f} s')


class _Hang:
    """The peg passes through the ring's hole, the gripper is away, and nothing moves."""

    needs = ('insulator', 'insulator_grasp', 'insulator_ring', 'hook_seat', 'tcp')

    def __init__(self) -> None:
        self._scene, self._criteria = scene_settings(), task_settings().hang
        criteria = self._criteria
        self._still = _Still(criteria.still, criteria.movement, criteria.rotation)

    def update(self, time_ns: int, frames: Mapping[str, np.ndarray], width: float) -> TaskState:
        criteria = self._criteria
        away = float(np.linalg.norm(frames['insulator_grasp'][:3, 3] - frames['tcp'][:3, 3]))
        height = float(frames['insulator'][2, 3])
        problem = self._off_the_peg(frames)
        if not problem and not away >= criteria.away:
            problem = f'the gripper is still {100 * away:.1f} cm from the insulator'
        if not problem and not height >= criteria.clearance:
            problem = f'the insulator is only {100 * height:.1f} cm above the table'
        if problem:
            self._still.clear()
            return TaskState(False, problem)
        still = self._still.update(time_ns, frames['insulator'])
        return TaskState(still >= criteria.still - 1e-9,
                         f'on the hook, at rest for {still:.1f} s')

    def _off_the_peg(self, frames: Mapping[str, np.ndarray]) -> str:
        """Return why the peg does not pass through the ring, or nothing when it does."""
        ring, hook = self._scene.insulator, self._scene.hook
        T_seat_ring = inverse(frames['hook_seat']) @ frames['insulator_ring']
        center, hole_axis = T_seat_ring[:3, 3], T_seat_ring[:3, 0]
        peg_height = ring.ring_inner_radius - hook.peg_radius
        if not abs(hole_axis[0]) >= 0.3:
            return 'the ring lies along the peg'
        # Where the peg's line, the x axis moved up, crosses the plane of the ring.
        offset = center - np.array([0.0, 0.0, peg_height])
        along = float(offset @ hole_axis / hole_axis[0])
        crossing = np.array([along, 0.0, peg_height])
        if not -hook.tip_distance <= along <= hook.root_distance:
            return (f'the ring is {100 * abs(along):.1f} cm '
                    f'{"in front of" if along < 0 else "behind"} its seat')
        miss = float(np.linalg.norm(crossing - center))
        if not miss <= ring.ring_inner_radius:
            return f"the peg passes {100 * miss:.1f} cm from the ring's centre"
        return ''

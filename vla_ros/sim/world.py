"""The simulated world: an arm, a table, an insulator, a hook and cubes. Physics, no graphics."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace

import numpy as np

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.se3 import pose
from vla_ros.sim.engine import mujoco
from vla_ros.sim.placement import draw_placement
from vla_ros.sim.robot import SimRobot
from vla_ros.sim.scene import build_spec
from vla_ros.sim.servo import GripperDrive, tune_servos
from vla_ros.sim.settings import physics_settings, read_layout, scene_settings


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The pose of everything at one moment, enough to draw it."""

    time_ns: int
    qpos: np.ndarray
    mocap_pos: np.ndarray
    mocap_quat: np.ndarray


class SimWorld:
    """An arm before a table with things to pick and to hang.

    All poses are in the base frame [m], whose z = 0 is the table top. One thread steps; any thread
    may call :meth:`snapshot`.

    Parameters
    ----------
    profile
        A robot profile.
    seed
        Where the objects lie.
    timestep
        Of the physics [s]; the one of ``config/sim/physics.yaml`` if not given.

    Raises
    ------
    ConfigError
        The profile's scene or URDF cannot be simulated.

    """

    def __init__(self, profile: SimRobot, seed: int = 0, timestep: float | None = None) -> None:
        self.profile = profile
        self.settings = scene_settings()
        self._physics = physics_settings()
        if timestep is not None:
            self._physics = replace(self._physics, timestep=timestep)
        if not 1e-4 <= self._physics.timestep <= 5e-3:
            raise ConfigError(
                f'timestep: expected 0.0001 to 0.005 s, found {self._physics.timestep}')
        self._timestep_ns = round(self._physics.timestep * 1e9)
        self.layout = read_layout(profile.scene, profile.path)
        spec = build_spec(profile, self.layout, self.settings, self._physics)
        try:
            self.model = spec.compile()
        except ValueError as error:
            raise ConfigError(f'{profile.urdf_path}: MuJoCo cannot build it: {error}') from error
        self.data = mujoco.MjData(self.model)
        self._lock = threading.Lock()
        self._time_ns = 0
        self._find_names()
        self._set_home()
        mujoco.mj_forward(self.model, self.data)
        self._check_base()
        tune_servos(self.model, self.data, profile, self._physics)
        self._R_body_grasp = self._grasp_rotation()
        self._drive = GripperDrive(profile, self._physics)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Put the arm at home and the objects where ``seed`` says; time goes on."""
        with self._lock:
            mujoco.mj_resetData(self.model, self.data)
            self._set_home()
            self._place(seed)
            for _ in range(round(self._physics.settle / self._physics.timestep)):
                self._step_once()
            mujoco.mj_kinematics(self.model, self.data)

    def step(self, n: int = 1) -> None:
        """Advance by ``n`` time steps."""
        with self._lock:
            for _ in range(n):
                self._step_once()
            self._time_ns += n * self._timestep_ns
            mujoco.mj_kinematics(self.model, self.data)  # poses of the new positions

    def command(self, q: np.ndarray, width: float, force: float | None = None) -> None:
        """Hold joint positions ``q`` (n,) [rad] and an opening width [m] from now on.

        ``force`` [N per finger] bounds how hard the gripper squeezes; None: only its own limit.

        Beyond the joints' limits the arm stops at them.

        Raises
        ------
        InputError
            A wrong size, or a number that is not finite; the last command stays.

        """
        names, limits = self.profile.joints.names, self.profile.joints
        try:
            target = np.array(q, dtype=np.float64)
            opening = float(width)
        except (TypeError, ValueError) as error:
            raise InputError(f'simulated arm: command is not made of numbers: {error}') from error
        if target.shape != (len(names),):
            raise InputError(f'simulated arm: expected {len(names)} joint positions '
                             f'({", ".join(names)}), found shape {target.shape}')
        if not (np.isfinite(target).all() and math.isfinite(opening)):
            raise InputError(f'simulated arm: command is not finite: {target}, width {opening}')
        if force is not None and not 0.0 <= force < math.inf:
            raise InputError(f'simulated arm: gripper force must be 0 or more, found {force}')
        gripper = self.profile.gripper
        self._target = np.clip(target, limits.lower, limits.upper)
        self._target_width = min(max(opening, gripper.closed), gripper.open)
        self._squeeze = math.inf if force is None else force

    @property
    def time_ns(self) -> int:
        """Simulated time since the world was made [ns]; never goes back."""
        return self._time_ns

    @property
    def timestep_ns(self) -> int:
        """Duration of one step [ns]."""
        return self._timestep_ns

    @property
    def joint_position(self) -> np.ndarray:
        """(n,) measured joint positions [rad]."""
        return np.array(self.data.qpos[self._arm_qpos])

    @property
    def joint_velocity(self) -> np.ndarray:
        """(n,) measured joint velocities [rad/s]."""
        return np.array(self.data.qvel[self._arm_dof])

    @property
    def joint_effort(self) -> np.ndarray:
        """(n,) efforts of the motors, holding the arm up included [N m]."""
        return np.array(self.data.qfrc_actuator[self._arm_dof])

    @property
    def gripper_width(self) -> float:
        """Opening between the fingers, measured at their joints [m]."""
        return float(self._width_per_finger @ self.data.qpos[self._finger_qpos])

    @property
    def gripper_force(self) -> float:
        """Force with which each finger's motor closes, on average [N]; negative: it opens."""
        return float(-(self._closing_sign @ self.data.actuator_force[self._finger_motors])
                     / len(self._closing_sign))

    @property
    def T_base_tool(self) -> np.ndarray:
        """(4, 4) pose of the tool frame."""
        return self._body_pose(self._tool_body)

    @property
    def object_widths(self) -> dict[str, float]:
        """Width of what can be gripped, by frame name [m]."""
        widths = {f'cube_{colour}': self.settings.cubes.width
                  for colour in self.settings.cubes.colours}
        return {'insulator': self.settings.insulator.cap_width, **widths}

    def frames(self) -> dict[str, np.ndarray]:
        """Return the (4, 4) poses of tool, objects, and where to grasp and hang.

        ``insulator_grasp`` is where the tool frame shall be to grasp: as steep as the tool at home.
        ``insulator_ring`` and ``hook_seat`` have the axis of the hole and of the peg as x.
        """
        found = {name: self._body_pose(body) for name, body in self._objects.items()}
        found['insulator_grasp'] = found['insulator'] @ self._T_insulator_grasp()
        for name, site in self._sites.items():
            found[name] = pose(self.data.site_xmat[site].reshape(3, 3), self.data.site_xpos[site])
        found['tcp'] = self.T_base_tool
        return found

    def snapshot(self) -> Snapshot:
        """Return a copy of the positions, for drawing; any thread may ask."""
        with self._lock:
            return Snapshot(self._time_ns, self.data.qpos.copy(), self.data.mocap_pos.copy(),
                            self.data.mocap_quat.copy())

    def _step_once(self) -> None:
        width = self._drive.advance(self._target_width, self.gripper_width, self._squeeze)
        control = self.data.ctrl
        control[self._arm_motors] = self._target
        control[self._finger_motors] = width * self._finger_factors
        mujoco.mj_step(self.model, self.data)

    def _find_names(self) -> None:
        model, fingers = self.model, self.profile.gripper.fingers
        arm = [model.joint(name) for name in self.profile.joints.names]
        hand = [model.joint(name) for name in fingers]
        self._arm_qpos = np.array([int(joint.qposadr[0]) for joint in arm])
        self._arm_dof = np.array([int(joint.dofadr[0]) for joint in arm])
        self._finger_qpos = np.array([int(joint.qposadr[0]) for joint in hand])
        self._arm_motors = np.array([model.actuator(n).id for n in self.profile.joints.names])
        self._finger_motors = np.array([model.actuator(n).id for n in fingers])
        self._finger_factors = np.array(list(fingers.values()))
        self._width_per_finger = 1.0 / (self._finger_factors * len(fingers))
        self._closing_sign = np.sign(self._finger_factors)
        names = ['insulator', *(f'cube_{colour}' for colour in self.settings.cubes.colours)]
        self._objects = {name: model.body(name).id for name in names}
        self._sites = {name: model.site(name).id
                       for name in ('insulator_ring', 'hook_seat', 'hook_tip')}
        self._tool_body = self._link(self.profile.tool_frame)
        self._base_body = self._link(self.profile.base_frame)

    def _link(self, name: str) -> int:
        body = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_BODY, name)
        if body < 0:
            raise ConfigError(f'{self.profile.urdf_path}: no link {name!r}, '
                              'which the profile names as a frame')
        return int(body)

    def _check_base(self) -> None:
        if not np.allclose(self._body_pose(self._base_body), np.eye(4), atol=1e-9):
            raise ConfigError(f'{self.profile.urdf_path}: base frame {self.profile.base_frame!r} '
                              'must coincide with the root of the URDF to be simulated')

    def _set_home(self) -> None:
        self._target = np.array(self.profile.joints.home, dtype=np.float64)
        self._target_width = self.profile.gripper.open
        self._squeeze = math.inf
        self.data.qpos[self._arm_qpos] = self._target
        self.data.qpos[self._finger_qpos] = self._target_width * self._finger_factors

    def _place(self, seed: int) -> None:
        placement = draw_placement(self.layout, self.settings, seed)
        self._put('insulator', placement.insulator, 0.0, placement.insulator_yaw)
        half = self.settings.cubes.width / 2
        for colour, spot, yaw in zip(self.settings.cubes.colours, placement.cubes,
                                     placement.cube_yaws, strict=True):
            self._put(f'cube_{colour}', spot, half, yaw)
        for name, height in (('hook', placement.hook[2]), ('stand', 0.0)):
            mocap = self.model.body_mocapid[self.model.body(name).id]
            self.data.mocap_pos[mocap] = [*placement.hook[:2], height]
        self._drive.reset(self._target_width)

    def _put(self, name: str, spot: np.ndarray, height: float, yaw: float) -> None:
        start = int(self.model.joint(name).qposadr[0])
        self.data.qpos[start:start + 7] = [*spot, height, math.cos(yaw / 2), 0, 0,
                                           math.sin(yaw / 2)]

    def _grasp_rotation(self) -> np.ndarray:
        """Return R_insulator_tool: along the ring's axis and as far down as the tool at home."""
        forward = self._body_pose(self._tool_body)[:3, 2]
        down = math.atan2(-forward[2], math.hypot(forward[0], forward[1]))
        c, s = math.cos(down), math.sin(down)
        return np.array([[-s, 0.0, c], [0.0, 1.0, 0.0], [-c, 0.0, -s]])

    def _T_insulator_grasp(self) -> np.ndarray:
        size = self.settings.insulator
        return pose(self._R_body_grasp, np.array([0.0, 0.0, size.grasp_height])
                    + size.grasp_depth * self._R_body_grasp[:, 2])

    def _body_pose(self, body: int) -> np.ndarray:
        return pose(self.data.xmat[body].reshape(3, 3), self.data.xpos[body])

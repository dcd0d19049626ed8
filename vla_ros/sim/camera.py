"""The simulated cameras: they draw snapshots, so that physics may go on in another thread."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, InvariantError, unknown_choice
from vla_ros.core.se3 import pose
from vla_ros.sim.engine import mujoco
from vla_ros.sim.gl import choose_backend, make_context
from vla_ros.sim.world import SimWorld, Snapshot

NAMES = ('third_person', 'wrist')
_MAX_GEOMS = 1000
# MuJoCo's cameras look along -z with y up; optical frames along z with y down.
_R_MUJOCO_OPTICAL = np.diag([1.0, -1.0, -1.0])


class SimCameras:
    """A third-person and a wrist camera that draw a :class:`SimWorld`.

    The first call of :meth:`render` or :meth:`render_one` opens an OpenGL context in the calling
    thread; all later ones, and :meth:`close`, must come from the same thread.

    Parameters
    ----------
    world
        What to draw.
    width, height
        Of the pictures [pixels].

    Raises
    ------
    DependencyError
        Neither EGL nor OSMesa works on this machine.
    ConfigError
        The size of the pictures is not 16 to 4096 pixels.

    """

    def __init__(self, world: SimWorld, width: int = 256, height: int = 256) -> None:
        for name, size in (('width', width), ('height', height)):
            if not 16 <= size <= 4096:
                raise ConfigError(f'camera {name}: expected 16 to 4096 pixels, found {size}')
        self.names = NAMES
        self.width, self.height = int(width), int(height)
        self.backend = choose_backend()
        self._world = world
        self._model = world.model
        self._data = mujoco.MjData(world.model)
        self._ids = {name: int(world.model.camera(name).id) for name in NAMES}
        self._thread: int | None = None
        self._context: Any = None
        self._target: Any = None

    def __enter__(self) -> SimCameras:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def render(self, snapshot: Snapshot | None = None) -> dict[str, np.ndarray]:
        """Return the pictures of all cameras, (height, width, 3) uint8 RGB each.

        ``snapshot`` is the moment to draw; now if not given.
        """
        self._open()
        self._show(snapshot or self._world.snapshot())
        return {name: self._draw(name) for name in self.names}

    def render_one(self, name: str, snapshot: Snapshot | None = None) -> np.ndarray:
        """Return the picture of one camera, (height, width, 3) uint8 RGB."""
        self._check(name)
        self._open()
        self._show(snapshot or self._world.snapshot())
        return self._draw(name)

    def intrinsics(self, name: str) -> np.ndarray:
        """Return K (3, 3) [pixels]; the centre of the first pixel is (0, 0)."""
        self._check(name)
        half_angle = math.radians(float(self._model.cam_fovy[self._ids[name]])) / 2
        focal = self.height / 2 / math.tan(half_angle)
        return np.array([[focal, 0.0, (self.width - 1) / 2], [0.0, focal, (self.height - 1) / 2],
                         [0.0, 0.0, 1.0]])

    def T_base_camera(self, name: str, snapshot: Snapshot | None = None) -> np.ndarray:
        """Return the (4, 4) pose of a camera's optical frame: x right, y down, z forward."""
        self._check(name)
        self._show(snapshot or self._world.snapshot())
        camera = self._ids[name]
        return pose(self._data.cam_xmat[camera].reshape(3, 3) @ _R_MUJOCO_OPTICAL,
                    self._data.cam_xpos[camera])

    def close(self) -> None:
        """Give the OpenGL context back; nothing can be drawn afterwards."""
        if self._context is None:
            return
        self._open()
        self._target.free()
        self._context.free()
        self._target, self._context = None, None

    def _check(self, name: str) -> None:
        if name not in self._ids:
            raise unknown_choice('camera', name, self.names)

    def _open(self) -> None:
        if self._thread not in (None, threading.get_ident()):
            raise InvariantError('SimCameras: one thread opened the OpenGL context, another one '
                                 'draws; draw in one thread only')
        if self._context is None:
            if self._thread is not None:
                raise InvariantError('SimCameras: drawing after close()')
            self._thread = threading.get_ident()
            self._make_target()
        else:
            self._context.make_current()  # another pair of cameras may have drawn in this thread

    def _make_target(self) -> None:
        quality = self._model.vis.global_
        quality.offwidth = max(int(quality.offwidth), self.width)
        quality.offheight = max(int(quality.offheight), self.height)
        self._context = make_context(self.backend, self.width, self.height)
        self._context.make_current()
        self._target = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._target)
        self._scene = mujoco.MjvScene(self._model, maxgeom=_MAX_GEOMS)
        self._option = mujoco.MjvOption()
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._area = mujoco.MjrRect(0, 0, self.width, self.height)

    def _show(self, snapshot: Snapshot) -> None:
        data = self._data
        data.qpos[:] = snapshot.qpos
        data.mocap_pos[:], data.mocap_quat[:] = snapshot.mocap_pos, snapshot.mocap_quat
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)

    def _draw(self, name: str) -> np.ndarray:
        self._view.fixedcamid = self._ids[name]
        mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._view,
                               mujoco.mjtCatBit.mjCAT_ALL, self._scene)
        picture = np.empty((self.height, self.width, 3), dtype=np.uint8)
        mujoco.mjr_render(self._area, self._scene, self._target)
        mujoco.mjr_readPixels(picture, None, self._area, self._target)
        return np.ascontiguousarray(picture[::-1])  # OpenGL starts at the bottom

"""Finds a way to draw without a screen: EGL or OSMesa, tried in a process of its own.

A driver that is half installed can raise, hang or crash, and the Python bindings of OpenGL can be
bound to one library only once in a process; so each is tried where it can do no harm.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import cache
from typing import Any

from vla_ros.core.errors import DependencyError, unknown_choice

VARIABLE = 'MUJOCO_GL'
BACKENDS = ('egl', 'osmesa')
_PROBE_SECONDS = 60
_HELP = ('Install one of them: `apt install libegl1 libgl1-mesa-dri` (EGL) or '
         '`apt install libosmesa6` (OSMesa).')
_PROBE = """
import sys
import mujoco
from mujoco.{backend} import GLContext
context = GLContext(16, 16)
context.make_current()
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 3"/><geom size="1"/></worldbody></mujoco>')
mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100).free()
sys.stdout.write('drawn')
sys.stdout.flush()
import os
os._exit(0)  # some drivers crash when they are unloaded
"""


@cache
def choose_backend() -> str:
    """Return ``'egl'`` or ``'osmesa'``: what ``MUJOCO_GL`` says, else the first one that works.

    Raises
    ------
    DependencyError
        Neither works, or the one that the user asked for does not; says how to install one.
    ConfigError
        ``MUJOCO_GL`` names something that draws only on a screen.

    """
    asked = os.environ.get(VARIABLE, '').strip().lower()
    if asked and asked not in BACKENDS:
        raise unknown_choice(f'value of {VARIABLE} (cameras need one that draws off screen)',
                             asked, BACKENDS)
    reasons = {}
    for backend in (asked,) if asked else BACKENDS:
        reason = _probe(backend)
        if not reason:
            return backend
        reasons[backend] = reason
    said = '; '.join(f'{backend}: {reason}' for backend, reason in reasons.items())
    who = f'{VARIABLE}={asked} does not work' if asked else 'neither EGL nor OSMesa works'
    raise DependencyError(f'the simulated cameras cannot draw: {who} ({said}). {_HELP}',
                          reasons=reasons)


def make_context(backend: str, width: int, height: int) -> Any:
    """Return a new OpenGL context for drawing off screen; use it in one thread only."""
    module = importlib.import_module(f'mujoco.{backend}')
    return module.GLContext(width, height)


def _probe(backend: str) -> str:
    """Return why a backend does not work, or nothing when it does."""
    environment = {**os.environ, VARIABLE: backend}
    environment.pop('PYOPENGL_PLATFORM', None)
    try:
        done = subprocess.run([sys.executable, '-c', _PROBE.format(backend=backend)],
                              env=environment, capture_output=True, text=True,
                              timeout=_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f'no answer within {_PROBE_SECONDS} s'
    if done.returncode == 0 and done.stdout == 'drawn':
        return ''
    if done.returncode < 0:
        return f'the driver crashed (signal {-done.returncode})'
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f'exit status {done.returncode}'

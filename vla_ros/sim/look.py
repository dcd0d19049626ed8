"""How the simulated world looks: materials, sky, lights and render quality."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_ros.sim.engine import mujoco
from vla_ros.sim.settings import SceneSettings

_TEXTURE = mujoco.mjtTexture
_BUILTIN = mujoco.mjtBuiltin
_WOOD_SIZE = 256  # pixels


def add_look(spec: Any, scene: SceneSettings) -> None:
    """Add the materials ``wood``, ``floor``, ``porcelain``, ``steel`` and ``dark``, and lights."""
    colours = scene.colours
    spec.add_texture(
        name='sky', type=_TEXTURE.mjTEXTURE_SKYBOX, builtin=_BUILTIN.mjBUILTIN_GRADIENT,
        rgb1=list(colours['sky_bottom']), rgb2=list(colours['sky_top']), width=64, height=384)
    spec.add_texture(
        name='floor', type=_TEXTURE.mjTEXTURE_2D, builtin=_BUILTIN.mjBUILTIN_CHECKER,
        rgb1=list(colours['floor_light']), rgb2=list(colours['floor_dark']), width=128, height=128)
    wood = spec.add_texture(name='wood', type=_TEXTURE.mjTEXTURE_2D, width=_WOOD_SIZE,
                            height=_WOOD_SIZE, nchannel=3)
    wood.data = _wood(np.array(colours['wood_light']), np.array(colours['wood_dark'])).tobytes()
    _material(spec, 'wood', texture='wood', specular=0.1)
    _material(spec, 'floor', texture='floor', repeat=(6.0, 6.0))
    _material(spec, 'porcelain', rgb=colours['porcelain'], specular=0.9, shininess=0.8)
    _material(spec, 'steel', rgb=colours['steel'], specular=0.7, shininess=0.6)
    _material(spec, 'dark', rgb=(0.16, 0.17, 0.19), specular=0.3)
    _light(spec, (0.9, -0.9, 2.0), (-0.35, 0.55, -1.0), 0.58, shadow=True)
    _light(spec, (-0.8, 1.2, 1.8), (0.6, -0.6, -1.0), 0.25, shadow=False)
    visual = spec.visual
    visual.headlight.ambient = [0.32, 0.32, 0.32]
    visual.headlight.diffuse = [0.18, 0.18, 0.18]
    visual.headlight.specular = [0.0, 0.0, 0.0]
    quality = scene.quality
    visual.quality.shadowsize = int(quality.shadow_size)
    visual.quality.offsamples = int(quality.samples)
    visual.quality.numslices = int(quality.slices)
    visual.quality.numstacks = int(quality.stacks)
    visual.map.znear = 0.01
    visual.map.zfar = 20.0
    spec.stat.extent = 1.0
    spec.stat.center = [0.3, 0.0, 0.1]


def _material(spec: Any, name: str, rgb: tuple[float, ...] = (1.0, 1.0, 1.0), texture: str = '',
              repeat: tuple[float, float] = (1.0, 1.0), specular: float = 0.0,
              shininess: float = 0.3) -> None:
    material = spec.add_material(name=name, rgba=[*rgb, 1.0], specular=specular,
                                 shininess=shininess, texrepeat=list(repeat))
    if texture:
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture


def _light(spec: Any, position: tuple[float, ...], direction: tuple[float, ...], diffuse: float,
           shadow: bool) -> None:
    light = spec.worldbody.add_light(pos=list(position), dir=list(direction),
                                     diffuse=[diffuse] * 3, specular=[0.3 * shadow] * 3)
    light.castshadow = shadow
    light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL


def _wood(light: np.ndarray, dark: np.ndarray) -> np.ndarray:
    """Return planks with grain, (size, size, 3) uint8; the same picture every time."""
    size, planks = _WOOD_SIZE, 6
    rng = np.random.default_rng(7)
    along, across = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, planks, size, False))
    plank = across.astype(int)
    shade = rng.uniform(0.0, 0.7, planks)[plank]
    phase = rng.uniform(0.0, 6.28, planks)[plank]
    bend = 0.25 * np.sin(2 * np.pi * along + phase)
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * 5 * (across - plank + bend) + phase)
    mix = np.clip(0.55 * shade + 0.3 * grain + rng.normal(0.0, 0.06, (size, size)), 0, 1)
    mix = np.where(across - plank < 0.035, 1.6, mix)[..., None]  # the gap between two planks
    return np.asarray(255 * np.clip(light + mix * (dark - light), 0, 1), dtype=np.uint8)

"""Settings of the two policies: ``config/policies/openvla*.yaml``, single values replaceable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.core.proprioception import ProprioLayout
from vla_ros.core.types import ActionConvention, check_dims
from vla_ros.policy.action_convention import choice, read_convention
from vla_ros.policy.config_file import config_file
from vla_ros.policy.openvla.images import ImageRules
from vla_ros.policy.openvla.loading import LoadOptions
from vla_ros.policy.openvla.statistics import Normalization
from vla_ros.section import Section

NON_ACTION_TOKENS = ('refuse', 'clip')
CONTRADICTIONS = ('refuse', 'accept')
LOAD_KEYS = tuple(field.name for field in fields(LoadOptions))
MODEL_KEYS = ('model_path', 'base_path', 'unnorm_key', *LOAD_KEYS)
"""Options that say which model and where; everything else says how to read and feed it."""


@dataclass(frozen=True)
class PolicySettings:
    """How to feed a checkpoint and how to read its actions.

    Attributes
    ----------
    cameras : tuple[str, ...]
        Names in ``Observation.images``, in the order of training; the third-person one first.
    dims : tuple[str, ...]
        Names of an action's numbers.
    dt : float
        Time between two steps [s], that of the training data.
    prompt : str
        Key of ``prompt.TEMPLATES``.
    image : ImageRules
        Client-side preprocessing.
    convention : ActionConvention
        What the numbers mean.
    non_action_tokens : str
        What a token that is no action does: ``refuse`` the answer, or ``clip`` to the nearest bin,
        as the reference, which then moves as far as it can.
    contradictions : str
        What a convention does that the checkpoint's statistics contradict for certain: ``refuse``
        the checkpoint, or ``accept`` it with a warning.
    chunk_length : int, optional
        Steps of a chunk, where the checkpoint does not tell (OFT).
    normalization : str, optional
        ``bounds_q99`` or ``bounds``, where the checkpoint does not tell (OFT).
    proprio : ProprioLayout, optional
        Which numbers of the robot's state the proprioception is made of; None: the caller gives
        the vector, under ``proprio`` in the observation's state (OFT).
    repeat : int
        How often the one action stands in a chunk (OpenVLA). A delta is a speed, and the arm goes
        on with it while the next one is computed; by the time an answer comes, the first step of
        it, which begins with the image, is often over.
    use_head, use_proprio : bool
        Whether to use those component files where they exist (OFT).
    diffusion_steps, seed : int
        Steps of the diffusion head, and the seed of its noise (OFT).

    """

    cameras: tuple[str, ...]
    dims: tuple[str, ...]
    dt: float
    prompt: str
    image: ImageRules
    convention: ActionConvention
    non_action_tokens: str
    contradictions: str = 'refuse'
    chunk_length: int | None = None
    normalization: str | None = None
    proprio: ProprioLayout | None = None
    use_head: bool = True
    use_proprio: bool = True
    repeat: int = 1
    diffusion_steps: int = 50
    seed: int = 0


def read_settings(policy: str, config: str | Path | None, overrides: Mapping[str, Any],
                  ) -> tuple[PolicySettings, dict[str, Any]]:
    """Return the settings and the model options of a policy.

    Parameters
    ----------
    policy : str
        ``openvla`` or ``openvla_oft``.
    config : path, optional
        A YAML file, or the name of one in ``config/policies``; default that of the policy.
    overrides : Mapping
        Replaces single values of the file, also inside a mapping
        (``image={'center_crop': False}``); ``MODEL_KEYS`` are taken too.

    Raises
    ------
    ConfigError
        A key or value is unknown, missing or badly typed.

    """
    section = Section.open(config_file(policy, config))
    known = section.keys()
    model: dict[str, Any] = {}
    replaced: dict[str, Any] = {}
    for name, value in overrides.items():
        if name in MODEL_KEYS:
            model[name] = value
        elif name not in known:
            raise unknown_choice(f'option of policy {policy}', name, [*known, *MODEL_KEYS])
        elif isinstance(value, Mapping):
            replaced[name] = {**section.mapping(name), **value}
        else:
            replaced[name] = list(value) if isinstance(value, tuple) else value
    return _settings(section.replaced(replaced), oft=policy == 'openvla_oft'), model


def _settings(top: Section, oft: bool) -> PolicySettings:
    common: dict[str, Any] = {
        'cameras': top.texts('cameras'),
        'dims': top.texts('dims'),
        'dt': top.number('dt', positive=True),
        'prompt': top.text('prompt'),
        'image': _image(top.section('image')),
        'convention': read_convention(top.section('convention')),
        'non_action_tokens': choice(top, 'non_action_tokens', NON_ACTION_TOKENS),
        'contradictions': choice(top, 'contradictions', CONTRADICTIONS),
    }
    try:
        check_dims(common['dims'], common['convention'])
    except ConfigError as error:
        raise ConfigError(f'{top.path}: dims: {error}', path=top.path, key='dims') from error
    if oft:
        modes = [mode.value for mode in Normalization]
        mode = choice(top, 'normalization', ['auto', *modes])
        common.update(
            chunk_length=_length(top, 'chunk_length'),
            normalization=None if mode == 'auto' else mode,
            proprio=_proprio(top),
            use_head=top.flag('use_head'), use_proprio=top.flag('use_proprio'),
            diffusion_steps=top.whole_number('diffusion_steps'),
            seed=top.whole_number('seed', least=0))
    else:
        common['repeat'] = top.whole_number('repeat')
    top.close()
    return PolicySettings(**common)


def _image(section: Section) -> ImageRules:
    height, width = section.numbers('trained_on', 2, positive=True)
    rules = ImageRules(section.text('round_trip'), section.flag('center_crop'),
                       section.text('jpeg_decoder'), (int(height), int(width)))
    section.close()
    return rules


def _proprio(top: Section) -> ProprioLayout | None:
    """Return the layout of names, or None for ``given``."""
    try:
        names = top.texts('proprio')
    except ConfigError:
        choice(top, 'proprio', ['given'])
        return None
    try:
        return ProprioLayout(names)
    except ConfigError as error:
        raise top.error('proprio', 'given, or a list of known names', names, str(error)) from error


def _length(section: Section, key: str) -> int | None:
    """Return a whole number, or None for ``auto``."""
    try:
        return section.whole_number(key)
    except ConfigError:
        choice(section, key, ['auto'])
        return None


def load_options(model: Mapping[str, Any]) -> LoadOptions:
    """Return the loading options among a policy's model options."""
    if not model.get('model_path'):
        raise ConfigError('model_path is missing: it names the directory of the checkpoint')
    return LoadOptions(**{key: model[key] for key in LOAD_KEYS if model.get(key) is not None})

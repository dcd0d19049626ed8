"""How many steps and numbers a chunk has, and how they are normalised: found, checked, explained.

The reference picks these constants from the text of its command line. Here the sizes come from the
statistics and the component files, which must agree. No published file says how long a chunk is:
``action_chunk`` in ``config.json`` may, else the setup is recognised by name and sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.checkpoint import Checkpoint
from vla_ros.policy.openvla.parallel import Components
from vla_ros.policy.openvla.statistics import OFT_EPSILON, Bounds, Normalization, Statistics


@dataclass(frozen=True)
class Setup:
    """What the published fine-tuning script fixes for a kind of robot."""

    chunk: int
    action_size: int
    proprio_size: int
    normalization: Normalization


KNOWN_SETUPS = {
    'libero': Setup(8, 7, 8, Normalization.BOUNDS_Q99),
    'aloha': Setup(25, 14, 14, Normalization.BOUNDS),
    'bridge': Setup(5, 7, 7, Normalization.BOUNDS_Q99),
}


@dataclass(frozen=True, eq=False)
class ChunkLayout:
    """The layout of a chunk.

    Attributes
    ----------
    chunk : int
        Steps, K.
    action : Bounds
        Ranges of the A numbers of a step.
    proprio : Bounds, optional
        Ranges of the proprioception, where the model takes it.
    normalization : Normalization
        Which statistics the ranges are.
    reason : str
        Where chunk and normalisation come from, for people.

    """

    chunk: int
    action: Bounds
    proprio: Bounds | None
    normalization: Normalization
    reason: str


def find_layout(checkpoint: Checkpoint, statistics: Statistics, key: str, components: Components,
                chunk: int | None = None, normalization: str | None = None) -> ChunkLayout:
    """Return the layout of an OpenVLA-OFT checkpoint.

    Parameters
    ----------
    checkpoint, statistics, key, components
        What is there, and the dataset key to use.
    chunk, normalization : optional
        What the user says; wins over what is recognised, not over what ``config.json`` declares.

    Raises
    ------
    ConfigError
        When files disagree with each other or with the user, or something cannot be found out.

    """
    action_size = statistics.size(key, 'action')
    setup_name = _recognise(checkpoint, statistics, key, components)
    setup = KNOWN_SETUPS.get(setup_name or '')
    declared = checkpoint.config.get('action_chunk')
    if declared is not None and chunk is not None and declared != chunk:
        raise ConfigError(f'chunk length: expected {declared} by config.json of {checkpoint.path}, '
                          f'found {chunk} in the options')
    length = chunk or declared or (setup.chunk if setup else None)
    mode = normalization or (setup.normalization.value if setup else None)
    if length is None or mode is None:
        raise ConfigError(
            f'{checkpoint.path}: cannot tell the {"chunk length" if length is None else ""}'
            f'{" and the " if length is None and mode is None else ""}'
            f'{"normalisation" if mode is None else ""} of this checkpoint (actions of '
            f'{action_size} numbers, statistics {key!r}, like none of '
            f'{", ".join(KNOWN_SETUPS)}): set chunk_length and normalization')
    if not (isinstance(length, int) and length >= 1):
        raise ConfigError(f'chunk length: expected a whole number >= 1, found {length!r}')
    normalization = _mode(mode)
    layout = ChunkLayout(
        length,
        statistics.bounds(key, 'action', normalization, OFT_EPSILON),
        statistics.bounds(key, 'proprio', normalization, OFT_EPSILON)
        if components.proprio_projector is not None else None,
        normalization,
        'set' if chunk and normalization else f'as {setup_name}' if setup else 'config.json')
    check_sizes(checkpoint, layout, components)
    return layout


def check_sizes(checkpoint: Checkpoint, layout: ChunkLayout, components: Components) -> None:
    """Raise unless statistics and component files speak of the same numbers."""
    head = components.action_head
    if head is not None:
        _check_head(str(checkpoint.components['action_head']), head.inputs, head.outputs,
                    layout.action.size, checkpoint)
        if head.predicts_noise and components.noisy_action_projector is None:
            raise ConfigError(f'{checkpoint.path}: the action head predicts noise, but there is no '
                              f'noisy_action_projector file beside it')
    projector, proprio = components.proprio_projector, layout.proprio
    if projector is not None and proprio is not None and projector.inputs != proprio.size:
        raise ConfigError(f'{checkpoint.components["proprio_projector"]}: takes {projector.inputs} '
                          f'numbers of proprioception; the statistics have {proprio.size}')
    noisy = components.noisy_action_projector
    if noisy is not None and noisy.inputs != 1:
        raise ConfigError(f'{checkpoint.components["noisy_action_projector"]}: expected one number '
                          f'a token, found {noisy.inputs}')


def _check_head(where: str, inputs: int, outputs: int, size: int, checkpoint: Checkpoint) -> None:
    width = checkpoint.tensors['language_model.model.norm.weight'].shape[0]
    states = inputs / width
    if outputs == size and states == size:
        return
    found = f'it reads {states:g} states and gives {outputs} numbers a step'
    if outputs % size == 0 and states == outputs:
        raise ConfigError(f'{where}: head for another chunk length: expected {size} numbers for '
                          f'one step at a time, {found} ({outputs // size} steps at once)')
    raise ConfigError(f'{where}: head for another action or chunk length: the statistics have '
                      f'{size} numbers a step and the model {width} features; {found}')


def _recognise(checkpoint: Checkpoint, statistics: Statistics, key: str,
               components: Components) -> str | None:
    """Return the known setup whose sizes fit and whose name appears, or whose sizes alone do."""
    action = statistics.size(key, 'action')
    projector = components.proprio_projector
    fitting = [name for name, setup in KNOWN_SETUPS.items() if setup.action_size == action
               and (projector is None or setup.proprio_size == projector.inputs)]
    text = f'{key} {checkpoint.path.name}'.lower()
    named = [name for name in fitting if name in text]
    return named[0] if named else fitting[0] if len(fitting) == 1 else None


def _mode(name: str) -> Normalization:
    try:
        return Normalization(name)
    except ValueError:
        raise ConfigError(f'normalization: expected one of '
                          f'{", ".join(mode.value for mode in Normalization)}, found {name!r}'
                          ) from None

"""The ``openvla_oft`` policy: a whole chunk in one forward pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vla_ros.core.errors import ConfigError, InputError, InvariantError
from vla_ros.core.types import Observation
from vla_ros.policy.openvla.base_policy import Parts, VLAPolicy, load_parts
from vla_ros.policy.openvla.decoding import attends_both_ways
from vla_ros.policy.openvla.diffusion import DDIM
from vla_ros.policy.openvla.layout import ChunkLayout, find_layout
from vla_ros.policy.openvla.loading import load_components
from vla_ros.policy.openvla.parallel import Components, Context, ParallelDecoder
from vla_ros.policy.openvla.settings import PolicySettings, load_options, read_settings
from vla_ros.policy.openvla.statistics import OFT_EPSILON, Bounds

NAME = 'openvla_oft'
PROPRIO = 'proprio'
"""Key in ``Observation.state`` of the vector that the checkpoint was trained with."""


class OpenVLAOFTPolicy(VLAPolicy):
    """OpenVLA-OFT with its L1 head, its diffusion head, or discrete tokens without a head.

    Parameters
    ----------
    parts : Parts
        The loaded checkpoint.
    settings : PolicySettings
        How to feed it and read its actions.
    components : Components
        Heads and projectors that are used.
    layout : ChunkLayout
        Sizes and normalisation of a chunk.

    """

    def __init__(self, parts: Parts, settings: PolicySettings, components: Components,
                 layout: ChunkLayout) -> None:
        self.layout = layout
        self.components = components
        self._ddim = DDIM(settings.diffusion_steps)
        self._noise = torch.Generator().manual_seed(settings.seed)
        super().__init__(NAME, 'OpenVLA-OFT', parts, settings, layout.chunk, layout.action)
        self.decoder = ParallelDecoder(parts.model, components, layout.chunk, layout.action.size,
                                       self.stopwatch)

    @property
    def head(self) -> str:
        """What the actions come from: ``l1``, ``diffusion`` or ``discrete``."""
        head = self.components.action_head
        if head is None:
            return 'discrete'
        return 'diffusion' if head.predicts_noise else 'l1'

    def describe(self) -> list[str]:
        """Return, in lines for people, what was loaded and by which rules it is fed and read."""
        proprio = self.layout.proprio
        film = ', FiLM' if self.parts.model.config.film else ''
        return [
            *super().describe(),
            f'head: {self.head}{film}; proprioception: '
            f'{f"{proprio.size} numbers" if proprio else "none"}; normalisation '
            f'{self.layout.normalization.value} and chunk length {self.layout.reason}',
        ]

    def with_statistics(self, key: str) -> OpenVLAOFTPolicy:
        """Return this policy with the statistics of another dataset, or raise ConfigError."""
        other = super().with_statistics(key)
        assert isinstance(other, OpenVLAOFTPolicy)
        proprio = self.layout.proprio
        if proprio is not None:
            proprio = self._bounds(key, PROPRIO)
            if self.layout.proprio is not None and proprio.size != self.layout.proprio.size:
                raise ConfigError(f'{self.parts.statistics.source}: {key} has proprioception of '
                                  f'{proprio.size} numbers')
        other.layout = replace(self.layout, action=other.action, proprio=proprio)
        return other

    def _bounds(self, key: str, part: str) -> Bounds:
        return self.parts.statistics.bounds(key, part, self.layout.normalization, OFT_EPSILON)

    def warm_up(self) -> None:
        """Answer once, and check that the model sees and attends in both directions.

        Raises
        ------
        ConfigError
            When the model does not look at the image.
        InvariantError
            When a library's new version made the attention causal again.

        """
        super().warm_up()
        text = self.parts.model.embed_text(torch.tensor([self.parts.prompter.ids('warm up')]))
        with torch.inference_mode():
            if not attends_both_ways(self.parts.model.language_model, text):
                raise InvariantError('the attention is causal, OpenVLA-OFT needs it in both '
                                     'directions; the installed transformers is not supported')

    def context(self, ids: list[int], pixels: torch.Tensor,
                proprio: np.ndarray | None = None) -> Context:
        """Return the embedded prompt, images and raw proprioception (n,)."""
        vector = None
        if self.layout.proprio is not None:
            if proprio is None:
                raise InputError(f'the policy needs {self.layout.proprio.size} numbers of '
                                 f'proprioception in the observation\'s state under {PROPRIO!r}')
            normalised = self.layout.proprio.normalise(proprio)
            vector = torch.from_numpy(normalised.astype(np.float32))
        return self.decoder.context(ids, pixels, vector)

    def decode(self, context: Context, noise: torch.Tensor | None = None) -> np.ndarray:
        """Return the normalised chunk (K, A); ``noise`` (K, A) starts the diffusion."""
        if self.head == 'discrete':
            return self._decoded(self.decoder.tokens(context).cpu().numpy())
        if self.head == 'l1':
            return self.decoder.regress(context).float().cpu().numpy()
        if noise is None:
            noise = torch.randn(self.layout.chunk, self.action.size, generator=self._noise)
        return self.decoder.denoise(context, noise, self._ddim).cpu().numpy()

    def _answer(self, ids: list[int], pixels: torch.Tensor, observation: Observation) -> np.ndarray:
        return self.decode(self.context(ids, pixels, self._proprio(observation)))

    def _proprio(self, observation: Observation) -> np.ndarray | None:
        """Return the raw proprioception (n,): as given, or made of the robot's state."""
        given = observation.state.get(PROPRIO)
        if given is not None or self.layout.proprio is None or self.settings.proprio is None:
            return given
        return self.settings.proprio.vector(observation.state)

    def _probe(self, ids: list[int], pixels: torch.Tensor) -> torch.Tensor:
        proprio = self.layout.proprio
        middle = None if proprio is None else (proprio.low + proprio.high) / 2.0
        with torch.inference_mode():
            return self.decoder.hidden(self.decoder.sequence(self.context(ids, pixels, middle)))


def load_openvla_oft(config: str | Path | None = None, **options: Any) -> OpenVLAOFTPolicy:
    """Return the ``openvla_oft`` policy for a run directory.

    Parameters
    ----------
    config : path, optional
        Settings; default ``config/policies/openvla_oft.yaml``.
    **options
        ``model_path`` (required), ``unnorm_key``, ``base_path`` (of a run that was not merged), the
        fields of :class:`~vla_ros.policy.openvla.loading.LoadOptions`, and values of the settings
        file.

    Raises
    ------
    ConfigError
        When an option, the settings or the checkpoint cannot be used.

    """
    settings, model = read_settings(NAME, config, options)
    parts = load_parts(settings, model, load_options(model))
    components = load_components(parts.checkpoint, parts.model)
    if not settings.use_head:
        components = replace(components, action_head=None, noisy_action_projector=None)
    if not settings.use_proprio:
        components = replace(components, proprio_projector=None)
    layout = find_layout(parts.checkpoint, parts.statistics, parts.key, components,
                         settings.chunk_length, settings.normalization)
    if layout.proprio is not None and settings.proprio is not None:
        names = settings.proprio.names
        if len(names) != layout.proprio.size:
            raise ConfigError(
                f'{parts.checkpoint.path}: proprioception of {layout.proprio.size} numbers; the '
                f'setting proprio names {len(names)}: {" ".join(names)}')
    return OpenVLAOFTPolicy(parts, settings, components, layout)

"""The ``openvla`` policy: one action, token by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.types import Observation
from vla_ros.policy.openvla.base_policy import Parts, VLAPolicy, load_parts
from vla_ros.policy.openvla.decoding import greedy_tokens
from vla_ros.policy.openvla.model import after_bos
from vla_ros.policy.openvla.prompt import EOS
from vla_ros.policy.openvla.settings import PolicySettings, load_options, read_settings
from vla_ros.policy.openvla.statistics import Normalization

NAME = 'openvla'


class OpenVLAPolicy(VLAPolicy):
    """OpenVLA and its fine-tunes: as many greedy action tokens as the statistics have numbers."""

    def __init__(self, parts: Parts, settings: PolicySettings) -> None:
        action = parts.statistics.bounds(parts.key, 'action', Normalization.BOUNDS_Q99)
        super().__init__(NAME, 'OpenVLA', parts, settings, settings.repeat, action)

    def tokens(self, ids: list[int], pixels: torch.Tensor) -> list[int]:
        """Return the ids that the model answers a prompt and pixels (1, C, H, W) with."""
        model = self.parts.model
        with torch.inference_mode():
            embeds = self._embeds(ids, pixels)
            with self.stopwatch.stage('language'):
                return greedy_tokens(model.language_model, embeds, self.action.size, EOS)

    def _answer(self, ids: list[int], pixels: torch.Tensor, observation: Observation) -> np.ndarray:
        tokens = np.asarray(self.tokens(ids, pixels))
        normalised = self._decoded(tokens)
        if tokens.size != self.action.size:
            raise InputError(f'the model answered with {tokens.size} numbers, expected '
                             f'{self.action.size}')
        return np.repeat(normalised[None], self.settings.repeat, axis=0)

    def _probe(self, ids: list[int], pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return self.parts.model.language_model(
                inputs_embeds=self._embeds(ids, pixels), logits_to_keep=1).logits

    def _embeds(self, ids: list[int], pixels: torch.Tensor) -> torch.Tensor:
        model = self.parts.model
        with self.stopwatch.stage('vision'):
            images = model.embed_images(pixels)
        return after_bos(model.embed_text(torch.tensor([ids])), images)


def load_openvla(config: str | Path | None = None, **options: Any) -> OpenVLAPolicy:
    """Return the ``openvla`` policy for a checkpoint directory.

    Parameters
    ----------
    config : path, optional
        Settings; default ``config/policies/openvla.yaml``.
    **options
        ``model_path`` (required), ``unnorm_key``, ``base_path``, the fields of
        :class:`~vla_ros.policy.openvla.loading.LoadOptions`, and values of the settings file.

    Raises
    ------
    ConfigError
        When an option, the settings or the checkpoint cannot be used.

    """
    settings, model = read_settings(NAME, config, options)
    if len(settings.cameras) != 1:
        raise ConfigError(f'OpenVLA looks through one camera, found '
                          f'{", ".join(settings.cameras)}')
    parts = load_parts(settings, model, load_options(model))
    if 'action_head' in parts.checkpoint.components:
        raise ConfigError(f'{parts.checkpoint.path}: has an action head: this is an OpenVLA-OFT '
                          f'checkpoint; use policy openvla_oft')
    return OpenVLAPolicy(parts, settings)

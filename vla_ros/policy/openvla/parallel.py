"""Parallel decoding of OpenVLA-OFT: one forward pass for a whole chunk.

The sequence, for N images of P patches and a prompt of L tokens::

    BOS | N * P patches | proprio? | timestep? | L - 1 prompt tokens | K * A slots | stop

Slots are zero vectors (noisy actions under diffusion). A slot's answer stands one position before
it, so the states used run from the prompt's last token to the last slot but one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vla_ros.policy.openvla.decoding import parallel_hidden_states
from vla_ros.policy.openvla.diffusion import DDIM, timestep_token
from vla_ros.policy.openvla.heads import ActionHead, VectorProjector
from vla_ros.policy.openvla.model import OpenVLAForActionPrediction, after_bos
from vla_ros.policy.openvla.prompt import EOS
from vla_ros.policy.openvla.stopwatch import Stopwatch


@dataclass(frozen=True)
class Components:
    """The networks beside the model; each may be absent.

    Attributes
    ----------
    action_head : ActionHead, optional
        Without one the actions are discrete tokens.
    proprio_projector, noisy_action_projector : VectorProjector, optional
        For proprioception, and for the diffusion head.

    """

    action_head: ActionHead | None = None
    proprio_projector: VectorProjector | None = None
    noisy_action_projector: VectorProjector | None = None

    def to(self, device: torch.device, dtype: torch.dtype) -> Components:
        """Return the same components on a device, in a dtype; none of them is ever quantized."""
        parts = (self.action_head, self.proprio_projector, self.noisy_action_projector)
        return Components(*(part if part is None else part.to(device, dtype) for part in parts))


@dataclass(frozen=True, eq=False)
class Context:
    """What stays the same over the passes for one observation.

    Attributes
    ----------
    text : torch.Tensor
        (1, L + 1, D), the prompt and the stop token.
    images : torch.Tensor
        (1, N * P, D).
    proprio : torch.Tensor, optional
        (1, 1, D).

    """

    text: torch.Tensor
    images: torch.Tensor
    proprio: torch.Tensor | None


class ParallelDecoder:
    """Runs the model over whole chunks.

    Parameters
    ----------
    model : OpenVLAForActionPrediction
        The model.
    components : Components
        Its heads and projectors.
    chunk, action_size : int
        K and A.
    stopwatch : Stopwatch, optional
        Times the stages.

    """

    def __init__(self, model: OpenVLAForActionPrediction, components: Components, chunk: int,
                 action_size: int, stopwatch: Stopwatch | None = None) -> None:
        self.model = model
        self.components = components
        self.chunk = chunk
        self.action_size = action_size
        self.stopwatch = stopwatch or Stopwatch(model.device)

    @property
    def slots(self) -> int:
        """How many numbers a chunk has, K * A."""
        return self.chunk * self.action_size

    def context(self, prompt_ids: Sequence[int], pixel_values: torch.Tensor,
                proprio: torch.Tensor | None = None) -> Context:
        """Embed what was seen and asked.

        Parameters
        ----------
        prompt_ids : Sequence[int]
            L ids, BOS first, the empty token last.
        pixel_values : torch.Tensor
            (1, N * channels, H, W).
        proprio : torch.Tensor, optional
            (n,), normalised.

        """
        text = self.model.embed_text(torch.tensor([[*prompt_ids, EOS]]))
        # FiLM is conditioned on all text that is no action: the stop token belongs to it.
        condition = text.mean(dim=1) if self.model.config.film else None
        with self.stopwatch.stage('vision'):
            images = self.model.embed_images(pixel_values, condition)
        token = None
        if proprio is not None:
            token = self.components.proprio_projector(proprio)[None, None]
        return Context(text, images, token)

    def sequence(self, context: Context, slots: torch.Tensor | None = None,
                 timestep: torch.Tensor | None = None) -> torch.Tensor:
        """Return the embeddings (1, S, D) of the whole sequence.

        ``slots`` is (1, K * A, D), zeros when left out; ``timestep`` (1, 1, D).
        """
        text = context.text
        if slots is None:
            slots = text.new_zeros(1, self.slots, text.shape[-1])
        extra = [part for part in (context.proprio, timestep) if part is not None]
        before = after_bos(text[:, :-1], context.images, *extra)
        return torch.cat([before, slots.to(before), text[:, -1:]], dim=1)

    def hidden(self, sequence: torch.Tensor) -> torch.Tensor:
        """Return the states (1, K * A, D) that the chunk is read from, after the final norm."""
        with self.stopwatch.stage('language'):
            states = parallel_hidden_states(self.model.language_model, sequence)
        first = sequence.shape[1] - 2 - self.slots  # the position before the first slot
        return states[:, first:first + self.slots]

    def regress(self, context: Context) -> torch.Tensor:
        """Return the normalised chunk (K, A) of the L1 head."""
        return self._head(self.hidden(self.sequence(context)))[0]

    def tokens(self, context: Context) -> torch.Tensor:
        """Return the likeliest token (K, A) int64 at each slot, over the whole vocabulary."""
        hidden = self.hidden(self.sequence(context))
        with self.stopwatch.stage('head'):
            logits = self.model.language_model.lm_head(hidden)
            return logits[0].argmax(dim=-1).reshape(self.chunk, self.action_size)

    def denoise(self, context: Context, noise: torch.Tensor, ddim: DDIM) -> torch.Tensor:
        """Return the normalised chunk (K, A) float32 that starts as ``noise`` (K, A)."""
        sample = noise
        for timestep in ddim.timesteps:
            predicted = self.predict_noise(context, sample, timestep)
            sample = ddim.previous(sample, predicted.to(sample), timestep)
        return sample

    def predict_noise(self, context: Context, sample: torch.Tensor, timestep: int) -> torch.Tensor:
        """Return the noise (K, A) that the head sees in a sample (K, A)."""
        slots = self.components.noisy_action_projector(sample.reshape(1, self.slots, 1))
        token = timestep_token(timestep, context.text.shape[-1])[None, None]
        return self._head(self.hidden(self.sequence(context, slots, token)))[0]

    def _head(self, hidden: torch.Tensor) -> torch.Tensor:
        with self.stopwatch.stage('head'):
            return self.components.action_head(hidden)

"""DDIM sampling as OpenVLA-OFT's diffusion head was trained for.

Squared-cosine betas over 50 training steps, noise prediction, eta 0, the predicted sample clipped
to [-1, 1], timesteps spaced from zero ("leading"). Formulas: Song et al. 2021 (DDIM, eq. 12),
Nichol & Dhariwal 2021 (cosine schedule).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch

from vla_ros.core.errors import ConfigError

TRAINING_STEPS = 50


class DDIM:
    """The noise schedule and one step of sampling.

    Parameters
    ----------
    steps : int
        Inference steps, 1…50.

    """

    def __init__(self, steps: int) -> None:
        if not 1 <= steps <= TRAINING_STEPS:
            raise ConfigError(f'diffusion steps: expected 1 to {TRAINING_STEPS}, found {steps}')
        levels = [_level(i / TRAINING_STEPS) for i in range(TRAINING_STEPS + 1)]
        betas = [min(1.0 - after / before, 0.999)
                 for before, after in pairwise(levels)]
        self.alpha_bar = torch.cumprod(1.0 - torch.tensor(betas, dtype=torch.float32), dim=0)
        self._stride = TRAINING_STEPS // steps
        self.timesteps = [i * self._stride for i in reversed(range(steps))]

    def previous(self, sample: torch.Tensor, noise: torch.Tensor, timestep: int) -> torch.Tensor:
        """Return the less noisy sample before ``timestep``; all tensors (…), float32.

        The noise of the direction term stays as predicted, also where the sample was clipped.
        """
        now = self.alpha_bar[timestep]
        earlier = timestep - self._stride
        before = self.alpha_bar[earlier] if earlier >= 0 else torch.tensor(1.0)
        clean = (sample - (1.0 - now).sqrt() * noise) / now.sqrt()
        return before.sqrt() * clean.clamp(-1.0, 1.0) + (1.0 - before).sqrt() * noise


def timestep_token(timestep: int, width: int) -> torch.Tensor:
    """Return the embedding (width,) float32 of a timestep: sines, then cosines; nothing learned."""
    half = width // 2
    exponent = -math.log(10000.0) * torch.arange(half, dtype=torch.float32) / (half - 1)
    angle = float(timestep) * exponent.exp()
    return torch.cat([angle.sin(), angle.cos()])


def _level(part: float) -> float:
    return math.cos((part + 0.008) / 1.008 * math.pi / 2.0) ** 2

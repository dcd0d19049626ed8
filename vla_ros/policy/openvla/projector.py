"""From patch features to the language model's embeddings."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from vla_ros.policy.openvla.configuration import OpenVLAConfig


class Projector(nn.Module):
    """Linear layers with exact GELU between: three for fused towers, two for a single one."""

    def __init__(self, config: OpenVLAConfig) -> None:
        super().__init__()
        vision, text = config.vision_width, config.text_config.hidden_size
        if config.use_fused_vision_backbone:
            self.fc1 = nn.Linear(vision, 4 * vision)
            self.fc2 = nn.Linear(4 * vision, text)
            self.fc3 = nn.Linear(text, text)
        else:
            self.fc1 = nn.Linear(vision, text)
            self.fc2 = nn.Linear(text, text)
            self.fc3 = None

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return (…, D) for (…, Dv)."""
        x = self.fc2(functional.gelu(self.fc1(patches)))
        return x if self.fc3 is None else self.fc3(functional.gelu(x))

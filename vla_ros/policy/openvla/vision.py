"""The vision transformers: DINOv2 with registers and SigLIP, side by side or SigLIP alone.

Only what inference uses is built. The features are taken after the last block but one, so the last
block, the final norm and SigLIP's pooling head, which checkpoints carry, have no place here.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from vla_ros.policy.openvla.configuration import OpenVLAConfig, TowerGeometry

NORM_EPSILON = 1e-6

UNUSED_WEIGHTS = (
    r'^vision_backbone\.\w+\.norm\.',
    r'^vision_backbone\.\w+\.attn_pool\.',
)
"""Patterns of checkpoint keys that inference does not use, besides the towers' last blocks."""


class PatchEmbedding(nn.Module):
    """Cuts an image into patches and embeds each; row by row."""

    def __init__(self, geometry: TowerGeometry) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, geometry.width, geometry.patch, geometry.patch)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (B, P, width) for (B, 3, H, W)."""
        return self.proj(pixels).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Full self-attention with one linear layer for queries, keys and values, in that order."""

    def __init__(self, geometry: TowerGeometry) -> None:
        super().__init__()
        self.heads = geometry.heads
        self.qkv = nn.Linear(geometry.width, 3 * geometry.width)
        self.proj = nn.Linear(geometry.width, geometry.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T, width) for (B, T, width)."""
        batch, tokens, width = x.shape
        q, k, v = (self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
                   .permute(2, 0, 3, 1, 4).unbind(0))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class MLP(nn.Module):
    """Two linear layers around an exact (erf) GELU; the tanh one is off by 2e-3 here."""

    def __init__(self, geometry: TowerGeometry) -> None:
        super().__init__()
        self.fc1 = nn.Linear(geometry.width, geometry.mlp_width)
        self.fc2 = nn.Linear(geometry.mlp_width, geometry.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T, width) for (B, T, width)."""
        return self.fc2(functional.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    """Scales each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale_factor = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (…, width) for (…, width)."""
        return x * self.scale_factor


class VisionBlock(nn.Module):
    """A pre-norm transformer block, modulated by the instruction when ``film_width`` is given.

    ``x + ls1(attn(norm1(x)))``, then FiLM ``x * (1 + scale(c)) + shift(c)``, then
    ``x + ls2(mlp(norm2(x)))``.
    """

    def __init__(self, geometry: TowerGeometry, film_width: int | None) -> None:
        super().__init__()
        width = geometry.width
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.attn = Attention(geometry)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.mlp = MLP(geometry)
        self.ls1 = LayerScale(width) if geometry.layer_scale else nn.Identity()
        self.ls2 = LayerScale(width) if geometry.layer_scale else nn.Identity()
        self.film = film_width is not None
        if film_width is not None:
            self.scale = nn.Linear(film_width, width)
            self.shift = nn.Linear(film_width, width)

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        """Return (B, T, width); ``condition`` is (B, film_width)."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        if self.film:
            x = x * (1 + self.scale(condition).unsqueeze(1)) + self.shift(condition).unsqueeze(1)
        return x + self.ls2(self.mlp(self.norm2(x)))


class VisionTower(nn.Module):
    """One vision transformer up to its last block but one.

    The position table is added to the patches only; the prefix (class token, registers) precedes
    them inside and is dropped from the result.
    """

    def __init__(self, geometry: TowerGeometry, patches: int, film_width: int | None) -> None:
        super().__init__()
        width = geometry.width
        self.patch_embed = PatchEmbedding(geometry)
        self.cls_token = (nn.Parameter(torch.zeros(1, 1, width)) if geometry.class_token else None)
        self.reg_token = (nn.Parameter(torch.zeros(1, geometry.registers, width))
                          if geometry.registers else None)
        self.pos_embed = nn.Parameter(torch.zeros(1, patches, width))
        self.blocks = nn.ModuleList(
            VisionBlock(geometry, film_width) for _ in range(geometry.depth - 1))

    def forward(self, pixels: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        """Return (B, P, width) for (B, 3, H, W) pixels and a (B, film_width) condition."""
        x = self.patch_embed(pixels) + self.pos_embed
        prefix = [token.expand(x.shape[0], -1, -1)
                  for token in (self.cls_token, self.reg_token) if token is not None]
        skipped = sum(token.shape[1] for token in prefix)
        x = torch.cat([*prefix, x], dim=1)
        for block in self.blocks:
            x = block(x, condition)
        return x[:, skipped:]


class VisionBackbone(nn.Module):
    """All towers over all images.

    In the fused model ``featurizer`` is DINOv2 and ``fused_featurizer`` SigLIP; a single backbone
    has SigLIP as ``featurizer``.
    """

    def __init__(self, config: OpenVLAConfig) -> None:
        super().__init__()
        film_width = config.text_config.hidden_size if config.film else None
        towers = [VisionTower(geometry, config.patches, film_width) for geometry in config.towers]
        self.featurizer = towers[0]
        if len(towers) == 2:
            self.fused_featurizer = towers[1]

    @property
    def towers(self) -> list[VisionTower]:
        """The one or two towers, in the order of their channels."""
        both = [self.featurizer, getattr(self, 'fused_featurizer', None)]
        return [tower for tower in both if tower is not None]

    def forward(self, pixel_values: torch.Tensor,
                condition: torch.Tensor | None = None) -> torch.Tensor:
        """Return the patches of N images, one image after the other.

        Parameters
        ----------
        pixel_values : torch.Tensor
            (B, N * 3 * towers, H, W); image 1's channels for each tower, then image 2's, …
        condition : torch.Tensor, optional
            (B, D), for FiLM.

        Returns
        -------
        torch.Tensor
            (B, N * P, sum of widths), the towers' features side by side.

        """
        towers = self.towers
        batch, channels, height, width = pixel_values.shape
        images = channels // (3 * len(towers))
        pixels = pixel_values.reshape(batch * images, len(towers), 3, height, width)
        if condition is not None:
            condition = condition.repeat_interleave(images, dim=0)
        features = torch.cat([tower(pixels[:, i], condition) for i, tower in enumerate(towers)],
                             dim=-1)
        return features.reshape(batch, -1, features.shape[-1])

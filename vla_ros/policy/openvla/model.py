"""The model: vision towers, projector and Llama, as one ``PreTrainedModel``.

The names of its parts are the keys of published checkpoints, so ``from_pretrained`` loads them with
whatever dtype, ``device_map``, ``quantization_config`` or adapter a user knows from transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from vla_ros.policy.openvla.configuration import OpenVLAConfig
from vla_ros.policy.openvla.projector import Projector
from vla_ros.policy.openvla.vision import UNUSED_WEIGHTS, LayerScale, VisionBackbone, VisionTower

TOWER_NAMES = ('featurizer', 'fused_featurizer')


class OpenVLAForActionPrediction(PreTrainedModel):
    """OpenVLA: images and text to the hidden states of a Llama decoder.

    Parameters
    ----------
    config : OpenVLAConfig
        Sizes of all parts.

    """

    config_class = OpenVLAConfig
    main_input_name = 'input_ids'
    supports_gradient_checkpointing = False
    _no_split_modules = ('LlamaDecoderLayer', 'VisionTower', 'Projector')
    _skip_keys_device_placement = ('past_key_values',)
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: OpenVLAConfig) -> None:
        super().__init__(config)
        self.vision_backbone = VisionBackbone(config)
        self.projector = Projector(config)
        self.language_model = LlamaForCausalLM(config.text_config)
        self._keys_to_ignore_on_load_unexpected = unused_weights(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embeddings of the language model."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the embeddings of the language model."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the head of the language model."""
        return self.language_model.lm_head

    def embed_images(self, pixel_values: torch.Tensor,
                     condition: torch.Tensor | None = None) -> torch.Tensor:
        """Return the embeddings of N images, (B, N * P, D).

        ``pixel_values`` is (B, N * channels, H, W) of any float type, ``condition`` (B, D) for
        FiLM.
        """
        dtype = self.vision_backbone.featurizer.pos_embed.dtype
        pixel_values = pixel_values.to(execution_device(self.vision_backbone.featurizer), dtype)
        return self.projector(self.vision_backbone(pixel_values, condition))

    def embed_text(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return the embeddings (B, L, D) of token ids (B, L), on any device."""
        embeddings = self.get_input_embeddings()
        return embeddings(input_ids.to(execution_device(embeddings)))

    def forward(self, input_ids: torch.Tensor, pixel_values: torch.Tensor,
                attention_mask: torch.Tensor | None = None, **kwargs: Any,
                ) -> CausalLMOutputWithPast:
        """Return the language model's output for [BOS] [patches] [rest of the text], causal.

        Parameters
        ----------
        input_ids : torch.Tensor
            (B, L) int64, BOS first.
        pixel_values : torch.Tensor
            (B, N * channels, H, W).
        attention_mask : torch.Tensor, optional
            (B, L), 0 where the text is padded.
        **kwargs
            For ``LlamaForCausalLM``.

        """
        embeds = after_bos(self.embed_text(input_ids), self.embed_images(pixel_values))
        if attention_mask is not None:
            patches = embeds.shape[1] - input_ids.shape[1]
            attention_mask = after_bos(attention_mask.to(embeds.device),
                                       attention_mask.new_ones(len(attention_mask), patches))
        return self.language_model(inputs_embeds=embeds, attention_mask=attention_mask, **kwargs)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, VisionTower):
            for token in (module.cls_token, module.reg_token, module.pos_embed):
                if token is not None:
                    nn.init.normal_(token, std=0.02)
        elif isinstance(module, LayerScale):
            nn.init.ones_(module.scale_factor)


def execution_device(module: nn.Module) -> torch.device:
    """Return where a module computes; its weights may lie elsewhere between two calls (offload)."""
    hook = getattr(module, '_hf_hook', None)
    device = getattr(hook, 'execution_device', None)
    return torch.device(device) if device is not None else next(module.parameters()).device


def after_bos(text: torch.Tensor, *inserted: torch.Tensor) -> torch.Tensor:
    """Return a sequence with others inserted behind its first element, along dimension 1."""
    same_place = [part.to(device=text.device, dtype=text.dtype) for part in inserted]
    return torch.cat([text[:, :1], *same_place, text[:, 1:]], dim=1)


def unused_weights(config: OpenVLAConfig) -> list[str]:
    """Return patterns of the checkpoint keys that inference does not use."""
    last_blocks = [rf'^vision_backbone\.{name}\.blocks\.{tower.depth - 1}\.'
                   for name, tower in zip(TOWER_NAMES, config.towers, strict=False)]
    return [*UNUSED_WEIGHTS, *last_blocks, r'rotary_emb\.inv_freq$']

"""The model's configuration, as ``config.json`` of the published checkpoints has it.

``auto_map`` in that file names code to download; nothing here reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from transformers import LlamaConfig, PreTrainedConfig

from vla_ros.core.errors import ConfigError, unknown_choice


@dataclass(frozen=True)
class TowerGeometry:
    """Sizes of a vision transformer.

    Attributes
    ----------
    width, depth, heads, mlp_width : int
        Features of a token, number of blocks, attention heads, features inside the MLP.
    class_token : bool
        Whether a CLS token precedes the patches.
    registers : int
        How many register tokens follow it.
    layer_scale : bool
        Whether each residual branch is scaled per channel.
    patch : int
        Side of a patch [px].

    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    class_token: bool = False
    registers: int = 0
    layer_scale: bool = False
    patch: int = 14

    def __post_init__(self) -> None:
        if not (self.depth >= 2 and self.heads >= 1 and self.width % self.heads == 0):
            raise ConfigError(f'vision tower: expected at least two blocks and a width divisible '
                              f'by its heads, found {self}')


_SIGLIP_SO400M = TowerGeometry(width=1152, depth=27, heads=16, mlp_width=4304)
_DINOV2_LARGE = TowerGeometry(width=1024, depth=24, heads=16, mlp_width=4096, class_token=True,
                              registers=4, layer_scale=True)

KNOWN_TOWERS: dict[str, TowerGeometry] = {
    'vit_large_patch14_reg4_dinov2.lvd142m': _DINOV2_LARGE,
    'vit_so400m_patch14_siglip_224': _SIGLIP_SO400M,
    'vit_so400m_patch14_siglip_384': _SIGLIP_SO400M,
    # Of the tiny checkpoints that the reference implementations were recorded with.
    'vit_tiny_patch14_reg4_dinov2_oracle.none': TowerGeometry(
        width=48, depth=4, heads=3, mlp_width=192, class_token=True, registers=4,
        layer_scale=True),
    'vit_tiny_patch14_siglip_oracle_224': TowerGeometry(
        width=40, depth=3, heads=2, mlp_width=149),
}
"""Geometry behind each name in ``timm_model_ids``; the number of heads is in no weight's shape."""

# Written out although they are LlamaConfig's own: config.json of the 7B model relies on them, and
# its rms_norm_eps is not that of Llama-2.
_LLAMA_2_7B = {
    'vocab_size': 32064, 'hidden_size': 4096, 'intermediate_size': 11008, 'num_hidden_layers': 32,
    'num_attention_heads': 32, 'max_position_embeddings': 2048, 'rms_norm_eps': 1e-6,
    'hidden_act': 'silu', 'attention_bias': False, 'mlp_bias': False, 'tie_word_embeddings': False,
}


class OpenVLAConfig(PreTrainedConfig):
    """Configuration of OpenVLA and OpenVLA-OFT.

    Parameters
    ----------
    text_config : Mapping or LlamaConfig
        The language model; what it leaves out is that of the 7B model.
    timm_model_ids : Sequence[str]
        Names of the one or two vision towers, DINOv2 first when there are two.
    vision_towers : Sequence[Mapping], optional
        Geometry of the towers (see :class:`TowerGeometry`), for names that are not known here.
    image_sizes : Sequence[int]
        Side of each tower's input [px]; both must be equal.
    action_chunk : int, optional
        Steps of a chunk; published checkpoints do not say.
    film : bool
        Whether the vision blocks are modulated by the instruction (OpenVLA-OFT's FiLM).

    Raises
    ------
    ConfigError
        When this implementation does not know how to compute such a model.

    """

    model_type = 'openvla'
    sub_configs = {'text_config': LlamaConfig}  # noqa: RUF012  transformers' own protocol

    def __init__(
        self,
        text_config: Mapping[str, Any] | LlamaConfig | None = None,
        timm_model_ids: Sequence[str] = ('vit_large_patch14_reg4_dinov2.lvd142m',
                                         'vit_so400m_patch14_siglip_224'),
        timm_override_act_layers: Sequence[str | None] | None = None,
        vision_towers: Sequence[Mapping[str, Any]] | None = None,
        use_fused_vision_backbone: bool | None = None,
        image_sizes: Sequence[int] = (224, 224),
        pad_to_multiple_of: int = 64,
        pad_token_id: int = 32000,
        n_action_bins: int = 256,
        norm_stats: Mapping[str, Any] | None = None,
        action_chunk: int | None = None,
        film: bool = False,
        **kwargs: Any,
    ) -> None:
        self.text_config = _llama(text_config)
        self.timm_model_ids = list(timm_model_ids)
        self.timm_override_act_layers = timm_override_act_layers
        self.vision_towers = [dict(tower) for tower in vision_towers] if vision_towers else None
        fused = len(self.timm_model_ids) == 2
        self.use_fused_vision_backbone = (
            fused if use_fused_vision_backbone is None else use_fused_vision_backbone)
        self.image_sizes = list(image_sizes)
        self.pad_to_multiple_of = pad_to_multiple_of
        self.pad_token_id = pad_token_id
        self.n_action_bins = n_action_bins
        self.norm_stats = norm_stats
        self.action_chunk = action_chunk
        self.film = film
        self._check()
        super().__init__(**kwargs)

    @property
    def towers(self) -> tuple[TowerGeometry, ...]:
        """Geometry of the one or two vision towers."""
        if self.vision_towers:
            return tuple(_tower(values) for values in self.vision_towers)
        return tuple(_known_tower(name) for name in self.timm_model_ids)

    @property
    def image_size(self) -> int:
        """Side of the vision towers' input [px]."""
        return self.image_sizes[0]

    @property
    def patches(self) -> int:
        """How many patches an image has."""
        return (self.image_size // self.towers[0].patch) ** 2

    @property
    def vision_width(self) -> int:
        """Features of a patch over all towers."""
        return sum(tower.width for tower in self.towers)

    @property
    def action_vocabulary(self) -> int:
        """Size of the vocabulary without its padding; action tokens are its last ids."""
        return self.text_config.vocab_size - self.pad_to_multiple_of

    def _check(self) -> None:
        towers = self.towers
        expected = 2 if self.use_fused_vision_backbone else 1
        if len(towers) != expected:
            raise ConfigError(f'use_fused_vision_backbone is {self.use_fused_vision_backbone}: '
                              f'expected {expected} vision towers, found {len(towers)}')
        if len(set(self.image_sizes)) != 1 or len({tower.patch for tower in towers}) != 1:
            raise ConfigError(f'expected towers of one image size and patch size, found '
                              f'image_sizes {self.image_sizes} and {towers}')
        if any(self.timm_override_act_layers or ()):
            raise ConfigError(f'timm_override_act_layers {self.timm_override_act_layers}: only '
                              f'towers with their own activation (GELU) are known')


def geometry_dict(tower: TowerGeometry) -> dict[str, Any]:
    """Return a geometry as an entry of ``vision_towers``."""
    return asdict(tower)


def _known_tower(name: str) -> TowerGeometry:
    if name not in KNOWN_TOWERS:
        raise unknown_choice('vision tower in timm_model_ids (or describe it under vision_towers '
                             'in config.json):', name, KNOWN_TOWERS)
    return KNOWN_TOWERS[name]


def _tower(values: Mapping[str, Any]) -> TowerGeometry:
    known = {field.name for field in fields(TowerGeometry)}
    for name in values:
        if name not in known:
            raise unknown_choice('key in vision_towers', name, known)
    try:
        return TowerGeometry(**values)
    except TypeError as error:
        raise ConfigError(f'vision_towers: {error}') from error


def _llama(given: Mapping[str, Any] | LlamaConfig | None) -> LlamaConfig:
    if isinstance(given, LlamaConfig):
        return given
    values = dict(given or {})
    family = values.pop('model_type', 'llama')
    if family != 'llama':
        raise unknown_choice('language model in text_config.model_type', family, ('llama',))
    if not values.keys() & {'rope_theta', 'rope_parameters'}:
        values['rope_theta'] = 10000.0
    return LlamaConfig(**{**_LLAMA_2_7B, **values})

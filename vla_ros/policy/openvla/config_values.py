"""What each value of ``config.json`` must be, looked at before a library meets it.

Values that are left out have defaults; those that nobody here reads may be anything. The largest
sizes are far above those of any model: they keep a nonsense value from being built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vla_ros.core.errors import ConfigError

LARGEST_WIDTH, LARGEST_DEPTH = 1 << 20, 1 << 10


class Rule(NamedTuple):
    """What is expected of a value, in words and as a test."""

    expected: str
    holds: Callable[[Any], bool]


def _whole(least: int, most: int = LARGEST_WIDTH) -> Rule:
    return Rule(f'a whole number from {least} to {most}',
                lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most)


def _positive(most: float) -> Rule:
    return Rule(f'a number above 0 up to {most:g}', lambda v: isinstance(v, (int, float))
                and not isinstance(v, bool) and 0.0 < v <= most)


def _optional(rule: Rule) -> Rule:
    return Rule(f'{rule.expected}, or null', lambda v: v is None or rule.holds(v))


def _list(of: Rule, least: int, most: int) -> Rule:
    return Rule(f'a list of {least} to {most}, each {of.expected}',
                lambda v: isinstance(v, list) and least <= len(v) <= most
                and all(of.holds(item) for item in v))


_FLAG = Rule('true or false', lambda v: isinstance(v, bool))
_TEXT = Rule('text', lambda v: isinstance(v, str) and bool(v))
_MAPPING = Rule('a mapping', lambda v: isinstance(v, dict))
_WIDTH, _DEPTH = _whole(1), _whole(1, LARGEST_DEPTH)
_ID = _whole(0, 1 << 30)

RULES: dict[str, Rule] = {
    'timm_model_ids': _list(_TEXT, 1, 2),
    'timm_override_act_layers': _optional(_list(_optional(_TEXT), 0, 2)),
    'vision_towers': _optional(_list(_MAPPING, 1, 2)),
    'use_fused_vision_backbone': _optional(_FLAG),
    'image_sizes': _list(_whole(1, 1 << 13), 1, 2),
    'pad_to_multiple_of': _whole(0),
    'pad_token_id': _ID,
    'n_action_bins': _whole(2, 1 << 16),
    'llm_max_length': _whole(1),
    'action_chunk': _optional(_whole(1, 1 << 12)),
    'norm_stats': _optional(_MAPPING),
    'text_config': _optional(_MAPPING),
}
"""Keys of ``config.json`` that are read here."""

TEXT_RULES: dict[str, Rule] = {
    'model_type': _TEXT,
    'vocab_size': _whole(1, 1 << 24),
    'hidden_size': _WIDTH,
    'intermediate_size': _WIDTH,
    'num_hidden_layers': _DEPTH,
    'num_attention_heads': _whole(1, 1 << 12),
    'num_key_value_heads': _optional(_whole(1, 1 << 12)),
    'head_dim': _optional(_whole(1, 1 << 12)),
    'max_position_embeddings': _whole(1, 1 << 24),
    'rms_norm_eps': _positive(1.0),
    'rope_theta': _positive(1e12),
    'rope_scaling': _optional(_MAPPING),
    'rope_parameters': _optional(_MAPPING),
    'hidden_act': _TEXT,
    'attention_bias': _FLAG,
    'mlp_bias': _FLAG,
    'tie_word_embeddings': _FLAG,
    'attention_dropout': Rule('a number from 0 to 1', lambda v: isinstance(v, (int, float))
                              and not isinstance(v, bool) and 0.0 <= v <= 1.0),
    'pad_token_id': _optional(_ID),
    'bos_token_id': _optional(_ID),
    'eos_token_id': _optional(_ID),
}
"""Keys of ``text_config`` that decide what is computed."""

TOWER_RULES: dict[str, Rule] = {
    'width': _WIDTH, 'depth': _whole(2, LARGEST_DEPTH), 'heads': _whole(1, 1 << 12),
    'mlp_width': _WIDTH, 'class_token': _FLAG, 'registers': _whole(0, 1 << 12),
    'layer_scale': _FLAG, 'patch': _whole(1, 1 << 10),
}
"""Keys of an entry of ``vision_towers``."""


def check_values(config: Mapping[str, Any], path: Path) -> None:
    """Raise unless every value of a ``config.json`` that matters can be used.

    Raises
    ------
    ConfigError
        Names the file and the dotted key, what was expected and what was found.

    """
    _check(config, RULES, '', path)
    _check(config.get('text_config') or {}, TEXT_RULES, 'text_config.', path)
    for i, tower in enumerate(config.get('vision_towers') or []):
        _check(tower, TOWER_RULES, f'vision_towers[{i}].', path)


def known_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a ``config.json`` that are read here, and no other.

    What else may stand there are habits of the library that wrote it (what a forward returns, how a
    quantized model was stored), and would be obeyed by the one that reads it.
    """
    values = {key: config[key] for key in RULES if key in config}
    text = values.get('text_config')
    if text is not None:
        values['text_config'] = {key: text[key] for key in TEXT_RULES if key in text}
    return values


def _check(values: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str, path: Path) -> None:
    for key, rule in rules.items():
        if key in values and not rule.holds(values[key]):
            raise ConfigError(f'{path}: {prefix}{key}: expected {rule.expected}, found '
                              f'{values[key]!r:.80}', path=path, key=f'{prefix}{key}')

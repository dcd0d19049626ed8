"""The action convention in a policy's configuration file."""

from __future__ import annotations

from collections.abc import Iterable

from vla_ros.core.types import ActionConvention, ActionFrame, ActionSpace, Rotation
from vla_ros.section import Section


def read_convention(section: Section) -> ActionConvention:
    """Return the convention of the section ``convention``, or raise ConfigError."""
    convention = ActionConvention(
        ActionSpace(choice(section, 'space', [kind.value for kind in ActionSpace])),
        ActionFrame(choice(section, 'frame', [kind.value for kind in ActionFrame])),
        Rotation(choice(section, 'rotation', [kind.value for kind in Rotation])),
        *(section.number(key) for key in ('translation_scale', 'rotation_scale', 'gripper_open',
                                          'gripper_closed')))
    section.close()
    return convention


def choice(section: Section, key: str, choices: Iterable[str]) -> str:
    """Return the text under ``key``, one of ``choices``, or raise ConfigError."""
    choices = tuple(choices)
    value = section.text(key)
    if value not in choices:
        raise section.error(key, f'one of {", ".join(choices)}', value)
    return value

"""What each control of a pad does: a file in ``config/teleop``, or one of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.resources import share_file, share_names
from vla_ros.section import Section
from vla_ros.teleop.controls import Button, Motion, Pair, Press, Stick, Trigger
from vla_ros.teleop.hand import Action

DIRECTIONS = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
"""What can be moved: along and about the axes of the chosen frame."""

_FOLDER = 'config/teleop'
_KEYS = ('description', 'deadman', 'keep_arm', 'button_events', 'dead_zone', 'motion', 'actions')


@dataclass(frozen=True)
class PadMapping:
    """What each control of a pad does.

    Attributes
    ----------
    path : Path
        The file.
    description : str
        For people.
    deadman : Press | None
        Held for every motion of the arm; None: the motion itself is the wish.
    keep_arm : bool
        Whether a motion keeps the arm until it is released.
    button_events : bool
        See :class:`~vla_ros.teleop.controls.Readings`.
    dead_zone : float
        Deflection that is none, 0 to 1.
    motion : Mapping[str, Motion]
        Direction -> control.
    actions : Mapping[Action, Press]
        What is done -> control.

    """

    path: Path
    description: str
    deadman: Press | None
    keep_arm: bool
    button_events: bool
    dead_zone: float
    motion: Mapping[str, Motion]
    actions: Mapping[Action, Press]

    def check(self, axes: int, buttons: int) -> None:
        """Raise ConfigError where a control is not among what the pad sends."""
        for key, control in self._controls():
            count, what = (buttons, 'button') if isinstance(control, Button) else (axes, 'axis')
            if what == 'button' and self.button_events:
                continue  # how many there are is not known
            if not control.index < count:
                choices = f'0 to {count - 1}' if count else 'none'
                raise ConfigError(
                    f'{self.path}: {key}: {what} {control.index} is not there: the pad sends '
                    f'{axes} axes and {buttons} buttons. Choices: {choices}. Is this the mapping '
                    f'of this pad? Mappings: {", ".join(mapping_names())}', path=self.path, key=key)

    def _controls(self) -> Sequence[tuple[str, Button | Trigger | Stick]]:
        found: list[tuple[str, Button | Trigger | Stick]] = []
        if self.deadman is not None:
            found.append(('deadman', self.deadman))
        for name, control in self.motion.items():
            if isinstance(control, Pair):
                found += [(f'motion.{name}.plus', control.plus),
                          (f'motion.{name}.minus', control.minus)]
            else:
                found.append((f'motion.{name}', control))
        return found + [(f'actions.{action.value}', control)
                        for action, control in self.actions.items()]


def mapping_names() -> list[str]:
    """Return the pads whose mappings come with the package."""
    return [name for name in share_names(_FOLDER, '.yaml')
            if not name.startswith(('keyboard', 'leader'))]


def find(kind: str, name: str, names: Sequence[str]) -> Path:
    """Return the file of a mapping: a name, or a path that ends in .yaml or .yml.

    Raises
    ------
    ConfigError
        When there is no such name; the message has the choices.

    """
    path = Path(name).expanduser()
    if path.suffix in ('.yaml', '.yml'):
        return path
    if name not in names:
        raise unknown_choice(f'{kind} mapping', name, names)
    return share_file(*_FOLDER.split('/'), f'{name}.yaml')


def load_mapping(name: str) -> PadMapping:
    """Load the mapping of a pad by name, or from a YAML file of your own.

    Raises
    ------
    ConfigError
        No such file, or a key is missing, unknown or badly typed; the message names file and key.

    """
    top = Section.open(find('pad', name, mapping_names()))
    keys = top.keys()
    for key in keys:
        if key not in _KEYS:
            raise unknown_choice(f'key in {top.path}:', key, _KEYS)
    deadman = top.mapping('deadman')
    dead_zone = top.number('dead_zone', least=0.0)
    if not dead_zone < 1.0:
        raise top.error('dead_zone', 'a number from 0 to less than 1', dead_zone)
    mapping = PadMapping(
        top.path, top.text('description'), _press(top, 'deadman') if deadman else None,
        top.flag('keep_arm'), top.flag('button_events'), dead_zone, _motion(top), _actions(top))
    top.close()
    return mapping


def _motion(top: Section) -> dict[str, Motion]:
    if not top.mapping('motion'):
        return {}
    section = top.section('motion')
    names = section.keys()
    for name in names:
        if name not in DIRECTIONS:
            raise unknown_choice(f'direction in {section.path}: motion', name, DIRECTIONS)
    return {name: _stick_or_pair(section, name) for name in names}


def _actions(top: Section) -> dict[Action, Press]:
    if not top.mapping('actions'):
        return {}
    section = top.section('actions')
    known = [action.value for action in Action]
    names = section.keys()
    for name in names:
        if name not in known:
            raise unknown_choice(f'action in {section.path}: actions', name, known)
    return {Action(name): _press(section, name) for name in names}


def _stick_or_pair(parent: Section, key: str) -> Motion:
    section = parent.section(key)
    keys = section.keys()
    if 'axis' in keys:
        index = section.whole_number('axis', least=0)
        inverted = section.flag('invert') if 'invert' in keys else False
        section.close()
        return Stick(index, -1.0 if inverted else 1.0)
    if set(keys) != {'plus', 'minus'}:
        raise parent.error(key, 'axis (and invert), or plus and minus', parent.mapping(key))
    return Pair(_press(section, 'plus'), _press(section, 'minus'))


def _press(parent: Section, key: str) -> Press:
    section = parent.section(key)
    keys = section.keys()
    if 'button' in keys:
        button = Button(section.whole_number('button', least=0))
        section.close()
        return button
    if 'axis' not in keys:
        raise parent.error(key, 'button, or axis with rest and pressed', parent.mapping(key))
    trigger = Trigger(section.whole_number('axis', least=0), section.number('rest'),
                      section.number('pressed'))
    section.close()
    if not abs(trigger.pressed - trigger.rest) > 0.0:
        raise parent.error(key, 'a pressed that is not rest', parent.mapping(key))
    return trigger

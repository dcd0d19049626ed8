"""Message types: those that a bag brings, and those that this package writes."""

from __future__ import annotations

from typing import Any

from vla_ros.core.errors import DependencyError, InputError

try:
    from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
    from rosbags.typesys import (
        Stores,
        TypesysError,
        get_types_from_idl,
        get_types_from_msg,
        get_typestore,
    )
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("bags are read and written with rosbags, which is not installed: "
                          "pip install 'vla_ros[bags]'") from error

_IDL_RULE = '=' * 80 + '\n'

KNOWN_TYPES = get_typestore(Stores.ROS2_HUMBLE)
"""The common messages as in Humble; those that this package uses have not changed since."""


def full_type(name: str) -> str:
    """Return ``pkg/msg/Name`` for a type that an old bag calls ``pkg/Name``."""
    package, slash, rest = name.partition('/')
    return f'{package}/msg/{rest}' if slash and '/' not in rest else name


def definition(text: str, name: str) -> tuple[str, str]:
    """Return text and hash (RIHS01) of a type, as :class:`BagWriter` takes them.

    Parameters
    ----------
    text : str
        Its fields and, each after a line of ``=`` and ``MSG: pkg/Name``, those of what it uses.
    name : str
        ``pkg/msg/Name``.

    Raises
    ------
    InputError
        When the text defines no type.

    """
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(get_types_from_msg(text, name))
        return store.generate_msgdef(name, ros_version=2)[0], store.hash_rihs01(name)
    except (TypesysError, KeyError) as error:
        raise InputError(f'{name}: cannot be recorded: {error}') from error


class MessageReader:
    """Turns the bytes of a bag's messages into messages.

    A definition that the bag brings comes first; the others are those of :data:`KNOWN_TYPES`.

    Parameters
    ----------
    definitions : dict[str, MessageDefinition]
        Type -> definition, as the bag has them.

    """

    def __init__(self, definitions: dict[str, MessageDefinition]) -> None:
        self._definitions = definitions
        self._stores: dict[str, Any] = {}

    def read(self, data: bytes, message_type: str, topic: str) -> Any:
        """Return the message of CDR ``data``, an object with the fields of its type.

        Raises
        ------
        InputError
            When nothing defines the type, or the data do not fit it.

        """
        name = full_type(message_type)
        store = self._stores.get(name)
        if store is None:
            store = self._stores[name] = self._store(name, topic)
        try:
            return store.deserialize_cdr(data, name)
        except Exception as error:  # SerdeError, struct.error and what else generated code raises
            raise InputError(f'{topic}: {len(data)} bytes are no {name}: {error}',
                             topic=topic) from error

    def _store(self, name: str, topic: str) -> Any:
        definition = self._definitions.get(name)
        if definition is not None and definition.format is not MessageDefinitionFormat.NONE:
            store = get_typestore(Stores.EMPTY)
            try:
                store.register(_parsed(definition, name))
            except TypesysError as error:
                raise InputError(f'{topic}: the bag defines {name} in a way that cannot be read: '
                                 f'{error}', topic=topic) from error
            return store
        if name not in KNOWN_TYPES.fielddefs:
            raise InputError(f'{topic}: nothing says what a {name} is: the bag brings no '
                             'definition, and it is none of the common messages', topic=topic)
        return KNOWN_TYPES


def _parsed(definition: MessageDefinition, name: str) -> Any:
    if definition.format is MessageDefinitionFormat.MSG:
        return get_types_from_msg(definition.data, name)
    if not definition.data.startswith(f'{_IDL_RULE}IDL: '):
        return get_types_from_idl(definition.data)
    found = {}
    for part in definition.data.split(_IDL_RULE)[1:]:
        found.update(get_types_from_idl(part.split('\n', 1)[1]))
    return found

"""The records of some ticks as a small text, and back.

The text is JSON, so that a recording can be read without this package::

    {"v": 1, "lost": 0, "t0": ns, "joints": [name, …], "columns": [name, …],
     "strings": [text, …], "sets": [[ns, …], …], "weights": [[…], …],
     "chunks": {stamp: {"arrival_ns", "source", "sources": {stream: ns}, "skew_ns"}, …},
     "ticks": [[…], …]}

A tick is a row, its values named by ``columns``. What keeps it small: times are in ns relative to
``t0`` (``time`` and the chunks' stamps in ``sets``) or back from the tick (``joint_state_age``,
``playhead_lag``); texts are places in ``strings``, ``chunks`` is a place in ``sets``, ``weights``
one in the table of that name. Numbers are whole: ``q`` [rad] and ``gripper`` [m] in millionths,
``velocity`` [rad/s] in hundred-thousandths, weights in ten-thousandths; ``effort`` [N] and
``speed`` have six decimals. Nothing is null but what is None in the record. Stamps need 64-bit
integers: a reader with doubles only, such as JavaScript, rounds them by up to 128 ns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vla_ros.core.errors import InputError, InvariantError
from vla_ros.core.provenance.records import ChunkRecord, ProvenanceBatch, TickRecord

VERSION = 1

COLUMNS = ('time', 'mode', 'level', 'reason', 'q', 'velocity', 'gripper', 'effort', 'acted',
           'chunks', 'weights', 'joint_state_age', 'playhead_lag', 'speed', 'intervention')
"""What the numbers of a tick's row are, in order."""

_MICRO = 1e6  # rad and m to whole millionths
_VELOCITY = 1e5
_WEIGHT = 1e4
_LARGEST = 2**53  # beyond it a double cannot tell two whole numbers apart
_INTEGER = re.compile(r'0|-?[1-9][0-9]{0,18}')
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(',', ':'), check_circular=False)


def encode(batch: ProvenanceBatch) -> str:
    """Return a batch as text, its numbers rounded as the module says.

    A field with a number that is not finite, or whose rounded value is 2^53 or more, is left out
    whole, and the tick's ``acted`` says so: NaN is no JSON, and a record that is refused helps
    nobody who looks for the cause.

    Raises
    ------
    InvariantError
        When a tick has another number of joints than there are names, or weights than chunks.

    """
    table = _Table()
    t0 = batch.ticks[0].stamp_ns if batch.ticks else 0
    ticks = [_row(tick, t0, len(batch.joints), table) for tick in batch.ticks]
    chunks = {str(c.stamp_ns): {'arrival_ns': c.arrival_ns, 'source': c.source,
                                'sources': dict(c.sources), 'skew_ns': c.skew_ns}
              for c in batch.chunks}
    return _ENCODER.encode({
        'v': VERSION, 'lost': batch.lost, 't0': t0, 'joints': batch.joints, 'columns': COLUMNS,
        'strings': list(table.strings), 'sets': list(table.sets), 'weights': list(table.weights),
        'chunks': chunks, 'ticks': ticks})


def decode(text: str) -> ProvenanceBatch:
    """Return the batch that a text stands for.

    Raises
    ------
    InputError
        When the text is not what :func:`encode` writes; the message names the place.

    """
    try:
        top = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f'provenance: not JSON: {error}') from None
    _expect(isinstance(top, dict), 'the text', 'an object')
    version = top.get('v')
    if type(version) is not int or version != VERSION:
        raise InputError(f'provenance: unknown version {version!r}; this one reads {VERSION}')
    if _list(top, 'columns') != list(COLUMNS):
        raise InputError(f'provenance: columns: expected {" ".join(COLUMNS)}')
    t0, lost = _integer(top.get('t0'), 't0'), _integer(top.get('lost'), 'lost')
    joints = tuple(_string(x, 'joints') for x in _list(top, 'joints'))
    strings = [_string(x, 'strings') for x in _list(top, 'strings')]
    sets = [tuple(t0 + x for x in _integers(row, 'sets')) for row in _list(top, 'sets')]
    weights = [tuple(x / _WEIGHT for x in _integers(row, 'weights', _LARGEST))
               for row in _list(top, 'weights')]
    _expect(isinstance(top.get('chunks'), dict), 'chunks', 'an object')
    chunks = tuple(_chunk(stamp, entry) for stamp, entry in top['chunks'].items())
    ticks = tuple(_tick(f'ticks[{i}]', row, t0, len(joints), strings, sets, weights)
                  for i, row in enumerate(_list(top, 'ticks')))
    return ProvenanceBatch(joints, chunks, ticks, lost)


# From a record to a row


class _Table:
    """Texts, chunks' stamps and weights of a batch, each once, by their place."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {}
        self.sets: dict[tuple[int, ...], int] = {}
        self.weights: dict[tuple[int, ...], int] = {}

    def string(self, text: str | None) -> int | None:
        return None if text is None else self.strings.setdefault(text, len(self.strings))

    def set(self, stamps: tuple[int, ...]) -> int:
        return self.sets.setdefault(stamps, len(self.sets))

    def weighing(self, weights: tuple[int, ...]) -> int:
        return self.weights.setdefault(weights, len(self.weights))


def _row(tick: TickRecord, t0: int, n: int, table: _Table) -> list[Any]:
    for name in ('q', 'velocity'):
        values = getattr(tick, name)
        if values is not None and len(values) != n:
            raise InvariantError(f'provenance: {name} has {len(values)} numbers for {n} joints')
    if tick.weights and len(tick.weights) != len(tick.chunk_stamps_ns):
        raise InvariantError(f'provenance: {len(tick.weights)} weights for '
                             f'{len(tick.chunk_stamps_ns)} chunks')
    left_out: list[str] = []
    opening = None if tick.gripper is None else (tick.gripper,)
    q = _scaled('q', tick.q, left_out)
    velocity = _scaled('velocity', tick.velocity, left_out, _VELOCITY)
    gripper = _scaled('gripper', opening, left_out)
    effort = _rounded('effort', tick.effort, left_out)
    weights = _scaled('weights', tick.weights, left_out, _WEIGHT)
    speed = _rounded('speed', tick.speed, left_out)

    string = table.string
    now, joint_state, playhead = tick.stamp_ns, tick.joint_state_stamp_ns, tick.playhead_ns
    return [
        now - t0, string(tick.mode), string(tick.level), string(tick.reason), q, velocity,
        gripper[0] if gripper else None, effort,
        [string(label) for label in (*tick.acted, *left_out)],
        table.set(tuple([stamp - t0 for stamp in tick.chunk_stamps_ns])),
        table.weighing(tuple(weights or ())),
        None if joint_state is None else now - joint_state,
        None if playhead is None else now - playhead, speed, string(tick.intervention)]


def _scaled(
    name: str, values: tuple[float, ...] | None, left_out: list[str], scale: float = _MICRO,
) -> list[int] | None:
    if values is None:
        return None
    try:
        scaled = [round(value * scale) for value in values]
    except (ValueError, OverflowError):  # round() of NaN and of infinity
        scaled = [_LARGEST]
    if scaled and not -_LARGEST < min(scaled) <= max(scaled) < _LARGEST:
        left_out.append(_not_recorded(name))
        return None
    return scaled


def _rounded(name: str, value: float | None, left_out: list[str]) -> float | None:
    if value is None:
        return None
    if not -_LARGEST < value * _MICRO < _LARGEST:
        left_out.append(_not_recorded(name))
        return None
    return round(value, 6)


def _not_recorded(name: str) -> str:
    return f'provenance: {name} is not finite or too large to be recorded'


# From a row to a record


def _tick(
    where: str, row: Any, t0: int, n: int, strings: list[str], sets: list[tuple[int, ...]],
    weights: list[tuple[float, ...]],
) -> TickRecord:
    _expect(isinstance(row, list) and len(row) == len(COLUMNS), where,
            f'a list of {len(COLUMNS)} values')
    at = {name: f'{where} {name}' for name in COLUMNS}
    value = dict(zip(COLUMNS, row, strict=True))

    def string(name: str) -> str | None:
        return None if value[name] is None else _place(value[name], strings, at[name])

    def scaled(name: str, scale: float) -> tuple[float, ...] | None:
        if value[name] is None:
            return None
        numbers = _integers(value[name], at[name], _LARGEST)
        _expect(len(numbers) == n, at[name], f'{n} integers, one a joint')
        return tuple(x / scale for x in numbers)

    def number(name: str) -> float | None:
        x = value[name]
        if x is None:
            return None
        _expect(type(x) in (int, float) and -_LARGEST < x < _LARGEST, at[name], 'a number or null')
        return float(x)

    def before(name: str) -> int | None:
        return None if value[name] is None else now - _integer(value[name], at[name])

    now = t0 + _integer(value['time'], at['time'])
    _expect(isinstance(value['acted'], list), at['acted'], 'a list')
    chunks = _place(value['chunks'], sets, at['chunks'])
    shares = _place(value['weights'], weights, at['weights'])
    _expect(len(shares) in (0, len(chunks)), at['weights'], f'{len(chunks)} of them, or none')
    mode, reason = string('mode'), string('reason')
    if mode is None or reason is None:
        raise InputError(f'provenance: {where}: mode and reason must not be null')
    gripper = None
    if value['gripper'] is not None:
        gripper = _integer(value['gripper'], at['gripper'], _LARGEST) / _MICRO
    return TickRecord(
        now, mode, string('level'), reason, scaled('q', _MICRO), scaled('velocity', _VELOCITY),
        gripper, number('effort'), tuple(_place(x, strings, at['acted']) for x in value['acted']),
        chunks, shares, before('joint_state_age'), before('playhead_lag'), number('speed'),
        string('intervention'))


def _chunk(stamp: str, entry: Any) -> ChunkRecord:
    where = f'chunks[{stamp!r}]'
    _expect(_INTEGER.fullmatch(stamp) is not None, where, 'a stamp in ns as its key')
    _expect(isinstance(entry, dict) and isinstance(entry.get('sources'), dict), where,
            'an object with arrival_ns, source, sources, skew_ns')
    sources = {stream: _integer(at, f'{where} sources {stream!r}')
               for stream, at in entry['sources'].items()}
    skew = entry.get('skew_ns')
    return ChunkRecord(
        int(stamp), _integer(entry.get('arrival_ns'), f'{where} arrival_ns'),
        _string(entry.get('source'), f'{where} source'), sources,
        None if skew is None else _integer(skew, f'{where} skew_ns'))


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise InputError(f'provenance: {where}: expected {what}')


def _refuse_constant(text: str) -> None:
    raise ValueError(f'{text} is not a number of JSON')


def _list(top: Mapping[str, Any], name: str) -> list[Any]:
    found = top.get(name)
    _expect(isinstance(found, list), name, 'a list')
    return found  # type: ignore[return-value]


def _integer(value: Any, where: str, bound: int = 2**65) -> int:
    # A bool is an int to Python, and an int without bound is no time and no angle.
    _expect(type(value) is int and -bound < value < bound, where, 'an integer')
    return int(value)


def _integers(values: Any, where: str, bound: int = 2**65) -> list[int]:
    _expect(isinstance(values, list), where, 'a list of integers')
    return [_integer(value, where, bound) for value in values]


def _string(value: Any, where: str) -> str:
    _expect(isinstance(value, str), where, 'a text')
    return str(value)


def _place(index: Any, table: Sequence[Any], where: str) -> Any:
    _expect(type(index) is int and 0 <= index < len(table), where,
            f'a place in a table of {len(table)}')
    return table[index]

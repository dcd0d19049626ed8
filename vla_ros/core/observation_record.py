"""What the policy node says of each chunk's observation, on the topic ``observation`` (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from vla_ros.core.errors import InputError


@dataclass(frozen=True)
class ObservationRecord:
    """From what a chunk was inferred; joined to it by its stamp.

    Attributes
    ----------
    stamp_ns : int
        The chunk's and the observation's time [ns].
    sources : Mapping[str, int]
        Stream -> time of the sample that was used [ns], corrected by the stream's latency.
    skew_ns : int
        Largest difference between the cameras' stamps [ns].
    instruction : str
        The task in words.
    infer_ms : float
        Time that the policy took [ms].

    """

    stamp_ns: int
    sources: Mapping[str, int] = field(default_factory=dict)
    skew_ns: int = 0
    instruction: str = ''
    infer_ms: float = 0.0

    def to_json(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(asdict(self), separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str, topic: str = 'observation') -> ObservationRecord:
        """Return the record that :meth:`to_json` wrote.

        Raises
        ------
        InputError
            When it is not JSON, or a key is missing, unknown or of the wrong type. The message
            names the topic.

        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f'{topic}: expected an observation record as JSON: {error}') from error
        names = [f.name for f in fields(cls)]
        if not isinstance(values, dict) or set(values) != set(names):
            found = ', '.join(values) if isinstance(values, dict) else type(values).__name__
            raise InputError(f'{topic}: expected a JSON object with {", ".join(names)}, found '
                             f'{found or "none"}')
        sources = values['sources']
        good = {
            'stamp_ns': _whole(values['stamp_ns']), 'skew_ns': _whole(values['skew_ns']),
            'sources': isinstance(sources, dict) and all(map(_whole, sources.values())),
            'instruction': isinstance(values['instruction'], str),
            'infer_ms': (_whole(values['infer_ms']) or isinstance(values['infer_ms'], float))}
        for name, ok in good.items():
            if not ok:
                raise InputError(f'{topic}: {name} cannot be {values[name]!r}')
        return cls(**values)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

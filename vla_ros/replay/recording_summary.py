"""What a recording has, and what it lacks, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_ros.replay.recorder import RecorderState

LOST = 'lost before the recorder got it'
"""Reason: the middleware says that it was published and did not arrive."""


@dataclass(frozen=True)
class RecordingSummary:
    """One bag.

    Attributes
    ----------
    path : Path
        Its folder.
    state : RecorderState
        How the recording ended, or is doing.
    written, sizes : Mapping[str, int]
        Topic -> messages, and bytes of messages.
    dropped : Mapping[str, Mapping[str, int]]
        Reason -> topic -> messages that are not in it.
    duration_s : float
        Between the first and the last message [s].
    bytes_on_disk : int
        All its files [bytes].
    error : str
        What the disk said.

    """

    path: Path
    state: RecorderState
    written: Mapping[str, int]
    sizes: Mapping[str, int]
    dropped: Mapping[str, Mapping[str, int]]
    duration_s: float
    bytes_on_disk: int
    error: str = ''

    @property
    def messages(self) -> int:
        """Messages in the bag."""
        return sum(self.written.values())

    @property
    def lacking(self) -> dict[str, int]:
        """Topic -> messages that are not in the bag, whatever the reason."""
        found: dict[str, int] = {}
        for topics in self.dropped.values():
            for topic, count in topics.items():
                found[topic] = found.get(topic, 0) + count
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        return {'path': str(self.path), 'state': self.state.value, 'messages': self.messages,
                'duration_s': round(self.duration_s, 3), 'bytes': self.bytes_on_disk,
                'written': dict(self.written), 'sizes': dict(self.sizes),
                'dropped': {reason: dict(topics) for reason, topics in self.dropped.items()},
                'error': self.error}

    def lines(self) -> list[str]:
        """Return it in words: one line a topic, and one for each reason to drop."""
        found = [f'{self.path}: {self.state.value}: {self.messages} messages of '
                 f'{self.duration_s:.1f} s, {self.bytes_on_disk / 1e6:.1f} MB on disk'
                 + (f' ({self.error})' if self.error else '')]
        lacking = self.lacking
        names = sorted({*self.written, *lacking})
        width = max(map(len, names), default=0)
        for name in names:
            size = self.sizes.get(name)
            found.append(f'  {name:<{width}} {self.written.get(name, 0):>8}'
                         + (f' {size / 1e6:>10.3f} MB' if size is not None else '')
                         + (f'  dropped {lacking[name]}' if lacking.get(name) else ''))
        found += [f'  dropped, {reason}: ' + ', '.join(
            f'{count} of {topic}' for topic, count in sorted(topics.items()))
            for reason, topics in self.dropped.items() if topics]
        return found

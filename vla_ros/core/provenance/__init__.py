"""Where every command came from: a record a tick, many of them in a small text, and back."""

from vla_ros.core.provenance.intervals import (
    Interval,
    ModeInterval,
    intervals,
    mode_intervals,
    segments,
)
from vla_ros.core.provenance.records import ChunkRecord, ProvenanceBatch, TickRecord
from vla_ros.core.provenance.text import COLUMNS, VERSION, decode, encode
from vla_ros.core.provenance.writer import ProvenanceWriter

__all__ = ['COLUMNS', 'VERSION', 'ChunkRecord', 'Interval', 'ModeInterval', 'ProvenanceBatch',
           'ProvenanceWriter', 'TickRecord', 'decode', 'encode', 'intervals', 'mode_intervals',
           'segments']

"""By which yardstick an open-loop replay measures: ``config/replay/open_loop.yaml``."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.resources import share_file
from vla_ros.section import Positive, Section, build


@dataclass(frozen=True)
class OpenLoopSettings:
    """The values of the file, which says what they are."""

    horizon_threshold: Positive
    gripper_window: Positive
    trials: int
    named_below: Positive
    worth_naming: Positive
    line_below: Positive
    stands_still: Positive
    same_answer: Positive
    ignored: Positive
    other_instruction: str
    golden_same: Positive
    golden_precision: Positive


def open_loop_settings() -> OpenLoopSettings:
    """Return the settings that are shipped."""
    return build(OpenLoopSettings,
                 Section.open(share_file('config', 'replay', 'open_loop.yaml')))

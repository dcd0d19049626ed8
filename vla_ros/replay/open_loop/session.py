"""One replay from the bag to the result: both passes, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vla_ros.core.policy_description import convention_to_json
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagObservations
from vla_ros.replay.open_loop import causes
from vla_ros.replay.open_loop.metrics import metrics, spreads, units_of
from vla_ros.replay.open_loop.result import Inference, OpenLoopResult
from vla_ros.replay.open_loop.run import Answers, Pace, Reference, ReplayedPolicy, ask_all, sample
from vla_ros.replay.open_loop.settings import OpenLoopSettings
from vla_ros.replay.open_loop.suggestions import Evidence, suggestions
from vla_ros.replay.open_loop.trials import (
    ablation_trials,
    ask_again,
    counterfactual_trials,
)


@dataclass(frozen=True, eq=False)
class Session:
    """What a replay needs.

    Attributes
    ----------
    bag : Bag
        Open.
    observations : Callable[[], BagObservations]
        Begins anew at the first message with every call.
    policy : ReplayedPolicy
        Warmed up.
    identity : Mapping[str, str]
        Of the policy, for the result.
    reference : Reference
        What its chunks are compared with, in its numbers.
    against_why : str
        Why with these.
    pace : Pace
        Which observations.
    settings : OpenLoopSettings
        Yardsticks.
    ablate : bool
        Whether inputs are taken away.
    others : Mapping[str, ReplayedPolicy]
        Statistics key -> the policy with that key.
    objection : Callable[[str, tuple[int, int]], str]
        (camera, (height, width)) -> what is wrong with pictures of that size, or nothing.
    recorded_dt_ns : int | None
        Time between two recorded steps [ns], where chunks are compared with.
    picture_hz : float | None
        Rate of the slowest camera.
    notes : tuple[str, ...]
        For the result.
    quiet : bool
        Whether no progress is shown.

    """

    bag: Bag
    observations: Callable[[], BagObservations]
    policy: ReplayedPolicy
    identity: Mapping[str, str]
    reference: Reference
    against_why: str
    pace: Pace
    settings: OpenLoopSettings
    ablate: bool = False
    others: Mapping[str, ReplayedPolicy] = field(default_factory=dict)
    objection: Callable[[str, tuple[int, int]], str] = lambda camera, size: ''
    recorded_dt_ns: int | None = None
    picture_hz: float | None = None
    notes: tuple[str, ...] = ()
    quiet: bool = False

    def run(self) -> OpenLoopResult:
        """Replay the bag.

        Raises
        ------
        InputError
            When the bag cannot be read, or no observation could be answered.

        """
        answers = ask_all(self.observations(), self.policy, self.reference, self.pace, self.quiet)
        spec, rows = self.policy.spec, answers.rows
        measured = metrics(rows, spec.dims, spec.convention, spec.dt_ns, len(answers.missed),
                           self.settings)
        evidence = self._evidence(answers, measured)
        return OpenLoopResult(
            str(self.bag.path), self.bag.start_ns, dict(self.identity),
            json.loads(convention_to_json(spec.convention)), spec.dims,
            units_of(spec.dims, spec.convention), spec.dt_ns, rows[0].predicted.shape[0],
            self.reference.kind, self.against_why, tuple(rows), tuple(answers.missed),
            (*self.notes, *answers.notes), measured, tuple(evidence.ablations),
            (*evidence.counterfactuals, *(c for _, c in evidence.scales)), suggestions(evidence))

    def _evidence(self, answers: Answers, measured: object) -> Evidence:
        spec, rows, s = self.policy.spec, answers.rows, self.settings
        reference = np.stack([row.reference for row in rows])
        spread = spreads(reference, spec.dims, spec.convention)
        objections = [text for camera, size in answers.sizes.items()
                      if (text := self.objection(camera, size))]
        common = {'metrics': measured, 'settings': s, 'dt_ns': spec.dt_ns,
                  'horizon': rows[0].predicted.shape[0], 'dims': spec.dims,
                  'recorded_dt_ns': self.recorded_dt_ns, 'picture_hz': self.picture_hz,
                  'image_objections': objections}
        wrong = bool(np.nanmax(np.abs(np.stack([r.predicted for r in rows]) - reference)
                               / np.where(spread > 0, spread, np.inf), initial=0.0)
                     > s.worth_naming)
        asked, again = [], {}
        tests = counterfactual_trials(self.policy, self.others) if wrong else []
        removals = ablation_trials(self.policy, s.other_instruction) if self.ablate else []
        if tests or removals:
            asked = sample(rows, s.trials)
            again = ask_again(self.observations(), asked, [*tests, *removals], self.policy,
                              self.quiet)
        found = causes.from_trials(tests, again, asked, spread) if tests else []
        if wrong:
            found += self._on_paper(rows)
        return Evidence(
            **common, counterfactuals=found,  # type: ignore[arg-type]
            scales=causes.common_scale(rows, spec.dims, spec.convention, spread) if wrong else [],
            fits=causes.fits(rows, spec.dims, spread) if wrong else [],
            ablations=causes.ablations(removals, again, spread) if removals else [])

    def _on_paper(self, rows: list[Inference]) -> list[causes.Counterfactual]:
        """Return the counterfactuals for which nobody has to be asked again."""
        spec = self.policy.spec
        found = causes.other_times(rows, self.reference, spec.dims, spec.convention, spec.dt_ns,
                                   self.recorded_dt_ns)
        flipped = causes.gripper_flipped(rows, spec.dims, spec.convention)
        return [*found, flipped] if flipped else found

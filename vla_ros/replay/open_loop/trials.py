"""The policy is asked again about some observations, each changed in one way.

What undoes a mistake brings the error down (counterfactuals); what takes an input away shows
whether the policy looks at it (ablations).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.types import Observation
from vla_ros.progress import Progress
from vla_ros.replay.bag_observations import BagObservations
from vla_ros.replay.open_loop.run import Inference, ReplayedPolicy

Change = Callable[[Observation], Observation]

AS_IT_IS = 'as it is'


@dataclass(frozen=True, eq=False)
class Trial:
    """One way to ask again.

    Attributes
    ----------
    cause : str
        What it undoes or takes away.
    detail : str
        In words.
    change : Change
        Of the observation.
    policy : ReplayedPolicy
        Who is asked.

    """

    cause: str
    detail: str
    change: Change
    policy: ReplayedPolicy


def counterfactual_trials(policy: ReplayedPolicy,
                          others: Mapping[str, ReplayedPolicy]) -> list[Trial]:
    """Return the ways to undo a mistake; ``others`` are statistics key -> policy with that key."""
    cameras = policy.spec.cameras
    found = []
    if cameras:
        found += [Trial('channels', 'red and blue exchanged', _images(lambda rgb: rgb[..., ::-1]),
                        policy),
                  Trial('upside_down', 'pictures turned by 180 degrees',
                        _images(lambda rgb: rgb[::-1, ::-1]), policy)]
    found += [Trial('cameras', f'{a} and {b} exchanged', _exchanged(a, b), policy)
              for a, b in combinations(cameras, 2)]
    found += [Trial('statistics_key', f'statistics of {key}', _same, other)
              for key, other in others.items()]
    return found


def ablation_trials(policy: ReplayedPolicy, other_instruction: str) -> list[Trial]:
    """Return the ways to take an input away."""
    found = []
    if policy.spec.cameras:
        found.append(Trial('black images', 'every picture black', _images(np.zeros_like), policy))
    found.append(Trial('other instruction', repr(other_instruction),
                       lambda seen: replace(seen, instruction=other_instruction), policy))
    return [*found, Trial('first state', 'the state of the first observation', _Held(), policy)]


def ask_again(observations: BagObservations, rows: Sequence[Inference], trials: Sequence[Trial],
              policy: ReplayedPolicy, quiet: bool = False) -> dict[str, list[np.ndarray | None]]:
    """Return, by a trial's detail, its answers (H, D) to the observations of these rows.

    The unchanged answers are under ``as it is``: they are asked for anew, since an observation may
    differ from that of the first pass by what came later. None where there is no answer.
    """
    asked = [Trial(AS_IT_IS, AS_IT_IS, _same, policy), *trials]
    out: dict[str, list[np.ndarray | None]] = {trial.detail: [] for trial in asked}
    stamps = [row.stamp_ns for row in rows]
    with Progress('looking for causes', len(stamps) * len(asked), 'inferences', quiet) as progress:
        for seen in observations.at_stamps(stamps):
            for trial in asked:
                progress.advance()
                out[trial.detail].append(_answer(trial, seen.observation))
    return out


def _answer(trial: Trial, observation: Observation | None) -> np.ndarray | None:
    if observation is None:
        return None
    try:
        return trial.policy.infer(trial.change(observation)).actions
    except InputError:
        return None  # such an input is refused: nothing can be said of it


def _same(observation: Observation) -> Observation:
    return observation


def _images(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(observation: Observation) -> Observation:
        images = {camera: np.ascontiguousarray(change(rgb))
                  for camera, rgb in observation.images.items()}
        return replace(observation, images=images)

    return changed


def _exchanged(a: str, b: str) -> Change:
    def changed(observation: Observation) -> Observation:
        images = dict(observation.images)
        images[a], images[b] = images[b], images[a]
        return replace(observation, images=images)

    return changed


class _Held:
    """Gives every observation the state of the first one."""

    def __init__(self) -> None:
        self._state: Mapping[str, np.ndarray] | None = None

    def __call__(self, observation: Observation) -> Observation:
        if self._state is None:
            self._state = dict(observation.state)
        return replace(observation, state=self._state)

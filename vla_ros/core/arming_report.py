"""The verdict of a comparison, which may be asked for before an arm is armed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from vla_ros.core.errors import InputError
from vla_ros.core.policy_identity import PolicyIdentity

KIND, VERSION = 'arming_report', 1


@dataclass(frozen=True)
class ArmingReport:
    """Whether a policy kept its limits, and which policy that was.

    Attributes
    ----------
    passed : bool
        Whether all limits were kept.
    identity : PolicyIdentity
        Of the policy that was tried.
    bag : str
        What it was tried on.
    shortfalls : tuple[str, ...]
        Limits that were not kept, in words.
    limits : tuple[str, ...]
        All of them, in words.

    """

    passed: bool
    identity: PolicyIdentity
    bag: str
    shortfalls: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps({
            'kind': KIND, 'version': VERSION, 'passed': self.passed,
            'identity': self.identity.as_dict(), 'bag': self.bag,
            'shortfalls': self.shortfalls, 'limits': self.limits}, indent=2)

    @classmethod
    def from_json(cls, text: str, source: str) -> ArmingReport:
        """Return the report that :meth:`to_json` wrote.

        Raises
        ------
        InputError
            When it is something else, or says that it passed with limits that were not kept.

        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(f'{source}: not JSON: {error}', source=source) from error
        if not isinstance(values, dict) or values.get('kind') != KIND:
            raise InputError(f'{source}: not an arming report; vla-ros replay --verdict writes one',
                             source=source)
        if values.get('version') != VERSION:
            raise InputError(f'{source}: version {values.get("version")!r}; this one reads '
                             f'{VERSION}', source=source)
        passed, bag = values.get('passed'), values.get('bag')
        shortfalls, limits = values.get('shortfalls'), values.get('limits')
        if not (isinstance(passed, bool) and isinstance(bag, str)
                and isinstance(shortfalls, list) and isinstance(limits, list)):
            raise InputError(f'{source}: expected passed, bag, shortfalls and limits',
                             source=source)
        if passed and (shortfalls or not limits):
            raise InputError(f'{source}: says that it passed, with '
                             f'{"limits not kept" if shortfalls else "no limit"}', source=source)
        return cls(passed, PolicyIdentity.of(values.get('identity'), source), bag,
                   _texts(shortfalls), _texts(limits))

    def objection(self, announced: PolicyIdentity | None) -> str:
        """Return why the policy that announces itself so may not move an arm; empty when it may."""
        if not self.passed:
            return f'the policy fell short: {"; ".join(self.shortfalls) or "no reason is given"}'
        if announced is None:
            return 'the running policy does not say which one it is'
        different = self.identity.differences(announced)
        if different:
            return f'it is about another policy: {"; ".join(different)} as announced'
        return ''


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))

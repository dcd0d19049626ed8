"""Lets an arm be armed only for a policy that kept its limits in a replay."""

from __future__ import annotations

from pathlib import Path

from vla_ros.core.arming_report import ArmingReport
from vla_ros.core.errors import InputError
from vla_ros.core.policy_identity import PolicyIdentity


class ArmingGate:
    """Reads an arming report and holds it against the policy that runs.

    The file is read each time that somebody asks: a new verdict counts at once.

    Parameters
    ----------
    path : str
        The file; empty: nothing is asked for.

    Attributes
    ----------
    announced : PolicyIdentity | None
        Of the policy that runs, as it said; None: it did not.

    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.announced: PolicyIdentity | None = None

    def objection(self) -> str:
        """Return why the policy may not move the arm, naming the file; empty when it may."""
        if not self._path:
            return ''
        path = Path(self._path).expanduser()
        try:
            report = ArmingReport.from_json(path.read_text(encoding='utf-8'), str(path))
        except (OSError, UnicodeDecodeError) as error:
            return f'arming_report {path}: cannot be read: {error}'
        except InputError as error:
            return f'arming_report {error}'
        why = report.objection(self.announced)
        return f'arming_report {path}: {why}' if why else ''

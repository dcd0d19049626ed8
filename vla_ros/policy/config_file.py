"""Which file configures a policy: one of ``config/policies`` by its name, or any by its path."""

from __future__ import annotations

from pathlib import Path

from vla_ros.core.errors import unknown_choice
from vla_ros.resources import share_file, share_names


def is_path(given: str | Path) -> bool:
    """Return whether that is a path rather than a name: it has a suffix or a folder."""
    path = Path(given)
    return bool(path.suffix) or len(path.parts) > 1


def config_file(policy: str, given: str | Path | None = None) -> Path:
    """Return the configuration file of a policy.

    Parameters
    ----------
    policy : str
        ``scripted``, ``openvla``, …
    given : path, optional
        The path of a YAML file, which need not exist, or a name in ``config/policies``; default
        the one that is named as the policy.

    Raises
    ------
    ConfigError
        When there is no file of that name; the message lists those of this kind of policy.

    """
    given = given or policy
    if is_path(given):
        return Path(given).expanduser()
    family = policy.partition('_')[0]
    names = [name for name in share_names('config/policies', '.yaml') if name.startswith(family)]
    if given not in names:
        raise unknown_choice('policy_config (or the path of a YAML file)', given, names)
    return share_file('config', 'policies', f'{given}.yaml')

"""Which policy exactly that is; see :class:`vla_ros.core.policy_identity.PolicyIdentity`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_ros.core.policy_identity import PolicyIdentity
from vla_ros.policy.fingerprint import folder_fingerprint
from vla_ros.policy.protocol import Policy

_WEIGHTS = ('.safetensors', '.pt', '.pth', '.bin')


def identity_of(policy: Policy) -> PolicyIdentity:
    """Return the identity of a policy; one that does not say more is known by its name."""
    found = getattr(policy, 'identity', None)
    return found if isinstance(found, PolicyIdentity) else PolicyIdentity(policy.spec.name)


def weights_hash(*folders: Path) -> str:
    """Return one hash for all files with weights in these folders.

    It does not depend on where the folders lie. Of a large file, size and ends are read.
    """
    prints = [(name, value) for folder in dict.fromkeys(folders)
              for name, value in folder_fingerprint(folder).items() if name.endswith(_WEIGHTS)]
    return short_hash(sorted(prints))


def statistics_hash(key: str, statistics: Mapping[str, Any]) -> str:
    """Return the dataset key and a hash of its statistics."""
    return f'{key}:{short_hash(statistics)}'


def short_hash(value: Any) -> str:
    """Return 16 hexadecimal digits for what JSON or ``repr`` can write."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

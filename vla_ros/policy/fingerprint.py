"""Which checkpoint that was: hashes of its files that cost no reading of gigabytes.

Small files (configuration, statistics, tokenizer) are hashed whole. Of a large one (weights), its
size, its first MiB and its last MiB are: a file of tensors begins with the list of them, so another
architecture, precision or length shows. Two trainings of one model differ in the last MiB, which
holds trained numbers; a change between the two is not seen.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from vla_ros.core.errors import InputError

WHOLE_BYTES = 8 << 20
"""Files up to this are hashed whole."""

_END_BYTES = 1 << 20


def file_fingerprint(path: Path) -> str:
    """Return ``sha256:…`` of a file's content, or ``sha256-ends:…`` of a large file's ends.

    Raises
    ------
    InputError
        When it cannot be read.

    """
    try:
        size = path.stat().st_size
        with path.open('rb') as file:
            if size <= WHOLE_BYTES:
                return f'sha256:{hashlib.sha256(file.read()).hexdigest()}'
            digest = hashlib.sha256(size.to_bytes(8, 'little'))
            digest.update(file.read(_END_BYTES))
            file.seek(-_END_BYTES, 2)
            digest.update(file.read(_END_BYTES))
            return f'sha256-ends:{digest.hexdigest()}'
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error}', path=path) from error


def folder_fingerprint(folder: Path) -> dict[str, str]:
    """Return the fingerprint of each file of a checkpoint by its path in the folder.

    Hidden files and folders (``.git``, caches) are left out.

    Raises
    ------
    InputError
        When there is no such folder or one of its files cannot be read.

    """
    if not folder.is_dir():
        raise InputError(f'{folder}: no such directory on this machine', path=folder)
    found = {}
    for path in sorted(folder.rglob('*')):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith('.') for part in inside.parts):
            found[str(inside)] = file_fingerprint(path)
    return found

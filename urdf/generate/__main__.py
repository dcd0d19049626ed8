"""Writes the URDF files beside this folder: ``python urdf/generate [--check]``.

``--check`` writes nothing and fails when a file on disk is not what would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import piper
import ur

URDF_FOLDER = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='only compare with the files on disk')
    check = parser.parse_args().check
    stale = []
    for name, text in {**piper.models(), **ur.models()}.items():
        path = URDF_FOLDER / f'{name}.urdf'
        if not check:
            path.write_text(text, encoding='utf-8')
        elif not path.is_file() or path.read_text(encoding='utf-8') != text:
            stale.append(path.name)
    if stale:
        print(f'not up to date: {", ".join(stale)}; run `python urdf/generate`', file=sys.stderr)
    return 1 if stale else 0


if __name__ == '__main__':
    sys.exit(main())

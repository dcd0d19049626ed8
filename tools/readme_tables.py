"""Writes the tables of the README and docs/nodes.md that come from the code.

``--check`` writes nothing and fails when a file is not what would be written.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from vla_ros.bringup import ARGUMENTS
from vla_ros.ros.parameter_spec import table

ROOT = Path(__file__).resolve().parent.parent
FILES = ('README.md', 'docs/nodes.md')


def arguments() -> str:
    """Return the bring-up's arguments as a Markdown table."""
    rows = [f'| `{a.name}` | `{a.default}` | {a.description} |' if a.default
            else f'| `{a.name}` | | {a.description} |' for a in ARGUMENTS]
    return '\n'.join(['| argument | default | |', '|---|---|---|', *rows]) + '\n'


def updated(text: str) -> str:
    """Return a file's text with its tables made anew."""
    def block(match: re.Match[str]) -> str:
        kind, _, node = match[1].partition(' ')
        body = arguments() if kind == 'arguments' else table(node)
        return f'<!-- {match[1]} -->\n{body}<!-- end -->'

    return re.sub(r'<!-- (arguments|parameters \w+) -->\n.*?<!-- end -->', block, text,
                  flags=re.DOTALL)


def main() -> int:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true')
    check = parser.parse_args().check
    old = []
    for name in FILES:
        path = ROOT / name
        before = path.read_text(encoding='utf-8')
        after = updated(before)
        if before == after:
            continue
        old.append(name)
        if not check:
            path.write_text(after, encoding='utf-8')
    if old and check:
        print(f'{" and ".join(old)}: not up to date, run python tools/readme_tables.py',
              file=sys.stderr)
    return int(bool(old) and check)


if __name__ == '__main__':
    sys.exit(main())

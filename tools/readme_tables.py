"""Writes the tables of README.md that come from the code: ``python tools/readme_tables.py``.

``--check`` writes nothing and fails when the README is not what would be written.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from vla_ros.bringup import ARGUMENTS
from vla_ros.ros.parameter_spec import table

README = Path(__file__).resolve().parent.parent / 'README.md'


def arguments() -> str:
    """Return the bring-up's arguments as a Markdown table."""
    rows = [f'| `{a.name}` | `{a.default}` | {a.description} |' if a.default
            else f'| `{a.name}` | | {a.description} |' for a in ARGUMENTS]
    return '\n'.join(['| argument | default | |', '|---|---|---|', *rows]) + '\n'


def updated(text: str) -> str:
    """Return the README's text with its tables made anew."""
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
    before = README.read_text(encoding='utf-8')
    after = updated(before)
    if parser.parse_args().check:
        if before != after:
            print('README.md is not up to date: run python tools/readme_tables.py',
                  file=sys.stderr)
        return int(before != after)
    README.write_text(after, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())

"""The README says what the code says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from vla_ros.resources import share_names

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def test_the_tables_are_those_of_the_code():
    done = subprocess.run([sys.executable, str(ROOT / 'tools/readme_tables.py'), '--check'],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr


def test_every_node_has_its_table_of_parameters():
    for node in share_names('config/nodes', '.yaml'):
        assert f'<!-- parameters {node} -->\n| parameter' in README


def test_every_picture_it_shows_is_there():
    shown = re.findall(r'!\[[^\]]*\]\(([^)]+)\)', README)
    assert shown
    for path in shown:
        assert (ROOT / path).is_file(), path

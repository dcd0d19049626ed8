"""The README and the pages in docs say what the code says, and their links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vla_ros.resources import share_names

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]


def test_the_tables_are_those_of_the_code():
    done = subprocess.run([sys.executable, str(ROOT / 'tools/readme_tables.py'), '--check'],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr


def test_every_node_has_its_table_of_parameters():
    nodes = (ROOT / 'docs/nodes.md').read_text(encoding='utf-8')
    for node in share_names('config/nodes', '.yaml'):
        assert f'<!-- parameters {node} -->\n| parameter' in nodes


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_every_picture_and_page_it_points_to_is_there(page):
    targets = re.findall(r'\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)', page.read_text(encoding='utf-8'))
    for target in targets:
        if not re.match(r'[a-z]+:', target):
            assert (page.parent / target).is_file(), target


def test_the_readme_points_to_every_page_in_docs():
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    for page in sorted((ROOT / 'docs').glob('*.md')):
        assert f'(docs/{page.name}' in readme, page.name

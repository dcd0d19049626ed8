"""``vla-ros report`` leaves a page and says where, or says what is wrong with its exit status."""

from __future__ import annotations

import importlib.util

import pytest

from vla_ros.cli.main import main

for name in ('rosbags', 'matplotlib'):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f'{name} is not installed', allow_module_level=True)


def test_the_page_is_written_and_its_path_printed(shared, tmp_path, capsys):
    bag = shared / 'data' / 'bags' / 'nav2_mcap_zstd'
    if not bag.is_dir():
        pytest.skip(f'no bag at {bag}')
    assert main(['report', str(bag), '--out', str(tmp_path / 'out')]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(tmp_path / 'out' / 'report.html')
    assert captured.err == '', 'no progress where nobody looks'
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'neither provenance nor modes' in page


@pytest.mark.parametrize(('arguments', 'status', 'words'), [
    (['{tmp}/none'], 2, 'no such bag'),
    (['{tmp}/text.mcap'], 1, 'not a bag file'),
    (['{tmp}/text.mcap', '--robot', 'pipper'], 2, 'pipper'),
])
def test_what_cannot_be_reported_is_refused(tmp_path, capsys, arguments, status, words):
    (tmp_path / 'text.mcap').write_text('hello')
    given = [text.format(tmp=tmp_path) for text in arguments]
    assert main(['report', *given, '--out', str(tmp_path / 'out')]) == status
    assert words in capsys.readouterr().err


@pytest.mark.parametrize('command', [['replay', '--policy', 'scripted'], ['timing']])
def test_a_report_that_cannot_be_written_is_refused_before_the_replay(tmp_path, capsys, command):
    verb, *more = command
    (tmp_path / 'file').write_text('')
    status = main([verb, str(tmp_path / 'no bag'), *more, '--report', str(tmp_path / 'file')])
    assert status == 2
    assert 'out: cannot write to' in capsys.readouterr().err

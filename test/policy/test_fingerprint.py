"""Two checkpoints that differ have different fingerprints, and a large one is not read in full."""

from __future__ import annotations

import pytest

from vla_ros.core.errors import InputError
from vla_ros.policy.fingerprint import WHOLE_BYTES, file_fingerprint, folder_fingerprint


def large(path, change=None):
    size = WHOLE_BYTES + 4096
    with path.open('wb') as file:
        file.truncate(size)
        if change is not None:
            file.seek(change)
            file.write(b'x')
    return path


def test_a_small_file_is_hashed_whole(tmp_path):
    path = tmp_path / 'config.json'
    path.write_bytes(b'{}')
    # sha256sum of the two bytes
    assert file_fingerprint(path) == ('sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e83'
                                      '10c060f61caaff8a')


@pytest.mark.parametrize('change', [0, 1000, (1 << 20) - 1, WHOLE_BYTES + 4095, WHOLE_BYTES])
def test_a_change_at_either_end_of_a_large_file_shows(tmp_path, change):
    before = file_fingerprint(large(tmp_path / 'a'))
    assert before.startswith('sha256-ends:')
    assert file_fingerprint(large(tmp_path / 'b', change)) != before
    assert file_fingerprint(large(tmp_path / 'c')) == before


def test_a_large_file_of_another_length_shows(tmp_path):
    a, b = large(tmp_path / 'a'), large(tmp_path / 'b')
    with b.open('r+b') as file:
        file.truncate(WHOLE_BYTES + 8192)
    assert file_fingerprint(a) != file_fingerprint(b)


def test_a_large_file_is_not_read_in_full(tmp_path):
    """The middle is not looked at: that is what makes it cheap, and what the docs say."""
    assert file_fingerprint(large(tmp_path / 'a')) == file_fingerprint(
        large(tmp_path / 'b', WHOLE_BYTES // 2))


def test_a_folder_is_known_by_its_files_without_the_hidden_ones(tmp_path):
    for name in ('config.json', 'sub/weights.bin', '.git/HEAD', 'sub/.cache/x'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(folder_fingerprint(tmp_path)) == ['config.json', 'sub/weights.bin']


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match='missing'):
        file_fingerprint(tmp_path / 'missing')
    with pytest.raises(InputError, match='no such directory'):
        folder_fingerprint(tmp_path / 'missing')

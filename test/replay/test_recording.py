"""A recording session: bags that begin with what was said before, and what is kept in memory."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter

import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.messages import serialized
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.record_queue import Importance, LiveMessage
from vla_ros.replay.recorder import DiskReserve, RecorderState
from vla_ros.replay.recording import RecordingSession, RecordingSettings
from vla_ros.replay.recording_summary import LOST
from vla_ros.replay.topic_choice import STRING

SECOND, MB = 10 ** 9, 10 ** 6
ROOM = {Importance.COMMAND: MB, Importance.STATE: MB, Importance.PICTURE: 200 * MB}
TEXT = serialized(messages.text('x'), STRING)


def settings(folder, **changes):
    given = {'part_bytes': 100 * MB, 'part_ns': 600 * SECOND, 'room': ROOM,
             'reserve': DiskReserve(20 * MB, 10 * MB), **changes}
    return RecordingSettings(folder, **given)


def session(folder, free=10 ** 12, **changes):
    return RecordingSession(settings(folder, **changes), ['/instruction', '/tf_static'],
                            ['/tf_static'], lambda: free)


def text(at, topic='/said', data=TEXT):
    return LiveMessage(topic, STRING, at, data, Importance.COMMAND)


def picture(at, size=MB):
    return LiveMessage('/image', IMAGE, at, TEXT + bytes(size), Importance.PICTURE)


def records(path):
    with Bag(path) as bag:
        return [(r.topic, r.receive_ns) for r in bag.records()]


def test_a_bag_begins_with_what_was_said_before_it(tmp_path):
    recording = session(tmp_path)
    recording.offer(text(5, '/instruction'))
    recording.offer(text(6))
    path = recording.begin('bag', 7 * SECOND)
    recording.offer(text(8 * SECOND))
    summary = recording.end()
    assert records(path) == [('/instruction', 7 * SECOND), ('/said', 8 * SECOND)]
    assert summary.state is RecorderState.STOPPED
    assert summary.written == {'/instruction': 1, '/said': 1} and not summary.dropped
    assert summary.bytes_on_disk == sum(f.stat().st_size for f in path.iterdir())


def test_what_came_before_time_began_is_kept_if_it_still_holds(tmp_path):
    recording = session(tmp_path)
    recording.hold(text(0, '/instruction'))
    recording.hold(text(0))
    path = recording.begin('bag', SECOND)
    recording.end()
    assert records(path) == [('/instruction', SECOND)]


def test_several_bags_follow_each_other_and_none_is_written_over(tmp_path):
    recording = session(tmp_path)
    recording.begin('one', 1)
    with pytest.raises(ConfigError, match='recording already'):
        recording.begin('two', 1)
    recording.end()
    with pytest.raises(ConfigError, match='exists already'):
        recording.begin('one', 1)
    recording.begin('two', 1)
    recording.end()
    with pytest.raises(ConfigError, match='no recording runs'):
        recording.end()
    assert {path.name for path in tmp_path.iterdir()} == {'one', 'two'}


def test_files_are_completed_after_a_time(tmp_path):
    recording = session(tmp_path, part_ns=10 * SECOND)
    path = recording.begin('bag', 1)
    for i in range(1, 35):
        recording.offer(text(i * SECOND))
    recording.end()
    assert len(list(path.glob('*.mcap'))) == 4
    assert len(records(path)) == 34


def test_metadata_tell_what_was_noted_and_what_was_dropped(tmp_path):
    recording = session(tmp_path)
    recording.note(git='abc')
    path = recording.begin('bag', 1)
    recording.note(config='def')
    recording.offer(text(1))
    recording.lose('/said', 3)
    summary = recording.end()
    with Bag(path) as bag:
        notes = bag.custom
    assert (notes['git'], notes['config']) == ('abc', 'def')
    assert json.loads(notes['dropped']) == {LOST: {'/said': 3}}
    assert summary.lacking == {'/said': 3}
    assert any('dropped 3' in line for line in summary.lines())
    assert any(LOST in line for line in summary.lines())


def test_nothing_is_written_until_the_last_seconds_are_asked_for(tmp_path):
    recording = session(tmp_path, keep_ns=2 * SECOND, ring_bytes=100 * MB)
    recording.offer(text(1, '/instruction'))
    for i in range(100):
        recording.offer(text(i * SECOND // 10))
    assert list(tmp_path.iterdir()) == []
    summary = recording.save('saved', {'reason': 'fault'})
    assert summary.duration_s == pytest.approx(2.0)
    with Bag(summary.path) as bag:
        assert bag.topics['/said'].count == 21 and bag.topics['/instruction'].count == 1
        assert bag.custom['reason'] == 'fault'
        first = next(bag.records())
        assert first.topic == '/instruction' and bag.duration_s == pytest.approx(2.0)


def test_what_was_said_within_the_kept_seconds_keeps_its_time(tmp_path):
    recording = session(tmp_path, keep_ns=5 * SECOND, ring_bytes=100 * MB)
    for at in (1, 2 * SECOND, 8 * SECOND):
        recording.offer(text(at, '/instruction', serialized(messages.text(str(at)), STRING)))
    recording.offer(text(10 * SECOND))
    path = recording.save('saved').path
    with Bag(path) as bag:
        said = [(r.receive_ns, bag.message(r).data) for r in bag.records(['/instruction'])]
    assert said == [(8 * SECOND, str(2 * SECOND)), (8 * SECOND, str(8 * SECOND))]


def test_a_nearly_full_disk_costs_the_pictures_of_a_save_and_it_says_so(tmp_path):
    recording = session(tmp_path, free=22 * MB, keep_ns=60 * SECOND, ring_bytes=100 * MB)
    for i in range(5):
        recording.offer(picture(i * SECOND))
        recording.offer(text(i * SECOND))
    summary = recording.save('saved')
    assert summary.written == {'/said': 5}
    assert summary.dropped['the disk is nearly full'] == {'/image': 5}
    assert Counter(topic for topic, _ in records(summary.path)) == {'/said': 5}


def test_a_full_disk_refuses_a_save_with_the_reason(tmp_path):
    recording = session(tmp_path, free=5 * MB, keep_ns=60 * SECOND, ring_bytes=100 * MB)
    recording.offer(text(1))
    with pytest.raises(InputError, match='not saved: 5 MB are free, and 10 MB stay free'):
        recording.save('saved')
    assert list(tmp_path.iterdir()) == []


def test_time_that_begins_anew_empties_the_memory(tmp_path):
    recording = session(tmp_path, keep_ns=60 * SECOND, ring_bytes=100 * MB)
    recording.offer(text(50 * SECOND, '/instruction'))
    recording.offer(text(51 * SECOND))
    recording.offer(text(SECOND))
    path = recording.save('saved').path
    assert records(path) == [('/instruction', SECOND), ('/said', SECOND)]


def test_asking_for_the_last_seconds_without_keeping_any_says_how(tmp_path):
    with pytest.raises(ConfigError, match='keep_last_s is 0'):
        session(tmp_path).save('saved')


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot make the folder'):
        session(tmp_path / 'file' / 'bags')


@pytest.fixture
def small_disk(tmp_path):
    """A real filesystem of 24 MB."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = shutil.which('mount')
    if mount is None or subprocess.run([mount, '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk],
                                       capture_output=True).returncode:
        pytest.skip('a filesystem of its own cannot be mounted here (needs root)')
    yield disk
    subprocess.run(['umount', '-l', disk], check=True)


def test_a_real_disk_that_fills_up_loses_pictures_first_and_leaves_a_complete_bag(small_disk):
    recording = RecordingSession(settings(
        small_disk, reserve=DiskReserve(10 * MB, 4 * MB), part_bytes=5 * MB), [])
    path = recording.begin('bag', 1)
    for i in range(60):
        recording.offer(picture(i * SECOND + 1))
        recording.offer(text(i * SECOND + 1))
    summary = recording.end()
    assert summary.written['/said'] == 60
    assert 0 < summary.written['/image'] < 20
    assert summary.dropped['the disk is nearly full']['/image'] == 60 - summary.written['/image']
    assert shutil.disk_usage(small_disk).free > 4 * MB
    assert Counter(topic for topic, _ in records(path)) == summary.written


def test_a_real_disk_without_any_space_left_keeps_the_files_that_were_complete(small_disk):
    """The reserve is what somebody else has taken meanwhile."""
    recording = RecordingSession(settings(
        small_disk, reserve=DiskReserve(0, 0), part_bytes=4 * MB), [])
    path = recording.begin('bag', 1)
    for i in range(60):
        recording.offer(picture(i * SECOND + 1))
    summary = recording.end()
    assert summary.state is RecorderState.FAILED and 'space' in summary.error
    assert summary.dropped['the recording had ended']['/image'] > 0
    kept = records(path)
    assert 8 <= len(kept) <= summary.written['/image']
    assert [at for _, at in kept] == [i * SECOND + 1 for i in range(len(kept))]

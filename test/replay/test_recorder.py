"""Recording: bounded memory, commands before pictures, and a disk that is slow, full or broken."""

from __future__ import annotations

import errno
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.latched import Latched
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE
from vla_ros.replay.record_queue import Importance, LiveMessage, RecordQueue, importance_of
from vla_ros.replay.recorder import DiskReserve, Recorder, RecorderState
from vla_ros.replay.ring_buffer import RingBuffer, save_ring
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY

MIB = 1 << 20
ROOM = {Importance.COMMAND: MIB, Importance.STATE: MIB, Importance.PICTURE: 2 * MIB}
PLENTY = 10 ** 12
RESERVE = DiskReserve(pictures=30 * MIB, all=10 * MIB)
CDR = b'\x00\x01\x00\x00'
TEXT = CDR + b'\x02\x00\x00\x00x\x00'


def message(importance=Importance.COMMAND, at=1, size=0, topic=None):
    names = {Importance.COMMAND: ('/joint_command', JOINT_STATE),
             Importance.STATE: ('/joint_states', JOINT_STATE),
             Importance.PICTURE: ('/camera/image', IMAGE)}
    name, kind = names[importance]
    return LiveMessage(topic or name, kind, at, CDR + bytes(size), importance)


class FakeDisk:
    """A sink that may be full, or broken from the n-th message on."""

    def __init__(self, free=PLENTY, broken_from=None):
        self.free, self.broken_from = free, broken_from
        self.written: list[LiveMessage] = []
        self.ended: list[str] = []

    def write(self, topic, message_type, receive_ns, data, definition=None):
        if self.broken_from is not None and len(self.written) >= self.broken_from:
            raise OSError(errno.ENOSPC, 'No space left on device')
        self.written.append((topic, receive_ns))
        self.free -= len(data)

    def close(self):
        self.ended.append('closed')

    def abort(self):
        self.ended.append('aborted')

    def free_bytes(self):
        return self.free


def recorder(disk, room=ROOM):
    return Recorder(disk, room, disk.free_bytes, RESERVE)


def drain(recording):
    while recording.write_next(wait=False):
        pass


def test_disk_that_never_answers_costs_pictures_and_no_command():
    """Nothing is written at all here: the queue alone must keep what matters."""
    disk = FakeDisk()
    recording = recorder(disk)
    for i in range(1000):
        assert recording.offer(message(Importance.COMMAND, at=i, size=200))
        recording.offer(message(Importance.PICTURE, at=i, size=100_000))
    report = recording.report()
    dropped = report.dropped['the writer is slower than what comes']
    assert set(dropped) == {'/camera/image'} and dropped['/camera/image'] > 900
    assert any('dropped, the writer is slower' in line for line in report.lines())
    drain(recording)
    assert Counter(topic for topic, _ in disk.written) == {
        '/joint_command': 1000, '/camera/image': 1000 - dropped['/camera/image']}


def test_slow_disk_gets_the_commands_first():
    disk = FakeDisk()
    recording = recorder(disk)
    for i in range(5):
        recording.offer(message(Importance.PICTURE, at=i, size=1000))
        recording.offer(message(Importance.STATE, at=i))
        recording.offer(message(Importance.COMMAND, at=i))
    drain(recording)
    assert [topic for topic, _ in disk.written] == (
        ['/joint_command'] * 5 + ['/joint_states'] * 5 + ['/camera/image'] * 5)


def test_offering_does_not_wait_for_a_disk_that_hangs():
    hangs, reached = threading.Event(), threading.Event()

    class Hanging(FakeDisk):
        def write(self, *args, **kwargs):
            reached.set()
            assert hangs.wait(60)
            super().write(*args, **kwargs)

    disk = Hanging()
    recording = recorder(disk)
    recording.start()
    recording.offer(message(at=0))
    assert reached.wait(60)
    for i in range(1, 500):  # would block for ever if any of it waited for the disk
        recording.offer(message(at=i))
    assert disk.written == []
    hangs.set()
    report = recording.stop()
    assert report.written == {'/joint_command': 500}
    assert report.state is RecorderState.STOPPED and disk.ended == ['closed']


def test_disk_that_fills_up_first_loses_pictures_then_ends_complete():
    disk = FakeDisk(free=40 * MIB)
    recording = recorder(disk)
    states = []
    for i in range(80):
        recording.offer(message(Importance.PICTURE, at=i, size=MIB))
        recording.offer(message(Importance.COMMAND, at=i, size=MIB // 2))
        drain(recording)
        states.append(recording.report().state)
    assert list(dict.fromkeys(states)) == [
        RecorderState.RECORDING, RecorderState.NO_PICTURES, RecorderState.FULL]
    assert disk.ended == ['closed'], 'the bag is completed while there is space for it'
    assert 8 * MIB < disk.free < 10 * MIB
    report = recording.report()
    assert report.dropped['the disk is nearly full'].keys() == {'/camera/image'}
    assert report.dropped['the recording had ended']['/joint_command'] > 0
    offered = 2 * 80
    assert offered == sum(report.written.values()) + sum(
        count for topics in report.dropped.values() for count in topics.values())


def test_pictures_come_back_when_space_does():
    disk = FakeDisk(free=20 * MIB)
    recording = recorder(disk)
    for i in range(6):
        if i == 3:
            disk.free = PLENTY
        recording.offer(message(Importance.PICTURE, at=i, size=MIB))
        drain(recording)
    assert recording.report().state is RecorderState.RECORDING
    assert [at for _, at in disk.written][-1] == 5
    assert recording.report().dropped['the disk is nearly full']['/camera/image'] >= 3


def test_disk_that_refuses_ends_the_recording_and_says_why():
    disk = FakeDisk(broken_from=3)
    recording = recorder(disk)
    for i in range(10):
        recording.offer(message(at=i))
        drain(recording)
    report = recording.stop()
    assert report.state is RecorderState.FAILED and disk.ended == ['aborted']
    assert 'No space left' in report.lines()[0]
    assert report.written == {'/joint_command': 3}
    assert report.dropped['the recording had ended'] == {'/joint_command': 7}


def test_what_waits_is_written_before_the_bag_is_completed(tmp_path):
    bag = BagWriter(tmp_path / 'bag', max_bytes=20_000)
    recording = Recorder(bag, ROOM, lambda: PLENTY, RESERVE)
    recording.start()
    for i in range(300):
        assert recording.offer(LiveMessage('/text', STRING, i + 1, TEXT, Importance.COMMAND))
    assert recording.stop().written == {'/text': 300}
    with Bag(tmp_path / 'bag') as found:
        assert [record.receive_ns for record in found.records()] == list(range(1, 301))


def test_type_that_cannot_be_written_does_not_kill_the_thread_in_silence(tmp_path):
    recording = Recorder(BagWriter(tmp_path / 'bag'), ROOM, lambda: PLENTY, RESERVE)
    recording.start()
    recording.offer(LiveMessage('/odd', 'odd/msg/Odd', 1, TEXT, Importance.COMMAND))
    report = recording.stop()
    assert report.state is RecorderState.FAILED and 'odd/msg/Odd' in report.error


@given(st.lists(st.tuples(st.sampled_from(list(Importance)), st.integers(0, 3000)), max_size=80))
def test_queue_never_holds_more_than_its_room_and_loses_count_of_nothing(items):
    room = {Importance.COMMAND: 4000, Importance.STATE: 3000, Importance.PICTURE: 8000}
    queue = RecordQueue(room)
    taken, used = [], Counter()
    for i, (kind, size) in enumerate(items):
        fits = used[kind] + message(kind, size=size).size <= room[kind]
        assert queue.put(message(kind, at=i, size=size)) == fits
        used[kind] += message(kind, size=size).size if fits else 0
    while (found := queue.take(wait=False)) is not None:
        taken.append(found)
    assert len(taken) + sum(queue.dropped.values()) == len(items)
    assert [m.importance for m in taken] == sorted(m.importance for m in taken)
    for kind in Importance:
        assert [m.receive_ns for m in taken if m.importance is kind] == sorted(
            m.receive_ns for m in taken if m.importance is kind)


def test_reserve_that_would_end_before_it_drops_pictures_is_refused():
    with pytest.raises(ConfigError, match='must be from 0 to'):
        DiskReserve(pictures=5, all=6)


def test_queue_without_room_for_commands_is_refused():
    with pytest.raises(ConfigError, match='no room for command'):
        RecordQueue({Importance.STATE: 1, Importance.PICTURE: 1})


@pytest.mark.parametrize(('topic', 'kind', 'expected'), [
    ('/camera/wrist/image_raw', IMAGE, Importance.PICTURE),
    ('/camera/wrist/image_raw/compressed', COMPRESSED_IMAGE, Importance.PICTURE),
    ('/joint_states', JOINT_STATE, Importance.STATE),
    ('/joint_command', JOINT_STATE, Importance.COMMAND),
    ('/action_chunk', TRAJECTORY, Importance.COMMAND), ('/mode', STRING, Importance.COMMAND)])
def test_importance_follows_from_type_and_name(topic, kind, expected):
    assert importance_of(topic, kind) is expected


SECOND = 10 ** 9


def test_ring_keeps_the_last_seconds_and_what_was_said_once():
    ring = RingBuffer(2 * SECOND, 10 ** 9, Latched({'/instruction'}))
    ring.add(message(at=1, topic='/instruction'))
    for i in range(100):
        ring.add(message(at=i * SECOND // 10))
    said, kept = ring.contents()
    assert [m.topic for m in said] == ['/instruction']
    assert [m.receive_ns for m in kept] == [i * SECOND // 10 for i in range(79, 100)]


def test_ring_that_is_short_of_memory_gives_up_pictures_first_and_says_so():
    ring = RingBuffer(60 * SECOND, 100_000)
    for i in range(100):
        ring.add(message(Importance.PICTURE, at=i * SECOND // 10, size=5000))
        ring.add(message(Importance.COMMAND, at=i * SECOND // 10, size=200))
    kept = Counter(m.importance for m in ring.contents()[1])
    assert kept[Importance.COMMAND] == 100
    assert 0 < kept[Importance.PICTURE] < 20
    assert ring.early == {'/camera/image': 100 - kept[Importance.PICTURE]}
    assert sum(m.size for m in ring.contents()[1]) <= 100_000
    assert ring.seconds(Importance.PICTURE) < 2 < 9 < ring.seconds(Importance.COMMAND)


def test_saved_ring_is_a_bag_without_a_silence_at_its_beginning(tmp_path):
    ring = RingBuffer(SECOND, 10 ** 9, Latched({'/instruction'}))
    ring.add(LiveMessage('/instruction', STRING, 1, TEXT, Importance.COMMAND))
    for i in range(100):
        ring.add(LiveMessage('/text', STRING, (100 + i) * SECOND // 10, TEXT, Importance.COMMAND))
    assert save_ring(ring, tmp_path / 'bag', {'reason': 'fault'}) == {
        '/instruction': 1, '/text': 11}
    with Bag(tmp_path / 'bag') as bag:
        assert bag.topics['/instruction'].count == 1
        assert bag.duration_s == pytest.approx(1.0)
        assert bag.custom == {'reason': 'fault'}
    with pytest.raises(InputError, match='nothing to save'):
        save_ring(RingBuffer(SECOND, 100), tmp_path / 'other')

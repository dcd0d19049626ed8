"""A recording's report names what went wrong and why, and the page holds what the numbers say."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.bag import Bag
from vla_ros.report import write_bag_report
from vla_ros.report.bag_figures import unit_of
from vla_ros.report.bag_numbers import bag_numbers
from vla_ros.report.bag_page import identity
from vla_ros.report.findings import find
from vla_ros.report.gather import gather

JOINTS_GONE = 'joint_states: older than 0.15 s'


def report_of(path):
    with Bag(path) as bag:
        return bag_numbers(gather(bag))


def texts(report, severity=None):
    return [f['text'] for f in report['findings'] if severity in (None, f['severity'])]


def test_a_run_in_which_nothing_goes_wrong_is_called_so(tell):
    report = report_of(tell())
    assert report['verdict']['word'] == 'Nothing wrong found'
    assert not texts(report, 'bad') and not texts(report, 'middle')
    assert report['mode_totals']['AUTONOMOUS']['duration_s'] == pytest.approx(7.5, abs=0.05)
    assert report['robot'] == 'piper'


def test_a_silent_driver_is_a_hold_of_that_length_and_the_gap_is_its_cause(tell):
    report = report_of(tell(no_joints=(2.0, 4.0)))
    finding = next(f for f in report['findings'] if JOINTS_GONE in f['text'])
    assert finding['text'] == f'HOLD for 1.8 s at 2.2 s: {JOINTS_GONE}'
    assert finding['severity'] == 'middle'
    assert '/joint_states has no message for 2.02 s' in finding['why']
    assert 'driver did not send' in finding['why']


def test_joint_states_that_are_recorded_and_yet_old_point_at_the_way_to_the_node(tell, tmp_path):
    """The recorder heard them in time, so the driver sent them."""
    silent, whole = tell('silent', no_joints=(2.0, 4.0)), tell('whole')
    from vla_ros.replay.bag_writer import BagWriter

    with BagWriter(tmp_path / 'mixed') as out:
        for path, wanted in ((whole, lambda t: t != '/provenance'),
                             (silent, lambda t: t == '/provenance')):
            with Bag(path) as bag:
                for record in bag.records():
                    if wanted(record.topic):
                        out.write(record.topic, record.type, record.receive_ns, record.data)
    finding = next(f for f in report_of(tmp_path / 'mixed')['findings'] if JOINTS_GONE in f['text'])
    assert 'without a gap at that time' in finding['why']


def test_a_person_who_closes_what_the_policy_never_would_is_named(tell):
    report = report_of(tell(person=(3.0, 5.0)))
    assert texts(report, 'bad') == [
        'The policy never asked to close the gripper; a person closed it at 3.0 s.']
    assert report['intervention_totals'] == {
        'gripper': {'count': 1, 'duration_s': pytest.approx(2.0)}}
    assert report['interventions'][0]['what'] == 'gripper override: panel latched'
    assert [report['interventions'][0][key] for key in ('source', 'mode')] == ['panel', 'latched']
    assert report['gripper_events'] == [{'time_s': 3.0, 'what': 'closes', 'who': 'a person'}]


def test_a_policy_that_closes_by_itself_is_not_accused(tell):
    report = report_of(tell(policy_closes=True))
    assert report['gripper_events'] == [{'time_s': 3.0, 'what': 'closes', 'who': 'the policy'}]
    assert not texts(report, 'bad')


def test_a_camera_that_repeats_its_picture_while_the_arm_moves_has_frozen(tell):
    report = report_of(tell(frozen=(2.0, 3.5)))
    assert texts(report, 'bad') == ['/camera/wrist/image_raw: froze for 1.4 s at 2.0 s']
    assert [f['topic'] for f in report['freezes']] == ['/camera/wrist/image_raw']


def test_chunks_that_come_when_their_steps_are_past_are_counted(tell):
    report = report_of(tell(late_chunks=(2.0, 3.0)))
    assert '5 of 40 chunks arrived when all their steps were past' in texts(report, 'bad')
    assert report['chunks']['late_for_all'] == 5
    arrival = report['latencies']['observation to chunk at the control node']
    assert arrival['most_ms'] == pytest.approx(900.0)
    assert arrival['p50_ms'] == pytest.approx(50.0, rel=0.03)
    assert report['latencies']['inference']['most_ms'] == pytest.approx(890.0)


def test_a_stop_is_bad_and_gives_its_reason(tell):
    report = report_of(tell(stopped=6.0))
    assert texts(report, 'bad') == ['STOPPED for 2.0 s at 6.0 s: emergency stop: panel']
    assert report['verdict']['kind'] == 'bad'


def test_arm_and_gripper_taken_at_once_are_two_interventions(tell):
    report = report_of(tell(takeover=(2.0, 4.0), person=(3.0, 5.0)))
    assert [(i['kind'], i['source'], i['mode'], round(i['time_s'], 2), round(i['duration_s'], 2))
            for i in report['interventions']] == [
        ('takeover', 'joystick', 'twist', 2.0, 2.0),
        ('gripper override', 'panel', 'latched', 3.0, 2.0)]
    assert report['mode_totals']['INTERVENTION']['duration_s'] == pytest.approx(2.0)
    assert 'People intervened 2 times, 4.0 s in all' in texts(report, 'middle')[0]


def test_an_emergency_stop_is_named_with_its_time_and_length(tell):
    report = report_of(tell(estop=(3.0, 5.0)))
    assert '/estop: emergency stop pressed for 2.0 s at 3.0 s' in texts(report, 'bad')


def test_limiters_are_counted_by_name_and_placed_in_time(tell):
    report = report_of(tell(limiter=(2.0, 4.0)))
    entry = report['limiters']['limiters']['speed # > # m/s']
    assert entry['ticks'] == 100
    share, width = entry['share'], report['limiters']['bin_s']
    active = [i * width for i, value in enumerate(share) if value > 0]
    assert min(active) == pytest.approx(2.0, abs=width)
    assert max(active) == pytest.approx(4.0, abs=2 * width)


def test_simulated_time_is_the_time_line_and_ages_are_not_made_up(tell):
    report = report_of(tell(simulated=True, no_joints=(2.0, 4.0)))
    hold = next(m for m in report['modes'] if m['reason'] == JOINTS_GONE)
    assert hold['time_s'] == pytest.approx(2.16, abs=0.05)
    assert report['inputs']['/joint_states']['age'] is None
    assert any('different clocks' in text for text in texts(report))


def test_without_provenance_the_announced_modes_serve_and_nothing_is_invented(tell):
    report = report_of(tell(provenance=False, person=(3.0, 5.0)))
    assert report['modes'][0]['mode'] == 'HOLD'
    assert report['interventions'] == []
    assert report['limiters']['ticks'] == 0


def test_what_a_recording_does_not_tell_is_none_and_no_zero(tell):
    chunks = report_of(tell(provenance=False))['chunks']
    assert (chunks['count'], chunks['arrived'], chunks['used']) == (40, None, None)
    told = report_of(tell('told'))['chunks']
    assert (told['arrived'], told['asked_closed']) == (40, 0)


def test_a_recording_without_events_shows_its_start_middle_and_end(tell, tmp_path):
    page = write_bag_report(tell(provenance=False), tmp_path / 'out', quiet=True)
    moments = json.loads((page.parent / 'report.json').read_text())['moments']
    assert [(m['kind'], round(m['time_s'])) for m in moments] == [
        ('start', 0), ('middle', 4), ('end', 8)]
    assert all(len(m['pictures']) == 2 for m in moments)


def test_a_gripper_that_is_no_width_is_not_called_millimetres():
    assert unit_of('gripper', {'value': [0.07, None]}) == (1e3, 'mm')
    assert unit_of('gripper', {'value': [0.0, 1.0]}) == (1.0, 'as recorded')
    assert unit_of('yaw', {'value': [3.0]}) == (1.0, 'rad')


def test_a_provenance_that_cannot_be_read_is_said_and_the_rest_is_reported(tell, tmp_path):
    from vla_ros.replay import messages
    from vla_ros.replay.bag_writer import BagWriter
    from vla_ros.replay.topic_choice import STRING

    with BagWriter(tmp_path / 'odd') as out, Bag(tell()) as bag:
        for record in bag.records():
            out.write(record.topic, record.type, record.receive_ns, record.data)
        out.write_message('/provenance', STRING, bag.end_ns + 1, messages.text('{"v": 7}'))
    report = report_of(tmp_path / 'odd')
    assert any('unknown version 7' in text for text in texts(report))
    assert report['mode_totals']['AUTONOMOUS']['count'] == 1


@pytest.mark.parametrize(('level', 'told'), [(0, False), (1, True)])
def test_an_arm_that_pressed_against_something_is_told(tell, tmp_path, level, told):
    from vla_ros.replay.bag_writer import BagWriter
    from vla_ros.replay.message_types import KNOWN_TYPES

    kind = 'diagnostic_msgs/msg/Diagnostic'
    types, text = KNOWN_TYPES.types, 'the arm has stood still for 1.2 s, told to go on'
    with Bag(tell()) as bag, BagWriter(tmp_path / 'pressed') as out:
        for record in bag.records():
            out.write(record.topic, record.type, record.receive_ns, record.data)
        stamp = types['builtin_interfaces/msg/Time'](0, 0)
        for second, name in ((3, 'arm'), (4, 'arm'), (3, 'loop')):
            out.write_message(
                '/diagnostics', f'{kind}Array', bag.start_ns + second * 10**9,
                types[f'{kind}Array'](types['std_msgs/msg/Header'](stamp, ''), [
                    types[f'{kind}Status'](level, f'control_node: {name}', text, 'piper', [])]))
    found = [f for f in report_of(tmp_path / 'pressed')['findings'] if text in f['text']]
    assert [(f['severity'], f['why']) for f in found] == (
        [('middle', '2 reports above OK.')] if told else [])
    assert all(f['text'].startswith('control_node: arm: WARN') and f['time_s'] == 3.0
               for f in found)


def test_every_finding_is_of_a_known_severity_and_the_worst_come_first(tell):
    with Bag(tell(no_joints=(2.0, 4.0), frozen=(5.0, 6.5), stopped=7.0)) as bag:
        found = find(gather(bag))
    order = ['bad', 'middle', 'note', 'good']
    ranks = [order.index(f.severity) for f in found]
    assert ranks == sorted(ranks)
    assert {f.topic for f in found} >= {'mode', 'camera'}


@pytest.mark.parametrize('name', ['test_bag_sqlite3', 'test_bag_mcap'])
def test_a_public_bag_of_malformed_pictures_is_reported_with_them(shared, name):
    path = shared / 'data' / 'bags' / 'rosbags_rs' / 'tests' / 'test_bags' / name
    if not path.is_dir():
        pytest.skip(f'no bag at {path}')
    report = report_of(path)
    assert len([t for t in texts(report, 'bad') if 'first picture cannot be used' in t]) == 2


def test_a_bag_that_tells_nothing_of_the_arm_gets_no_verdict(shared):
    path = shared / 'data' / 'bags' / 'nav2_mcap_zstd'
    if not path.is_dir():
        pytest.skip(f'no bag at {path}')
    report = report_of(path)
    assert (report['verdict']['word'], report['verdict']['kind']) == ('No verdict', 'plain')
    assert 'neither provenance nor modes' in report['verdict']['first']


class Page(HTMLParser):
    """Everything that a page loads, and whether its tags are closed."""

    VOID = ('meta', 'img', 'br', 'path', 'use', 'rect')

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [value for key, value in attrs if key in ('src', 'data', 'poster', 'href')]
        self.loads += [value for key, value in attrs if key == 'xlink:href']

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope='module')
def written(tmp_path_factory, write_story):
    folder = tmp_path_factory.mktemp('written')
    path = write_story(folder / 'bag', no_joints=(2.0, 4.0), person=(5.0, 6.0), frozen=(6.5, 7.5))
    page = write_bag_report(path, folder / 'out', 'piper', quiet=True)
    return page, json.loads((page.parent / 'report.json').read_text())


def test_the_page_is_whole_and_loads_nothing(written):
    page, _ = written
    text = page.read_text()
    parser = Page()
    parser.feed(text)
    assert parser.open == []
    assert all(value.startswith(('data:', '#')) for value in parser.loads), parser.loads
    assert 'http' not in re.sub(r'xmlns(:\w+)?="[^"]*"', '', text)
    assert '<script' not in text
    assert len(text) < 1_000_000


def test_text_from_the_bag_is_escaped_on_the_page(written):
    page, _ = written
    assert 'hang it &lt;b&gt;' in page.read_text()
    assert 'a policy &amp; more' in page.read_text()


def test_the_page_says_every_finding_of_the_json_and_shows_hashes_and_versions(written):
    page, report = written
    text = page.read_text()
    assert len(report['findings']) >= 4
    for finding in report['findings']:
        assert finding['text'].replace('&', '&amp;').replace('>', '&gt;') in text
    assert 'sha256:abc' in text and 'vla_ros 9.9' in text and 'rate_hz' in text


def test_the_head_tells_two_runs_apart_by_versions_and_short_hashes():
    line = identity({'versions': {'vla_ros': '1.2', 'numpy': '2'}, 'git': 'ab' * 20 + '-dirty',
                     'config': 'sha256:' + 'cd' * 32, 'robot': {'/x/piper.yaml': 'sha256:12'},
                     'parameters': {'/node': {'rate_hz': 1}}, 'not_answered': []})
    assert line == ('vla_ros 1.2 · git ababababab-dirty · config sha256:cdcdcdcdcd · '
                    'robot piper.yaml sha256:12')
    assert identity({}) == ''


def test_the_moments_have_pictures_of_their_time_and_the_json_has_not(written):
    page, report = written
    kinds = {m['kind'] for m in report['moments']}
    assert {'intervention', 'frozen', 'mode HOLD'} <= kinds
    for moment in report['moments']:
        assert [p['camera'] for p in moment['pictures']] == ['third_person', 'wrist']
        assert all(abs(p['offset_s']) <= 0.1 for p in moment['pictures'])
        assert 'jpeg' not in moment['pictures'][0]
    assert page.read_text().count('data:image/jpeg') == 2 * len(report['moments'])


def test_the_csv_files_hold_the_numbers_of_the_json(written):
    page, report = written

    def read(name):
        with (page.parent / f'{name}.csv').open(encoding='utf-8') as file:
            return list(csv.DictReader(file))

    assert [row['reason'] for row in read('modes')] == [m['reason'] for m in report['modes']]
    assert [row['text'] for row in read('findings')] == [f['text'] for f in report['findings']]
    curve = report['curves']['measured']['joint1']
    rows = [row for row in read('curves') if (row['group'], row['name']) == ('measured', 'joint1')]
    assert [float(row['value']) for row in rows] == [v for v in curve['value'] if v is not None]
    assert {row['topic'] for row in read('inputs')} == set(report['inputs'])


def test_a_long_silence_breaks_the_line_of_a_curve(written):
    _, report = written
    curve = report['curves']['measured']['joint1']
    assert curve['value'].count(None) == 1
    at = curve['time_s'][curve['value'].index(None)]
    assert at == pytest.approx(2.0, abs=0.05)


def test_an_unknown_robot_is_refused_before_the_bag_is_read(tell, tmp_path):
    with pytest.raises(ConfigError, match='pipper'):
        write_bag_report(tell(), tmp_path / 'out', 'pipper', quiet=True)


def test_what_is_no_bag_is_refused(tmp_path):
    (tmp_path / 'text.mcap').write_text('hello')
    with pytest.raises(InputError, match='not a bag file'):
        write_bag_report(tmp_path / 'text.mcap', tmp_path / 'out', quiet=True)


def test_a_folder_that_cannot_be_written_is_named(tell, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot write to'):
        write_bag_report(tell(), tmp_path / 'file', quiet=True)

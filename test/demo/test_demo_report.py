"""Report and page hold verdict and numbers, and the page needs nothing from outside."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from demo_recordings import LABEL, made_up_recording

pytest.importorskip('matplotlib')

from PIL import Image

from vla_ros.demo.page import render
from vla_ros.demo.plot import draw_joints
from vla_ros.demo.recording import HEIGHTS, Recording
from vla_ros.demo.report import build_report
from vla_ros.demo.sequence import Outcome, TaskResult
from vla_ros.demo.verdict import judge
from vla_ros.page.style import BANDS, COLOURS

RUN = {'robot': 'piper', 'seed': 3, 'command': 'vla-ros demo --tasks "a <b>"',
       'started': '2030-01-01', 'machine': {'cores': '2'}, 'versions': {'numpy': '2'}}
RESULTS = [TaskResult('pick up the insulator', Outcome.SUCCESS, 1_000_000_000, 3_500_000_000,
                      'held <5 cm>')]


def report(recording=None, results=RESULTS, **more):
    return build_report(judge(results), results, recording or made_up_recording(), RUN, **more)


def rgb(colour):
    return tuple(bytes.fromhex(colour.lstrip('#')))


class Links(HTMLParser):
    """Everything that a page loads or points at, and whether its tags are closed."""

    VOID = ('meta', 'img', 'br')

    def __init__(self) -> None:
        super().__init__()
        self.loads, self.links, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key in ('src', 'data', 'poster') or (tag == 'link' and key == 'href'):
                self.loads.append(value)
            elif key == 'href':
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_counts_from_the_first_instruction_in_the_units_of_its_keys():
    numbers = report()
    assert numbers['verdict'] == {'word': 'SUCCESS', 'success': True, 'exit_status': 0,
                                  'reason': '1 of 1 task done in 2.5 s'}
    assert numbers['tasks'][0]['start_s'] == 0.0
    assert numbers['tasks'][0]['duration_s'] == pytest.approx(2.5)
    assert numbers['streams']['joint_states']['rate_hz'] == pytest.approx(100.0)
    assert numbers['streams']['camera/wrist/image_raw']['age_ms']['p50'] == pytest.approx(50.0)
    assert numbers['limiters'] == {'acceleration': 7}
    assert numbers['chunks'] == {'accepted': 40}
    assert numbers['policy_ms'] == {'infer': 1.5}
    assert numbers['real_time_factor']['mean'] == pytest.approx(0.5)
    assert numbers['tracking']['joint1']['rms'] == pytest.approx(0.01)
    assert [(m['mode'], round(m['time_s'], 3)) for m in numbers['modes']] == [
        ('HOLD', -1.0), ('AUTONOMOUS', 0.2)]
    assert numbers['run']['policy']['label'] == LABEL


def test_the_report_is_plain_json():
    assert json.loads(json.dumps(report())) == report()


def test_the_page_has_the_verdict_first_and_every_number():
    page = render(report(), None, 'demo.mp4')
    assert page.index('SUCCESS</h1>') < page.index('<section>')
    for text in (LABEL, 'pick up the insulator', '1 of 1 task done in 2.5 s', 'acceleration',
                 'action_chunk: none received yet', 'joint1', 'camera/wrist/image_raw'):
        assert text in page
    assert '<td class="n">100.0</td>' in page


def test_the_page_is_one_file_with_only_the_video_beside_it():
    png = draw_joints(made_up_recording(), 'title')
    page = render(report(), png, 'demo.mp4', ['report.json', 'logs/sim_node.log'])
    found = Links()
    found.feed(page)
    found.close()
    assert found.open == [], 'every tag is closed'
    assert [src for src in found.loads if not src.startswith('data:')] == ['demo.mp4']
    assert found.links == ['report.json', 'logs/sim_node.log']
    assert not re.search(r'https?://|@import|url\(', page)


def test_what_comes_from_outside_cannot_become_markup():
    page = render(report(), None, None)
    assert 'held &lt;5 cm&gt;' in page
    assert 'HOLD: a &lt; b &amp; c' in page
    assert '<b>' not in page


def test_interventions_are_counted_timed_and_on_the_page_and_in_the_plot():
    recording = made_up_recording()
    assert 'Interventions' not in render(report(recording), None, None)
    recording.add_override(1_500_000_000, 'gripper override: topic <latched>')
    recording.add_override(2_750_000_000, '')
    numbers = report(recording)
    assert numbers['interventions'] == [{'time_s': 0.5, 'duration_s': 1.25,
                                         'what': 'gripper override: topic <latched>'}]
    page = render(numbers, None, None)
    assert 'topic &lt;latched&gt;' in page
    assert '1 in all, 1.2 s together' in page
    image = Image.open(BytesIO(draw_joints(recording, 'title'))).convert('RGB')
    assert rgb(COLOURS['blue'][0]) in {colour for _, colour in image.getcolors(1 << 24)}


def test_interventions_add_up_by_what_was_done_and_who_did_it():
    recording = made_up_recording()
    assert report(recording)['intervention_totals'] == []
    for ms, what in ((1500, 'takeover: panel waiting'), (1700, 'takeover: panel twist'),
                     (2000, ''), (2100, 'takeover: panel waiting'),
                     (2200, 'takeover: panel waiting; gripper override: topic latched')):
        recording.add_override(ms * 1_000_000, what)
    totals = {(t['what'], t['source']): (t['count'], pytest.approx(t['duration_s']))
              for t in report(recording)['intervention_totals']}
    assert totals == {('takeover', 'panel'): (2, 0.5 + 3.99 - 2.1),
                      ('gripper override', 'topic'): (1, 3.99 - 2.2)}


def test_without_a_video_the_page_has_no_player():
    assert '<video' not in render(report(), None, None)


def test_a_failure_is_red_and_says_why():
    results = [TaskResult('hang', Outcome.TIMEOUT, 0, 9_000_000_000, 'the ring is far away')]
    page = render(report(results=results), None, None)
    assert 'FAILED</h1>' in page
    assert 'header class="good"' not in page
    assert 'the ring is far away' in page


def test_a_demo_in_which_nothing_ever_came_still_has_a_page():
    results = [TaskResult('pick', Outcome.NOT_BEGUN)]
    recording = Recording(('joint1',), 'gripper', HEIGHTS)
    numbers = build_report(judge(results, problems=['not up after 5 s, missing: mode']), results,
                           recording, RUN, processes={'sim_node': {'cpu_percent': None,
                                                                   'ended': 'sim_node ended'}},
                           video={'frames': 0, 'dropped': 0, 'error': ''})
    page = render(json.loads(json.dumps(numbers)), None, None)
    assert 'not up after 5 s, missing: mode' in page
    assert 'never announced itself' in page
    assert 'sim_node ended' in page


@pytest.mark.parametrize('joints', [1, 2, 6, 7])
def test_the_plot_has_a_panel_for_every_joint_of_any_arm(joints: int):
    names = [f'j{i}' for i in range(joints)]
    recording = Recording(names, 'gripper', HEIGHTS)
    for i in range(50):
        recording.measured.add(i * 10_000_000, [0.1] * joints + [0.03])
        recording.commanded.add(i * 10_000_000, [0.1] * joints + [float('nan')])
    image = Image.open(BytesIO(draw_joints(recording, 'title')))
    rows = (joints + 3) // 2
    assert image.width == 1375
    assert image.height > 150 * rows


def test_the_plot_paints_the_modes():
    image = Image.open(BytesIO(draw_joints(made_up_recording(), 'title'))).convert('RGB')
    colours = {colour for _, colour in image.getcolors(1 << 24)}
    assert rgb(BANDS['AUTONOMOUS'][0]) in colours, 'AUTONOMOUS'
    assert rgb(BANDS['HOLD'][0]) in colours, 'HOLD'

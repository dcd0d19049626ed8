"""The demo with the real graph: four processes, one short task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')
av = pytest.importorskip('av')

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 150.0


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != 'ROS_DOMAIN_ID'}
    return subprocess.Popen(
        [sys.executable, '-m', 'vla_ros.cli.main', 'demo', '--out', str(out), *arguments],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True)


def finish(demo: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        output, _ = demo.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        demo.kill()
        output, _ = demo.communicate()
        pytest.fail(f'the demo did not end within {TIMEOUT_S:g} s:\n{output}')
    return demo.returncode, output


def test_the_arm_picks_the_insulator_and_leaves_video_plot_and_report(tmp_path):
    status, output = finish(start(tmp_path, '--tasks', 'pick up the insulator'))
    assert status == 0, output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['verdict']['success']
    assert report['tasks'][0]['outcome'] == 'success'
    assert 'privileged' in report['run']['policy']['label']
    assert report['streams']['joint_command']['messages'] > 100
    assert report['streams']['action_chunk']['messages'] > 5
    assert any(mode['mode'] == 'AUTONOMOUS' for mode in report['modes'])
    for name in ('joints.png', 'report.html', 'logs/sim_node.log', 'logs/control_node.log',
                 'logs/policy_node.log'):
        assert (tmp_path / name).stat().st_size > 0, name

    with av.open(str(tmp_path / 'demo.mp4')) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == report['video']['frames'] > 10
    # As long as the task took in simulation, and the second that is shown afterwards.
    assert frames[-1].time > report['tasks'][0]['duration_s'] - 0.5


def test_a_random_model_drives_the_whole_graph_and_nobody_takes_it_for_a_trained_one(tmp_path):
    for library in ('torch', 'transformers', 'accelerate', 'simplejpeg'):
        pytest.importorskip(library)
    # Slower than life: a model that shares two cores with other tests still answers in time.
    slow = tmp_path / 'slow.yaml'
    slow.write_text('sim_node: {ros__parameters: {real_time_factor: 0.4}}\n')
    status, output = finish(start(tmp_path, '--policy', 'openvla_oft', '--timeout', '6', '--tasks',
                                  'pick up the insulator', '--params-file', str(slow)))
    assert status == 0, output
    assert 'GRAPH OK: random weights, no task was tried' in output
    assert 'moves without purpose' in output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['verdict']['word'] == 'GRAPH OK'
    assert report['tasks'][0]['outcome'] == 'watched'
    assert report['run']['policy']['label'].startswith('RANDOM WEIGHTS, moves without purpose')
    assert 'no task was tried or judged' in report['run']['note']
    assert report['run']['note'] in (tmp_path / 'report.html').read_text()
    assert report['streams']['action_chunk']['messages'] > 5
    assert {'preprocess', 'vision', 'language', 'head', 'total'} <= set(report['policy_ms'])


def test_ctrl_c_stops_in_order_and_reports_what_there_was(tmp_path):
    demo = start(tmp_path, '--tasks', 'pick up the insulator')
    assert demo.stdout is not None
    begun, deadline = False, time.monotonic() + TIMEOUT_S
    for text in demo.stdout:
        begun = begun or 'AUTONOMOUS' in text
        if begun or time.monotonic() > deadline:
            break
    demo.send_signal(signal.SIGINT)
    status, output = finish(demo)
    assert begun
    assert status == 130, output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['verdict']['word'] == 'INTERRUPTED'
    assert (tmp_path / 'report.html').is_file()
    # The control node was stopped while the others still lived: it said so.
    assert report['modes'][-1]['mode'] == 'STOPPED'

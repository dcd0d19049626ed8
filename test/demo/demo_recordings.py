"""A recording made up by hand, for the tests of plot, report and page."""

from __future__ import annotations

import math

from vla_ros.demo.recording import HEIGHTS, Recording, Status, Stream

MS = 1_000_000
JOINTS = ('joint1', 'joint2')
LABEL = 'scripted expert (privileged)'


def made_up_recording(seconds: float = 4.0) -> Recording:
    """Return ``seconds`` of a swinging arm; the first instruction comes at 1 s."""
    recording = Recording(JOINTS, 'gripper', HEIGHTS)
    recording.policy_name, recording.policy_label = 'scripted', LABEL
    states, images = (recording.streams.setdefault(name, Stream())
                      for name in ('joint_states', 'camera/wrist/image_raw'))
    recording.add_mode(0, 'HOLD', 'action_chunk: none received yet')
    recording.add_mode(1200 * MS, 'AUTONOMOUS', '')
    for i in range(round(seconds * 100)):
        t_ns, angle = i * 10 * MS, math.sin(i / 50)
        if i == 100:
            recording.instructions.append((t_ns, 'pick up the insulator'))
        recording.commanded.add(t_ns, [angle, 0.5, 0.0])
        recording.measured.add(t_ns, [angle - 0.01, 0.5, 0.034])
        recording.heights.add(t_ns, [0.2, 0.0])
        recording.add_pace(t_ns, t_ns * 2)
        states.add(t_ns, 2 * MS)
        if i % 10 == 0:
            images.add(t_ns, 50 * MS)
    recording.add_status('control_node: mode', Status(1, 'HOLD: a < b & c', {
        'limiters': "{'acceleration': 7}", 'chunks': "{'accepted': 40}"}))
    recording.add_status('policy_node: inference', Status(0, 'fine', {
        'infer_ms': '1.5', 'instruction': 'pick'}))
    return recording

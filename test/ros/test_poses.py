"""Poses survive ROS; a pose that is none (all zeros, NaN) is refused and not taken for identity."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, Quaternion
from hypothesis import given
from hypothesis import strategies as st
from visualization_msgs.msg import Marker, MarkerArray

from vla_ros.core import se3
from vla_ros.core.errors import InputError
from vla_ros.ros.poses import FrameMarkers, frames_from_markers, pose_from_message, pose_message
from vla_ros.ros.stamps import duration_message, time_message, to_ns

number = st.floats(-10, 10)
vectors = st.tuples(number, number, number).map(np.array)


@given(vectors, vectors)
def test_pose_survives_the_round_trip(r, p):
    T = se3.pose(se3.rotation_from_vector(r), p)
    assert np.allclose(pose_from_message(pose_message(T)), T, atol=1e-12)


@pytest.mark.parametrize('msg', [
    Pose(orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=0.0)),
    Pose(orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=1.1)),
    Pose(orientation=Quaternion(x=0.0, y=float('nan'), z=0.0, w=1.0)),
    Pose(position=Point(x=float('inf')), orientation=Quaternion(w=1.0))])
def test_pose_that_is_none_is_refused(msg):
    with pytest.raises(InputError, match='sim/objects'):
        pose_from_message(msg, 'sim/objects')


def test_frames_survive_the_round_trip_by_name():
    frames = {'cube_red': se3.pose(np.eye(3), np.array([0.1, 0.2, 0.3])),
              'hook_tip': se3.pose(se3.rotation_from_vector(np.array([0, 0, 1.0])), np.zeros(3))}
    markers = FrameMarkers('base_link')
    for shift in (0.0, 0.5):  # the markers are used again, the poses must not be
        for T in frames.values():
            T[0, 3] += shift
        msg = markers.message(frames, 7)
        got = frames_from_markers(msg, frame_id='base_link')
        assert list(got) == list(frames)
        assert all(np.allclose(got[name], frames[name]) for name in frames)
    assert len({(m.ns, m.id) for m in msg.markers}) == 2
    assert {m.header.frame_id for m in msg.markers} == {'base_link'}
    assert all(to_ns(m.header.stamp) == 7 for m in msg.markers)


def marker(ns, frame='base_link'):
    msg = Marker(ns=ns)
    msg.header.frame_id = frame
    msg.pose.orientation.w = 1.0
    return msg


@pytest.mark.parametrize(('markers', 'words'), [
    ([marker('a'), marker('a')], 'distinct'), ([marker('')], 'not empty'),
    ([marker('a', 'world')], "'world'"), ([Marker(ns='a')], None)])
def test_unusable_markers_are_refused(markers, words):
    if words is None:
        markers[0].header.frame_id = 'base_link'
        markers[0].pose.orientation.w = 0.0
        words = 'unit quaternion'
    with pytest.raises(InputError, match=words):
        frames_from_markers(MarkerArray(markers=markers), frame_id='base_link')


@given(st.integers(-2**31 * 10**9, 2**31 * 10**9 - 1))
def test_times_are_exact(ns):
    assert to_ns(duration_message(ns)) == ns
    assert ns < 0 or to_ns(time_message(ns)) == ns

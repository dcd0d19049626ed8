"""What a policy says about itself comes back the same, or is refused with the key that is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.policy_description import (
    PolicyDescription,
    convention_from_json,
    convention_to_json,
)
from vla_ros.core.types import ActionConvention, ActionFrame, ActionSpace, Rotation

finite = st.floats(allow_nan=False, allow_infinity=False)
conventions = st.builds(
    ActionConvention, st.sampled_from([ActionSpace.EE_DELTA, ActionSpace.EE_POSE]),
    st.sampled_from(ActionFrame), st.sampled_from(Rotation), finite, finite,
    gripper_open=st.floats(1, 2), gripper_closed=st.floats(-2, 0))


@given(conventions, st.integers(1, 10**12), st.integers(1, 1000), st.text())
def test_description_comes_back_the_same(convention, dt_ns, horizon, label):
    sent = PolicyDescription('openvla_oft', label, convention, dt_ns, horizon)
    assert PolicyDescription.from_json(sent.to_json()) == sent
    assert convention_from_json(convention_to_json(convention)) == convention


def test_joint_spaces_have_the_joints_as_dimensions():
    convention = ActionConvention(space=ActionSpace.JOINT_POSITION)
    sent = PolicyDescription('p', '', convention, 1, 1, ('joint1', 'joint2', 'gripper'))
    assert PolicyDescription.from_json(sent.to_json()) == sent


@pytest.mark.parametrize(('space', 'dims'), [
    (ActionSpace.EE_DELTA, ('x', 'y', 'z')),
    (ActionSpace.EE_POSE, ('joint1', 'gripper')),
    (ActionSpace.JOINT_POSITION, ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')),
    (ActionSpace.JOINT_POSITION, ('gripper', 'joint1')),
    (ActionSpace.JOINT_DELTA, ('joint1', 'joint1')),
    (ActionSpace.JOINT_DELTA, ('gripper',)),
    (ActionSpace.EE_DELTA, ())])
def test_dimensions_that_do_not_fit_the_space_are_refused(space, dims):
    with pytest.raises(ConfigError, match='dimensions'):
        PolicyDescription('p', '', ActionConvention(space=space), 1, 1, dims)


def changed(**values):
    text = PolicyDescription('p', 'P', ActionConvention(), 1, 1).to_json()
    description = {**json.loads(text), **values}
    return json.dumps({k: v for k, v in description.items() if v != 'remove'})


def convention(**values):
    return {**json.loads(convention_to_json(ActionConvention())), **values}


@pytest.mark.parametrize(('text', 'words'), [
    ('', 'as JSON'),
    ('{', 'as JSON'),
    ('[]', 'found list'),
    (changed(horizon='remove'), 'missing: horizon'),
    (changed(speed=3), 'unknown keys: speed'),
    (changed(dt_ns=0), 'dt_ns must be a positive integer'),
    (changed(dt_ns=0.1), 'dt_ns must be a positive integer'),
    (changed(horizon=True), 'horizon must be a positive integer'),
    (changed(name=''), 'name is empty'),
    (changed(name=3), 'name must be a string'),
    (changed(dims='xyz'), 'dims must be a list'),
    (changed(dims=['x']), 'dimensions'),
    (changed(convention=3), 'convention must be a JSON object'),
    (changed(convention=convention(space='ee_dleta')), "Did you mean 'ee_delta'"),
    (changed(convention=convention(rotation=['rpy'])), 'unknown action rotation'),
    (changed(convention=convention(translation_scale='1')), 'must be a number'),
    (changed(convention=convention(rotation_scale=float('nan'))), 'not finite'),
    (changed(convention=convention(gripper_open=0.0)), 'gripper_open and gripper_closed'),
])
def test_wrong_description_is_refused_with_topic_and_reason(text, words):
    with pytest.raises(InputError, match=words) as error:
        PolicyDescription.from_json(text, '/policy')
    assert '/policy' in str(error.value)

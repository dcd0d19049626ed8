"""A leader arm: its joints by name, followed only when a human wants that."""

import numpy as np
import pytest
import yaml

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.teleop.commands import Follow, Say, Tell
from vla_ros.teleop.hand import Action, Hand, HandConfig
from vla_ros.teleop.leader import Leader, leader_names, load_leader

MS = 1_000_000
JOINTS = ('a', 'b')
LINES = {'a': {'from': 'm2', 'sign': -1, 'offset': 0.5},
         'b': {'from': 'm1', 'sign': 1, 'offset': 0}}
GRIPPER = {'from': 'trigger', 'scale': -0.1, 'offset': 0.07}


def write(tmp_path, joints=None, gripper=None):
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({'description': 'mine', 'joints': joints or LINES,
                                    'gripper': GRIPPER if gripper is None else gripper}))
    return str(path)


def leader(mapping, always=False):
    hand = Hand(HandConfig(0.1, 0.5, 1.0, 'until_agree', True, False), 'leader')
    return Leader(mapping, hand, 'leader/joint_states', 0.25, always)


def follows(commands):
    return [c for c in commands if isinstance(c, Follow)]


def test_joints_go_by_name_with_sign_and_offset_whatever_their_order(tmp_path):
    arm = leader(load_leader(write(tmp_path), JOINTS, 'grip'), always=True)
    (follow,) = follows(arm.heard(0, ['trigger', 'm1', 'x', 'm2'], [0.2, 1.0, 9.0, 0.3],
                                  [0.0, 2.0, 9.0, 4.0]))
    assert follow.q == pytest.approx([0.2, 1.0])
    assert follow.velocity == pytest.approx([-4.0, 2.0])
    assert follow.width == pytest.approx(0.05)


def test_without_a_mapping_the_names_are_the_followers():
    arm = leader(load_leader('', JOINTS, 'grip'), always=True)
    (follow,) = follows(arm.heard(0, ['b', 'a'], [2.0, 1.0], []))
    assert follow.q.tolist() == [1.0, 2.0]
    assert follow.velocity is None
    assert follow.width is None
    assert follows(arm.heard(0, ['a', 'grip', 'b'], [1, 0.03, 2], []))[0].width == 0.03


def test_it_is_followed_from_the_takeover_to_the_release_and_not_otherwise(tmp_path):
    arm = leader(load_leader(write(tmp_path), JOINTS, 'grip'))
    message = (['m1', 'm2'], [0.0, 0.0], [])
    assert follows(arm.heard(0, *message)) == []
    assert arm.press(Action.TAKEOVER) == [Say('arm', 'takeover')]
    assert len(follows(arm.heard(0, *message))) == 1
    assert arm.step(0) == [Say('arm', 'alive')]
    arm.press(Action.RELEASE)
    assert follows(arm.heard(0, *message)) == arm.step(0) == []


def test_a_release_ends_always_too():
    arm = leader(load_leader('', JOINTS, 'grip'), always=True)
    arm.press(Action.RELEASE)
    assert follows(arm.heard(0, ['a', 'b'], [0.0, 0.0], [])) == []


def test_a_leader_that_falls_silent_holds_nothing_any_more():
    arm = leader(load_leader('', JOINTS, 'grip'))
    arm.heard(0, ['a', 'b'], [0.0, 0.0], [])
    arm.press(Action.TAKEOVER)
    assert arm.step(249 * MS) == [Say('arm', 'alive')]
    (tell,) = arm.step(251 * MS)
    assert isinstance(tell, Tell)
    assert arm.step(252 * MS) == []
    assert follows(arm.heard(260 * MS, ['a', 'b'], [0.0, 0.0], [])) == [], 'nor when it is back'


@pytest.mark.parametrize(('names', 'position', 'part'), [
    (['a'], [0.0], 'missing joints of the leader: b'), (['a', 'b'], [0.0], '1 for a, b'),
    (['a', 'a', 'b'], [0.0] * 3, 'different joints'), (['a', 'b'], [0.0, np.nan], 'not finite'),
    ([], [], 'none'), (['a', 'b', 'grip'], [0.0, 0.0, np.inf], 'gripper is not finite')])
def test_a_bad_message_is_an_error_with_its_topic(names, position, part):
    arm = leader(load_leader('', JOINTS, 'grip'), always=True)
    with pytest.raises(InputError, match='^leader/joint_states: ') as error:
        arm.heard(0, names, position, [])
    assert part in str(error.value)


@pytest.mark.parametrize(('joints', 'gripper', 'parts'), [
    ({**LINES, 'c': LINES['a']}, None, ["'c'", 'Choices: a, b']),
    ({'a': LINES['a']}, None, ['joints.b']),
    ({**LINES, 'b': {'from': 'm1', 'sign': 2, 'offset': 0}}, None, ['joints.b.sign', '1 or -1']),
    ({**LINES, 'b': {'from': 'm1', 'sign': 1}}, None, ['joints.b.offset']),
    ({**LINES, 'b': {'from': 'm1', 'sign': 1, 'offset': 0, 'scale': 2}}, None, ['joints.b.scale']),
    (None, {**GRIPPER, 'scale': 0.0}, ['gripper.scale', 'not 0'])])
def test_a_wrong_mapping_names_file_key_and_choices(tmp_path, joints, gripper, parts):
    with pytest.raises(ConfigError) as error:
        load_leader(write(tmp_path, joints, gripper), JOINTS, 'grip')
    for part in ('mine.yaml', *parts):
        assert part in str(error.value)


def test_the_gripper_may_be_left_out(tmp_path):
    assert load_leader(write(tmp_path, gripper={}), JOINTS, 'grip').gripper is None


def test_the_shipped_leaders_fit_the_shipped_piper():
    names = [f'joint{i}' for i in range(1, 7)]
    assert leader_names() == ['leader_piper']
    assert list(load_leader('leader_piper', names, 'gripper').joints) == names

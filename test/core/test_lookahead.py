"""Looking ahead: every kind of trouble is found at its step, before it runs."""

import math

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.kinematics import IkResult, IkStatus
from vla_ros.core.limits import JointLimits, SingularityLimits
from vla_ros.core.lookahead import Lookahead, LookaheadConfig, OnTrouble, Trouble
from vla_ros.core.safety import Proximity
from vla_ros.core.se3 import pose

DT = 0.1
JOINTS = JointLimits(('x', 'y', 'z'), [-2] * 3, [2] * 3, [1.0] * 3, [5.0] * 3)
SINGULAR = SingularityLimits(slow_below=0.4, halt_below=0.1, resume_above=0.2)


class Script:
    """Kinematics whose joints are the position, and that answer some steps in another way."""

    def __init__(self, **special):
        self.special = {int(k[1:]): v for k, v in special.items()}
        self.asked = 0

    def solve_batch(self, T_base_tool, seed, dt):
        self.asked = len(T_base_tool)
        return [self.special.get(i, {}).get(
            'result', IkResult(T[:3, 3].copy(), True, 0.0, 0.0,
                               self.special.get(i, {}).get('value', 1.0)))
            for i, T in enumerate(T_base_tool)]


def path(n=8, step=0.05, **at):
    """Poses along x, ``step`` apart; ``s3=0.5`` shifts those from step 3 on."""
    x = step * np.arange(1, n + 1)
    for key, by in at.items():
        x[int(key[1:]):] += by
    return np.stack([pose(np.eye(3), np.array([value, 0.0, 0.0])) for value in x])


def look(on_trouble='hold', poses=None, clearance=None, **special):
    config = LookaheadConfig(OnTrouble(on_trouble), jump_factor=3.0, slow_steps=4)
    ahead = Lookahead(Script(**special), JOINTS, config, SINGULAR, clearance)
    return ahead(path() if poses is None else poses, np.zeros(3), DT)


def failed(status, reason='because', limited=()):
    return {'result': IkResult(np.zeros(3), False, 1.0, 0.0, 0.0, 0, reason, status, limited)}


def test_a_good_path_is_followed_to_its_end_at_full_speed():
    ahead = look('slow')
    assert ahead.steps == 8 and ahead.findings == () and ahead.reason == ''
    assert (ahead.speed_factors == 1.0).all()


@pytest.mark.parametrize(('special', 'trouble', 'says'), [
    (failed(IkStatus.UNREACHABLE, '12.0 mm away'), Trouble.UNREACHABLE, '12.0 mm away'),
    (failed(IkStatus.LIMITED, 'on a limit', (1,)), Trouble.JOINT_LIMIT, 'joint limit: y'),
    (failed(IkStatus.BRANCH, 'z by 2 rad'), Trouble.BRANCH, 'z by 2 rad'),
    (failed(IkStatus.SINGULAR, 'no way'), Trouble.SINGULAR, 'no way'),
    (failed(IkStatus.NOT_FINITE), Trouble.NOT_FINITE, 'because'),
    (failed(None), Trouble.UNREACHABLE, 'because'),
    ({'value': 0.05}, Trouble.SINGULAR, '0.0500'),
])
@pytest.mark.parametrize('policy', ['slow', 'hold', 'skip'])
def test_a_step_that_cannot_be_passed_is_found_and_nothing_behind_it_runs(
        policy, special, trouble, says):
    ahead = look(policy, s5=special, s2={'value': 0.39})
    blocking = ahead.findings[-1]
    assert (blocking.step, blocking.trouble, blocking.factor) == (5, trouble, 0.0)
    assert 'step 5' in ahead.reason and says in ahead.reason
    assert ahead.steps == len(ahead.speed_factors) == (0 if policy == 'skip' else 5)


def test_a_wrist_flip_is_a_step_too_large_for_the_joints():
    ahead = look('hold', poses=path(s4=0.4))
    assert ahead.steps == 4
    assert ahead.findings[0].trouble is Trouble.BRANCH
    assert 'x by 0.45 rad in 0.1 s' in ahead.reason


def test_a_flip_in_the_very_first_step_is_measured_from_the_seed():
    assert look('hold', poses=path(s0=1.0)).steps == 0


def test_a_step_that_is_merely_fast_is_reported_and_slowed_as_much_as_it_needs():
    poses = path(s4=0.15)  # 0.2 rad in a step in which 0.1 is possible
    assert look('hold', poses=poses).steps == 8
    assert (look('hold', poses=poses).speed_factors == 1.0).all()
    ahead = look('slow', poses=poses)
    assert ahead.findings[0].trouble is Trouble.FAST
    assert ahead.speed_factors == pytest.approx([1, 1, 1, 0.75, 0.5, 1, 1, 1])


def test_slow_slows_down_gently_before_a_singular_stretch_and_not_behind_it():
    ahead = look('slow', s4={'value': 0.25}, s5={'value': 0.13})
    assert ahead.steps == 8
    assert ahead.speed_factors == pytest.approx([1, 1, 0.85, 0.6, 0.35, 0.1, 1, 1])
    assert [f.step for f in ahead.findings] == [4], 'each kind of trouble once'


def test_slow_comes_to_rest_before_a_step_that_cannot_be_passed():
    ahead = look('slow', s6=failed(IkStatus.UNREACHABLE))
    assert ahead.speed_factors == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25])


def test_a_collision_on_the_way_is_found_and_names_the_pair():
    class Wall:
        def near(self, q):
            gradient = np.zeros(3)
            return [Proximity(0, ('hand', 'wall'), 0.3 - q[0], 0.2, 0.02, gradient)]

    ahead = look('hold', clearance=Wall())
    assert ahead.findings[0].trouble is Trouble.COLLISION
    assert (ahead.steps, ahead.findings[0].step) == (5, 5)
    assert 'hand to wall' in ahead.reason


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_pose_that_is_not_finite_ends_the_path_and_is_not_solved(bad):
    poses = path()
    poses[3, 0, 3] = bad
    config = LookaheadConfig(OnTrouble.HOLD, jump_factor=3.0, slow_steps=4)
    script = Script()
    ahead = Lookahead(script, JOINTS, config)(poses, np.zeros(3), DT)
    assert ahead.steps == script.asked == 3
    assert ahead.findings[0].trouble is Trouble.NOT_FINITE


def test_no_poses_are_no_trouble():
    assert look(poses=np.zeros((0, 4, 4))).steps == 0


@pytest.mark.parametrize(('poses', 'dt'), [(np.zeros((4, 4)), DT), (np.zeros((2, 3, 3)), DT),
                                           (path(), 0.0), (path(), math.nan)])
def test_what_is_no_path_is_refused(poses, dt):
    config = LookaheadConfig(OnTrouble.HOLD, jump_factor=3.0, slow_steps=4)
    with pytest.raises(InputError, match='look-ahead'):
        Lookahead(Script(), JOINTS, config)(poses, np.zeros(3), dt)


@pytest.mark.parametrize(('factor', 'steps', 'match'), [
    (1.0, 4, 'jump_factor'), (math.nan, 4, 'jump_factor'), (3.0, 0, 'slow_steps')])
def test_settings_that_make_no_sense_are_refused(factor, steps, match):
    with pytest.raises(ConfigError, match=match):
        LookaheadConfig(OnTrouble.SLOW, factor, steps)

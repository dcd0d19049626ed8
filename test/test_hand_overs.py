"""Random hand-overs on the real pipeline of real arms: no command is beyond a limit.

The benchmark ``hand_overs.py`` does a thousand of them; these are some, from another seed.
"""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('pinocchio')

_PATH = Path(__file__).resolve().parents[1] / 'benchmarks' / 'hand_overs.py'


@pytest.fixture(scope='module')
def hand_overs():
    spec = importlib.util.spec_from_file_location('hand_overs', _PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('robot', ['piper', 'ur5e'])
def test_no_command_is_beyond_a_limit_however_humans_take_the_arm_and_let_go(hand_overs, robot):
    run = hand_overs.HandOvers(robot, seed=1)
    run.run(20)
    result = run.result()
    assert result['hand_overs'] >= 20
    assert hand_overs.within(result), result
    assert result['moving_part'] > 0.2, 'or it would be no wonder'
    assert result['velocity_step_part_at_hand_overs'] > 0.5, 'the arm moves when it is taken'
    assert len({way.partition(',')[0] for way in result['ways']}) == 4, result['ways']


def test_the_measure_notices_an_arm_whose_gate_lets_everything_through(hand_overs):
    run = hand_overs.HandOvers('piper', seed=1)
    run.pipeline.gate = lambda goal, q, velocity, dt: SimpleNamespace(
        q=goal, velocity=(goal - q) / dt, acted=())
    run.run(3)
    assert not hand_overs.within(run.result())

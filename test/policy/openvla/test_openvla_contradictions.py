"""A convention that the statistics contradict is refused at load, before the weights are read."""

import json

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.policy import load_policy
from vla_ros.policy.openvla import base_policy

OFT = {'device': 'cpu', 'normalization': 'bounds_q99', 'chunk_length': 8}


@pytest.fixture
def write(tiny):
    """Return a function that writes a checkpoint whose statistics are changed."""

    def write(change, name='tiny'):
        directory = tiny(name, head='l1', proprio_size=8)
        path = directory / 'dataset_statistics.json'
        values = json.loads(path.read_text())
        change(values['tiny_random']['action'])
        path.write_text(json.dumps(values))
        return directory

    return write


def in_controller_units(action):
    for name in ('q01', 'q99'):
        action[name] = [50.0 * value for value in action[name][:6]] + action[name][6:]


def gripper_from_minus_one(action):
    action['q01'][6], action['q99'][6] = -1.0, 1.0


@pytest.fixture
def no_weights(monkeypatch):
    def read(*_):
        pytest.fail('the weights were read first')

    monkeypatch.setattr(base_policy, 'load_model', read)


@pytest.mark.parametrize(('change', 'message'), [
    (in_controller_units, r'translation: expected at most 0\.3 m a step and 5 m/s, found 0\.8.* m '
                          r'with its translation_scale, 1\d m/s'),
    (gripper_from_minus_one, r'gripper: expected 0 \(closed\) to 1 \(open\), found -1 to 1'),
])
def test_units_and_gripper_are_refused_with_what_was_expected_and_found(
        write, no_weights, change, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_policy('openvla_oft', model_path=write(change), **OFT)
    for part in ('dataset_statistics.json: tiny_random', 'policy_config', 'contradictions: accept'):
        assert part in str(raised.value)


def test_the_right_convention_for_the_same_numbers_is_taken(write):
    scale = {'translation_scale': 0.02, 'rotation_scale': 0.02}
    assert load_policy('openvla_oft', model_path=write(in_controller_units), convention=scale,
                       **OFT).spec.convention.translation_scale == 0.02


def test_it_can_be_accepted_knowingly_and_is_still_a_warning(write, caplog):
    load_policy('openvla_oft', model_path=write(gripper_from_minus_one), contradictions='accept',
                **OFT)
    assert 'the convention does not fit tiny_random: gripper: expected 0' in caplog.text


def test_what_is_only_doubtful_is_a_warning(write, caplog):
    def narrow(action):
        action['q01'][6], action['q99'][6] = 0.9, 1.0

    load_policy('openvla_oft', model_path=write(narrow), **OFT)
    assert 'the convention does not fit tiny_random: gripper' in caplog.text


def test_minimum_and_maximum_alone_are_no_reason_to_refuse(write, caplog):
    """One broken recording among thousands makes them."""

    def outlier(action):
        del action['q01'], action['q99']
        action['max'][0] = 7.0

    load_policy('openvla_oft', model_path=write(outlier), **{**OFT, 'normalization': 'bounds'})
    assert 'translation: expected at most' in caplog.text


def test_one_outlier_is_none_where_the_percentiles_are_there(write, caplog):
    def outlier(action):
        action['max'][0] = 7.0

    load_policy('openvla_oft', model_path=write(outlier), **{**OFT, 'normalization': 'bounds'})
    assert 'translation' not in caplog.text

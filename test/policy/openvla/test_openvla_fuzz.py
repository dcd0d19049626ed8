"""Whatever stands in a checkpoint's JSON files, the answer is one of our errors, or it works."""

import copy
import json
import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, VlaRosError
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.inspection import as_json, as_text, inspect
from vla_ros.policy.openvla.tiny import TinyCheckpoint, write_tiny_checkpoint

FILES = ('config.json', 'dataset_statistics.json', 'preprocessor_config.json')
LEAVES = (st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
          | st.sampled_from([0, -1, 1, 2, 3, 224, 2 ** 31, 2 ** 63, 10 ** 30, 1e300, '', 'cpu']))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3)
                      | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=5)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    directory = tmp_path_factory.mktemp('fuzz') / 'tiny'
    write_tiny_checkpoint(directory, TinyCheckpoint(
        head='l1', proprio_size=8, image_size=28, dataset='libero_tiny'))
    return directory


@pytest.fixture(scope='module')
def originals(checkpoint):
    return {name: json.loads((checkpoint / name).read_text()) for name in FILES}


def places(value, found=()):
    """Return the way to every value inside, the whole first."""
    yield found
    pairs = (value.items() if isinstance(value, dict)
             else enumerate(value) if isinstance(value, list) else ())
    for key, inner in pairs:
        yield from places(inner, (*found, key))


def replaced(whole, place, value):
    whole = copy.deepcopy(whole)
    if not place:
        return value
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return whole


def outcome(checkpoint):
    """Return the loader's error, or None where it loads and answers."""
    try:
        load_policy('openvla_oft', model_path=checkpoint, device='cpu').warm_up()
    except VlaRosError as error:
        return error
    return None


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from((*FILES, 'config.json')), st.data())
def test_any_value_anywhere_is_an_error_of_ours_or_works(checkpoint, originals, name, data):
    place = data.draw(st.sampled_from(list(places(originals[name]))))
    value = data.draw(VALUES)
    (checkpoint / name).write_text(json.dumps(replaced(originals[name], place, value)))
    try:
        error = outcome(checkpoint)
        report = inspect(checkpoint)
        assert as_text(report) and as_json(report)
    finally:
        (checkpoint / name).write_text(json.dumps(originals[name]))
    strange = [problem for problem in report.problems if 'cannot be used: ' in problem]
    assert strange == [], 'an error that nobody expected'
    if error is not None:
        assert str(error)


def keys_of(value, prefix=''):
    for key, inner in value.items():
        yield f'{prefix}{key}'
        if isinstance(inner, dict):
            yield from keys_of(inner, f'{prefix}{key}.')


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(min_size=1, max_size=12), value=VALUES)
@example(key='quantization_config', value={'load_in_4bit': True})
@example(key='quantization_config', value=3)
@example(key='dtype', value='float99')
@example(key='torch_dtype', value=[None])
@example(key='rope_scaling', value={'type': 'linear'})
@example(key='auto_map', value={'AutoModel': 'evil--code.Model'})
@example(key='action_chunk', value=True)
@example(key='id2label', value=3)
@example(key='num_labels', value='x')
@example(key='sub_configs', value=1)
@example(key='towers', value=1)
@example(key='attn_implementation', value='flash_attention_9')
@example(key='tie_word_embeddings', value='x')
def test_a_key_too_many_is_an_error_of_ours_or_works(checkpoint, originals, key, value):
    (checkpoint / 'config.json').write_text(json.dumps({**originals['config.json'], key: value}))
    try:
        outcome(checkpoint)
        inspect(checkpoint)
    finally:
        (checkpoint / 'config.json').write_text(json.dumps(originals['config.json']))


@pytest.mark.parametrize(('place', 'value', 'message'), [
    (('image_sizes',), [None], r'image_sizes: expected a list of 1 to 2, each a whole number .*'
                               r'found \[None\]'),
    (('image_sizes',), 28, r'image_sizes: expected a list'),
    (('vision_towers', 0, 'mlp_width'), 'wide', r"vision_towers\[0\]\.mlp_width: expected a whole "
                                                r"number .*found 'wide'"),
    (('vision_towers', 1, 'depth'), 10 ** 9, r'vision_towers\[1\]\.depth: expected'),
    (('text_config', 'num_hidden_layers'), 2.5, r'text_config\.num_hidden_layers: expected .*2\.5'),
    (('text_config', 'num_attention_heads'), 0, r'text_config\.num_attention_heads: expected'),
    (('text_config', 'rms_norm_eps'), float('nan'), r'text_config\.rms_norm_eps: .*found nan'),
    (('text_config', 'hidden_act'), None, r'text_config\.hidden_act: expected text'),
    (('text_config',), 'llama', r'text_config: expected a mapping, or null'),
    (('timm_model_ids',), [], r'timm_model_ids: expected a list of 1 to 2, each text'),
    (('action_chunk',), 'eight', r"action_chunk: expected a whole number .*found 'eight'"),
    (('n_action_bins',), True, r'n_action_bins: expected .*found True'),
])
def test_a_nonsense_value_names_file_and_key_in_load_and_inspection(
        checkpoint, originals, tmp_path, place, value, message):
    copied = tmp_path / 'tiny'
    shutil.copytree(checkpoint, copied)
    changed = replaced(originals['config.json'], place, value)
    (copied / 'config.json').write_text(json.dumps(changed))
    with pytest.raises(ConfigError, match=r'config\.json: ' + message):
        load_policy('openvla_oft', model_path=copied, device='cpu')
    report = inspect(copied)
    assert not report.loads
    assert any('config.json: ' in problem and str(place[-1]) in problem
               for problem in report.problems), report.problems

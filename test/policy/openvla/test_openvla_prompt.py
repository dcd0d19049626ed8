"""Prompts become the token ids of training."""

import json

import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.policy.openvla.prompt import BOS, EMPTY_TOKEN, Prompter
from vla_ros.policy.openvla.tiny import tiny_tokenizer


@pytest.fixture
def prompter(golden):
    return Prompter(golden / 'openvla_tiny', 'openvla', 2048)


def test_all_recorded_prompts_have_the_recorded_ids(golden, prompter):
    recorded = json.loads((golden / 'expected/misc/prompts.json').read_text(encoding='utf-8'))
    assert len(recorded) == 18
    for prompt, ids in recorded.items():
        assert prompter.tokenize(prompt) == ids['llm_input_ids'], prompt


def test_the_prompt_is_that_of_training(prompter):
    assert prompter.prompt('Pick up the RED cup') == (
        'In: What action should the robot take to pick up the red cup?\nOut:')


def test_the_older_prompt_is_that_of_its_training(golden):
    prompt = Prompter(golden / 'openvla_tiny', 'openvla_v01', 2048).prompt('pick up the red cup')
    meta = json.loads((golden / 'expected/openvla/meta.json').read_text(encoding='utf-8'))
    assert prompt == meta['cases']['C_v01_template']['prompt']


def test_ids_begin_with_bos_and_end_with_one_empty_token(tmp_path):
    tiny_tokenizer().save(str(tmp_path / 'tokenizer.json'))
    prompter = Prompter(tmp_path, 'openvla', 2048)
    for prompt in ('go', 'go ', 'go to it?\nOut:'):
        ids = prompter.tokenize(prompt)
        assert ids[0] == BOS
        assert ids[-1] == EMPTY_TOKEN
        assert ids[-2] != EMPTY_TOKEN


def test_a_tokenizer_that_adds_no_bos_gets_one(tmp_path):
    tokenizer = tiny_tokenizer()
    path = tmp_path / 'tokenizer.json'
    values = json.loads(tokenizer.to_str())
    path.write_text(json.dumps({**values, 'post_processor': None}))
    assert Prompter(tmp_path, 'openvla', 99).tokenize('go')[0] == BOS


@pytest.mark.parametrize('instruction', ['', '  '])
def test_an_empty_instruction_is_refused(tmp_path, instruction):
    tiny_tokenizer().save(str(tmp_path / 'tokenizer.json'))
    with pytest.raises(InputError, match='empty'):
        Prompter(tmp_path, 'openvla', 2048).ids(instruction)


def test_an_instruction_that_is_too_long_is_refused(tmp_path):
    tiny_tokenizer().save(str(tmp_path / 'tokenizer.json'))
    with pytest.raises(InputError, match='at most 100'):
        Prompter(tmp_path, 'openvla', 100).ids('very ' * 100)


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(ConfigError, match='tokenizer.json: no such file'):
        Prompter(tmp_path, 'openvla', 2048)


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    values = json.loads(tiny_tokenizer().to_str())
    values['model']['vocab']['▁'] = 31000
    (tmp_path / 'tokenizer.json').write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=r'Llama-2 tokens.*31000'):
        Prompter(tmp_path, 'openvla', 2048)


def test_an_unknown_template_lists_the_templates(tmp_path):
    with pytest.raises(ConfigError, match='Choices: openvla, openvla_v01'):
        Prompter(tmp_path, 'vicuna', 2048)

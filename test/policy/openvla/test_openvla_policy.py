"""The two policies as a user meets them: options, what they say, and what they refuse."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError, InvariantError
from vla_ros.core.types import ActionSpace, Observation, Rotation
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.images import ImageRules, mismatch
from vla_ros.policy.openvla.layout import find_layout
from vla_ros.policy.openvla.settings import read_settings
from vla_ros.policy.protocol import Policy

OFT = {'normalization': 'bounds_q99', 'dtype': 'float32'}


def observation(size=(28, 28), proprio=8, **changes):
    random = np.random.default_rng(0)
    images = {name: random.integers(0, 255, (*size, 3), dtype=np.uint8)
              for name in ('third_person', 'wrist')}
    return Observation(**{'stamp_ns': 5, 'instruction': 'pick it up', 'images': images,
                          'state': {'proprio': np.zeros(proprio)}, **changes})


@pytest.fixture
def oft(tiny):
    return load_policy('openvla_oft', model_path=tiny(head='l1', proprio_size=8), **OFT)


@pytest.mark.parametrize('head', ['none', 'l1', 'diffusion'])
def test_a_tiny_random_checkpoint_goes_the_whole_way(tiny, head):
    directory = tiny(head=head, proprio_size=8)
    options = {**OFT, 'diffusion_steps': 5} if head == 'diffusion' else OFT
    extra = {} if head != 'none' else {'use_proprio': False, 'chunk_length': 3}
    policy: Policy = load_policy('openvla_oft', model_path=directory, **options, **extra)
    policy.warm_up()
    policy.check_instruction('pick up the insulator')
    chunk = policy.infer(observation())
    assert chunk.actions.shape == (policy.spec.horizon, 7)
    assert chunk.actions.dtype == np.float64
    assert (chunk.stamp_ns, chunk.dt_ns) == (5, 50_000_000)
    assert policy.head == {'none': 'discrete'}.get(head, head)


def test_the_answer_depends_on_all_that_goes_in(oft):
    base = oft.infer(observation()).actions
    other = observation()
    black = {name: np.zeros_like(image) for name, image in other.images.items()}
    for changed in (observation(instruction='drop it'),
                    observation(images={**other.images, 'wrist': black['wrist']}),
                    observation(images={**other.images, 'third_person': black['third_person']}),
                    observation(state={'proprio': np.ones(8)})):
        assert not np.array_equal(oft.infer(changed).actions, base)


def test_the_sdpa_and_eager_attention_agree(tiny):
    directory = tiny(head='l1', proprio_size=8)
    found = [load_policy('openvla_oft', model_path=directory, attention=kind, **OFT)
             .infer(observation()).actions for kind in ('sdpa', 'eager')]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-5)


def test_the_label_and_the_description_say_what_was_loaded(oft):
    text = '\n'.join(oft.describe())
    for part in ('OpenVLA-OFT tiny (tiny_random)', '8 x 7', 'torch.float32', 'third_person, wrist',
                 'centre crop', 'Lanczos', 'head: l1', '8 numbers', 'bounds_q99',
                 'dataset_statistics.json'):
        assert part in text, part


def test_the_convention_is_that_of_the_settings(oft):
    assert oft.spec.convention.space is ActionSpace.EE_DELTA
    assert oft.spec.convention.rotation is Rotation.AXIS_ANGLE
    assert oft.spec.privileged is False


@pytest.mark.parametrize(('change', 'message'), [
    ({'images': {}}, 'camera third_person and wrist; the observation has none'),
    ({'images': {'third_person': np.zeros((8, 8, 3), np.uint8)}}, 'needs the camera wrist'),
    ({'state': {}}, "proprioception 'x' needs 'tool_pose' in the state; it has nothing"),
    ({'state': {'proprio': np.zeros(7)}}, 'expected 8 finite numbers'),
    ({'state': {'proprio': np.full(8, np.nan)}}, 'expected 8 finite numbers'),
    ({'instruction': ' '}, 'empty'),
])
def test_an_observation_that_lacks_something_is_refused(oft, change, message):
    with pytest.raises(InputError, match=message):
        oft.infer(observation(**change))


@pytest.mark.parametrize('image', [
    np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)),
    np.zeros((0, 8, 3), np.uint8)])
def test_an_image_of_another_kind_is_refused(oft, image):
    with pytest.raises(InputError, match=r"camera 'wrist': expected an image \(H, W, 3\) uint8"):
        oft.infer(observation(images={**observation().images, 'wrist': image}))


@settings(max_examples=20, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), st.integers(1, 60))
def test_images_of_any_size_give_finite_actions(oft, height, width):
    assert np.isfinite(oft.infer(observation(size=(height, width))).actions).all()


def test_warming_up_refuses_a_model_that_ignores_the_image(oft, monkeypatch):
    model = oft.parts.model
    monkeypatch.setattr(model.projector.fc3.weight, 'data', torch.zeros(32, 32))
    with pytest.raises(ConfigError, match='does not see'):
        oft.warm_up()


def test_warming_up_refuses_attention_that_is_causal(oft, monkeypatch):
    monkeypatch.setattr('vla_ros.policy.openvla.decoding.bidirectional_mask', lambda *_: None)
    with pytest.raises(InvariantError, match='attention is causal'):
        oft.warm_up()


def test_an_oft_directory_is_refused_by_the_plain_policy(tiny):
    with pytest.raises(ConfigError, match='use policy openvla_oft'):
        load_policy('openvla', model_path=tiny(head='l1'))


@pytest.mark.parametrize(('options', 'message'), [
    ({'model_paht': 'x'}, "Did you mean 'model_path'"),
    ({}, 'model_path is missing'),
    ({'dtype': 'fp8'}, 'Choices: auto, bfloat16, float16, float32'),
    ({'quantization': 'int4'}, 'Choices: int8, nf4, none'),
    ({'attention': 'flash'}, 'Choices: eager, sdpa'),
    ({'device': 'cuda:7'}, 'finds no CUDA device'),
    ({'max_memory': {0: '1GB'}}, 'max_memory is for device "auto"'),
    ({'prompt': 'chat'}, 'Choices: openvla, openvla_v01'),
    ({'image': {'round_trip': 'often'}}, 'Choices: always, never, unless_sized'),
    ({'image': {'center_crop': 'yes'}}, 'image.center_crop: expected true or false'),
    ({'image': {'crop': True}}, "unknown key 'image.crop'"),
    ({'image': {'jpeg_decoder': 'x'}}, 'Choices: accurate, fast_dct'),
    ({'non_action_tokens': 'keep'}, 'refuse, clip'),
    ({'convention': {'frame': 'world'}}, 'one of base, tool'),
    ({'normalization': 'q99'}, 'bounds_q99, bounds'),
    ({'chunk_length': 0}, 'chunk_length'),
    ({'diffusion_steps': 99}, 'expected 1 to 50'),
    ({'dims': ['x', 'y', 'z', 'rx', 'ry', 'rz']}, 'has actions of 7 numbers; dims names 6'),
    ({'dims': ['x', 'y']}, r"dims: dimensions of 'ee_delta' must be x y z rx ry rz \[gripper\]"),
    ({'convention': {'space': 'joint_delta'}}, "of 'joint_delta' must be distinct joint names"),
    ({'contradictions': 'ignore'}, 'refuse, accept'),
    ({'unnorm_key': 'bridge'}, "unknown unnorm_key 'bridge'.*Choices: tiny_random"),
])
def test_an_option_that_cannot_be_used_is_named(tiny, options, message):
    if torch.cuda.is_available() and 'device' in options:
        pytest.skip('there is a CUDA device')
    path = {} if not options or 'model_paht' in options else {
        'model_path': tiny(head='l1', proprio_size=8)}
    with pytest.raises(ConfigError, match=message):
        load_policy('openvla_oft', **{**OFT, **path, **options})


def test_several_cameras_are_refused_by_the_plain_policy(tiny):
    with pytest.raises(ConfigError, match='one camera'):
        load_policy('openvla', model_path=tiny(), cameras=('a', 'b'))


@pytest.mark.parametrize(('dataset', 'sizes', 'chunk', 'mode'), [
    ('libero_goal', (7, 8), 8, 'bounds_q99'),
    ('bridge_orig', (7, 7), 5, 'bounds_q99'),
    ('aloha1_fold', (14, 14), 25, 'bounds'),
    ('my_own_arm', (14, 14), 25, 'bounds'),
    ('my_bridge', (7, 0), 5, 'bounds_q99'),
])
def test_a_known_setup_is_recognised_by_sizes_and_name(tiny, dataset, sizes, chunk, mode):
    import json

    directory = tiny(head='l1', dataset=dataset, action_size=sizes[0], proprio_size=sizes[1])
    values = json.loads((directory / 'config.json').read_text())
    (directory / 'config.json').write_text(json.dumps({**values, 'action_chunk': None}))
    policy = load_policy('openvla_oft', model_path=directory, proprio='given',
                         dims=[f'd{i}' for i in range(sizes[0])],
                         convention={'space': 'joint_position'})
    assert (policy.spec.horizon, policy.layout.normalization.value) == (chunk, mode)


def test_an_unknown_setup_must_be_told(tiny):
    with pytest.raises(ConfigError, match='cannot tell the normalisation.*set chunk_length'):
        load_policy('openvla_oft', model_path=tiny(head='l1', proprio_size=5))
    assert callable(find_layout)


@pytest.mark.parametrize(('size', 'said'), [
    ((256, 256), ''), ((224, 224), ''),
    ((480, 640), '1.33 times narrower'), ((640, 480), '1.33 times wider'),
    ((512, 512), 'finer detail'), ((128, 128), 'coarser detail'),
])
def test_another_size_than_in_training_is_said_with_what_will_happen(size, said):
    message = mismatch('wrist', size, (256, 256), (224, 224))
    assert (said in message) if said else message == ''


def test_the_warning_comes_once_per_camera_and_size(oft, caplog):
    for _ in range(3):
        oft.infer(observation(size=(48, 64)))
    assert caplog.text.count("camera 'wrist' sends 48x64") == 1


def test_a_name_that_says_image_aug_without_the_crop_is_a_warning(tiny, caplog):
    directory = tiny('run--image_aug', head='l1', proprio_size=8)
    load_policy('openvla_oft', model_path=directory, image={'center_crop': False}, **OFT)
    assert 'center_crop is off' in caplog.text


@pytest.mark.parametrize('policy', ['openvla', 'openvla_oft'])
def test_the_shipped_settings_are_complete(policy):
    found, model = read_settings(policy, None, {'model_path': 'x'})
    assert isinstance(found.image, ImageRules)
    assert model == {'model_path': 'x'}

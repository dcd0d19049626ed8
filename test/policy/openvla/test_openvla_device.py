"""Where a model is computed: as told, else on a GPU where there is one, and it says so."""

import pytest
import torch

from vla_ros.core.errors import ConfigError
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.loading import LoadOptions


@pytest.fixture(params=[True, False])
def cuda(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: request.param)
    return request.param


def test_no_device_is_a_gpu_where_there_is_one(cuda):
    options = LoadOptions()
    assert options.place == ('cuda' if cuda else 'cpu')
    assert options.describe_place().startswith(options.place)
    assert ('there is a CUDA device' if cuda else 'finds no CUDA device') in \
        options.describe_place()


def test_a_device_that_is_named_is_taken(cuda):
    assert LoadOptions(device='cpu').place == 'cpu'
    assert LoadOptions(device='auto').place == 'auto'
    if cuda:
        assert LoadOptions(device='cuda:1').place == 'cuda:1'
    else:
        with pytest.raises(ConfigError, match=r"device 'cuda:1': .*finds no CUDA device"):
            LoadOptions(device='cuda:1')


def test_what_was_chosen_is_said_at_load(tiny, caplog, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    caplog.set_level('INFO')
    policy = load_policy('openvla_oft', model_path=tiny(head='l1', proprio_size=8))
    assert 'device: cpu, since PyTorch' in caplog.text
    assert next(policy.parts.model.parameters()).device.type == 'cpu'
    assert 'on cpu' in policy.describe()[0]


def test_too_little_memory_is_told_with_what_helps(tiny, monkeypatch):
    def full(*_args, **_kwargs):
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')

    monkeypatch.setattr('vla_ros.policy.openvla.model.OpenVLAForActionPrediction.from_pretrained',
                        full)
    with pytest.raises(ConfigError, match=r'does not fit on cpu: .*2\.00 GiB.*nf4.*device auto'):
        load_policy('openvla_oft', model_path=tiny(head='l1', proprio_size=8), device='cpu')

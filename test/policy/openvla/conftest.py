"""Golden data of the reference implementations, and tiny checkpoints of our own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

# Without these every module here would fail at its imports; test_lazy_torch.py says so and goes on.
MISSING = [name for name in ('torch', 'transformers', 'accelerate', 'simplejpeg')
           if importlib.util.find_spec(name) is None]
collect_ignore_glob = ['test_openvla_*.py'] if MISSING else []

if not MISSING:
    import torch

    torch.set_num_threads(1)

GOLDEN_OFT_VARIANTS = {'l1': 'openvla_oft_tiny', 'film': 'openvla_oft_film_tiny',
                       'diffusion': 'openvla_oft_diffusion_tiny', 'aloha': 'openvla_oft_aloha_tiny'}


@pytest.fixture(scope='session')
def golden(shared) -> Path:
    """Return the folder of results recorded from the reference implementations."""
    folder = shared / 'golden' / 'openvla'
    if not folder.is_dir():
        pytest.skip(f'no golden data at {folder}')
    return folder


@pytest.fixture(scope='session')
def golden_meta(golden) -> dict:
    """Return the cases of the OFT golden data."""
    return json.loads((golden / 'expected/oft/meta.json').read_text(encoding='utf-8'))


@pytest.fixture(scope='session')
def run_directory(golden, tmp_path_factory):
    """Return a function: variant -> complete run directory; components beside the OFT model."""

    def complete(variant: str) -> Path:
        own = golden / GOLDEN_OFT_VARIANTS[variant]
        if variant == 'l1':
            return own
        directory = tmp_path_factory.mktemp('run') / own.name
        directory.mkdir()
        for source in (golden / 'openvla_oft_tiny', own):
            for path in source.iterdir():
                if path.is_file() and not (source != own and path.suffix == '.pt'):
                    (directory / path.name).unlink(missing_ok=True)
                    (directory / path.name).symlink_to(path)
        return directory

    return complete


@pytest.fixture(scope='session')
def load(run_directory, golden):
    """Return a function that loads a policy in float32 whose images are prepared already."""
    from vla_ros.policy import load_policy

    loaded = {}

    def load(name: str, variant: str | None = None, **options):
        key = (name, variant, repr(sorted(options.items())))
        if key not in loaded:
            path = run_directory(variant) if variant else golden / 'openvla_tiny'
            loaded[key] = load_policy(name, **{
                'model_path': path, 'dtype': 'float32', 'device': 'cpu',
                'contradictions': 'accept',  # what is compared is the model
                'image': {'round_trip': 'never', 'center_crop': False}, **options})
        return loaded[key]

    return load


@pytest.fixture(scope='session')
def oft_case(golden, golden_meta):
    """Return a function: name of a case -> its ready-made images, instruction and proprioception.

    Images are those that TensorFlow prepared, so that the model is compared on the same input.
    """
    index = json.loads((golden / 'expected/preproc_tf/index.json').read_text(encoding='utf-8'))
    folders = {entry['input'].split(':')[1]: name for name, entry in index.items()}
    ready = np.load(golden / 'expected/oft/cropped_224_inputs.npz')

    def image(source: str, crop: bool) -> np.ndarray:
        if crop and source in ready:
            return ready[source]
        return np.load(golden / f'expected/preproc_tf/{folders[source]}.npz')[
            'cropped' if crop else 'resized']

    def case(name: str) -> SimpleNamespace:
        cases = golden_meta['cases']
        found = cases[name]
        images = [image(found[key], found['center_crop']) for key in found if 'image' in key]
        index = found.get('proprio_index')
        proprio = (cases['_aloha_proprio_raw'] if index is None else cases['_proprio_raw'][index])
        return SimpleNamespace(images=images, proprio=np.array(proprio),
                               instruction=cases['_instructions'][found['instruction_index']])

    return case


@pytest.fixture
def close():
    """Return an assertion: max|d| <= tolerance * max|expected|, and nothing is NaN."""

    def check(found, expected, tolerance: float, what: str = '') -> None:
        found, expected = (np.asarray(value, dtype=np.float64) for value in (found, expected))
        assert found.shape == expected.shape, what
        error = np.abs(found - expected).max() / np.abs(expected).max()
        assert error <= tolerance, f'{what}: {error:.2e} > {tolerance:.0e}'

    return check


@pytest.fixture
def tiny(tmp_path):
    """Return a function that writes a tiny random checkpoint of our own and returns its path."""
    from vla_ros.policy.openvla.tiny import TinyCheckpoint, write_tiny_checkpoint

    def write(name: str = 'tiny', **options) -> Path:
        return write_tiny_checkpoint(tmp_path / name, TinyCheckpoint(image_size=28, **options))

    return write

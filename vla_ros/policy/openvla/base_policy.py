"""What both policies share: the checkpoint's own parts around the model."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.policy_identity import PolicyIdentity
from vla_ros.core.types import ActionChunk, Observation
from vla_ros.policy.identity import short_hash, statistics_hash, weights_hash
from vla_ros.policy.openvla.action_tokens import ActionTokens
from vla_ros.policy.openvla.checkpoint import Checkpoint
from vla_ros.policy.openvla.image_processor import ImageProcessor
from vla_ros.policy.openvla.images import ImagePipeline, mismatch
from vla_ros.policy.openvla.inspection.conventions import Convention, objections
from vla_ros.policy.openvla.loading import LoadOptions, load_model
from vla_ros.policy.openvla.model import OpenVLAForActionPrediction, execution_device
from vla_ros.policy.openvla.prompt import EOS, Prompter
from vla_ros.policy.openvla.settings import PolicySettings
from vla_ros.policy.openvla.statistics import Bounds, Normalization, Statistics
from vla_ros.policy.openvla.stopwatch import Stopwatch
from vla_ros.policy.protocol import PolicySpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Parts:
    """A loaded checkpoint.

    Attributes
    ----------
    checkpoint : Checkpoint
        What is in the directory.
    model : OpenVLAForActionPrediction
        The weights.
    statistics : Statistics
        Of the training data.
    key : str
        The dataset whose statistics are used.
    prompter : Prompter
        Instruction to ids.
    images : ImagePipeline
        Camera images to the model's input.
    tokens : ActionTokens
        Ids to numbers.
    quantization : str
        ``none``, ``int8`` or ``nf4``.

    """

    checkpoint: Checkpoint
    model: OpenVLAForActionPrediction
    statistics: Statistics
    key: str
    prompter: Prompter
    images: ImagePipeline
    tokens: ActionTokens
    quantization: str = 'none'


def load_parts(settings: PolicySettings, model_options: dict[str, Any], load: LoadOptions) -> Parts:
    """Load what both policies need; the small and likely broken files first, the weights last.

    Raises
    ------
    ConfigError
        When the checkpoint is broken or does not fit the settings.

    """
    checkpoint = Checkpoint.open(model_options['model_path'], model_options.get('base_path'))
    statistics = Statistics.of_directory(checkpoint.path, checkpoint.config, checkpoint.fine_tuned)
    key = statistics.choose(model_options.get('unnorm_key'))
    size = statistics.size(key, 'action')
    if size != len(settings.dims):
        raise ConfigError(f'{statistics.source}: {key} has actions of {size} numbers; dims names '
                          f'{len(settings.dims)}: {" ".join(settings.dims)}')
    _check_convention(settings, statistics, key)
    processor = ImageProcessor.of_directory(checkpoint.path)
    longest = int(checkpoint.config.get('llm_max_length', 2048))
    prompter = Prompter(checkpoint.path, settings.prompt, longest)
    if 'image_aug' in checkpoint.path.name and not settings.image.center_crop:
        _log.warning('%s was trained with image augmentation by its name, but center_crop is off; '
                     'such models expect the centre crop', checkpoint.path.name)
    model = load_model(checkpoint, load)
    if processor.size != (model.config.image_size,) * 2:
        raise ConfigError(f'{checkpoint.path}: the image processor makes images of '
                          f'{processor.size}, the model takes {model.config.image_size}')
    if len(processor.means) != len(model.config.towers):
        raise ConfigError(f'{checkpoint.path}: the image processor is for {len(processor.means)} '
                          f'vision towers, the model has {len(model.config.towers)}')
    return Parts(checkpoint, model, statistics, key, prompter,
                 ImagePipeline(settings.cameras, settings.image, processor),
                 ActionTokens(model.config.action_vocabulary, model.config.n_action_bins),
                 load.quantization)


def _check_convention(settings: PolicySettings, statistics: Statistics, key: str) -> None:
    """Compare what the settings make of the actions with what the training data has in them.

    Raises
    ------
    ConfigError
        When they contradict each other for certain, and that is not accepted.

    """
    try:
        action, typical = statistics.bounds(key, 'action', Normalization.BOUNDS_Q99), True
    except ConfigError:  # minimum and maximum are often those of one broken recording
        action, typical = statistics.bounds(key, 'action', Normalization.BOUNDS), False
    found = objections(Convention.of_settings('', settings), action)
    certain = [str(objection) for objection in found if objection.certain and typical]
    if certain and settings.contradictions == 'refuse':
        raise ConfigError(
            f'{statistics.source}: {key}: the actions cannot be what the convention says: '
            f'{"; ".join(certain)}. Name a file that fits with policy_config (vla-ros policy '
            f'inspect lists them), or set contradictions: accept there')
    for objection in found:
        _log.warning('the convention does not fit %s: %s', key, objection)


class VLAPolicy:
    """Common part of the two policies; a subclass answers with normalised actions.

    Parameters
    ----------
    name : str
        ``openvla`` or ``openvla_oft``.
    kind : str
        What it is, for people.
    parts : Parts
        The loaded checkpoint.
    settings : PolicySettings
        How to feed it and read its actions.
    horizon : int
        Steps of a chunk.
    action : Bounds
        Ranges of a step's numbers.

    Attributes
    ----------
    timings : dict[str, float]
        Milliseconds of each stage of the last inference, and in total; see
        :class:`~vla_ros.policy.openvla.stopwatch.Stopwatch`.

    """

    def __init__(self, name: str, kind: str, parts: Parts, settings: PolicySettings, horizon: int,
                 action: Bounds) -> None:
        self.parts = parts
        self.settings = settings
        self.action = action
        self.timings: dict[str, float] = {}
        self.stopwatch = Stopwatch(execution_device(parts.model.language_model.model.norm))
        self.spec = PolicySpec(
            name, f'{_warning(parts.checkpoint)}{kind} {parts.checkpoint.path.name} ({parts.key})',
            settings.cameras,
            privileged=False, dt_ns=round(settings.dt * 1e9), horizon=horizon,
            convention=settings.convention, dims=settings.dims)
        for line in self.describe():
            _log.info(line)

    @cached_property
    def identity(self) -> PolicyIdentity:
        """Which policy exactly this is."""
        parts = self.parts
        checkpoint = parts.checkpoint
        return PolicyIdentity(
            self.spec.name, checkpoint.path.name,
            weights_hash(checkpoint.path, checkpoint.weights),
            statistics_hash(parts.key, parts.statistics.datasets[parts.key]),
            _settings_hash(self.settings), parts.quantization,
            str(parts.model.dtype).removeprefix('torch.'))

    @property
    def statistics_keys(self) -> tuple[str, ...]:
        """The datasets whose statistics the checkpoint has."""
        return tuple(self.parts.statistics.datasets)

    def with_statistics(self, key: str) -> VLAPolicy:
        """Return this policy, its weights shared, with the statistics of another dataset.

        Raises
        ------
        ConfigError
            When that dataset's do not fit the model.

        """
        other = copy.copy(self)
        other.__dict__.pop('identity', None)
        other.parts = replace(self.parts, key=key)
        other.action = self._bounds(key, 'action')
        if other.action.size != self.action.size:
            raise ConfigError(f'{self.parts.statistics.source}: {key} has actions of '
                              f'{other.action.size} numbers, the model {self.action.size}')
        return other

    def image_objection(self, camera: str, size: tuple[int, int]) -> str:
        """Return what will happen to pictures (height, width) that training did not see so."""
        images = self.parts.images
        return mismatch(camera, size, images.rules.trained_on, images.processor.size)

    def _bounds(self, key: str, part: str) -> Bounds:
        """Return the ranges of a part in the statistics of a dataset."""
        return self.parts.statistics.bounds(key, part, Normalization.BOUNDS_Q99)

    def describe(self) -> list[str]:
        """Return, in lines for people, what was loaded and by which rules it is fed and read."""
        parts, model = self.parts, self.parts.model
        quantized = getattr(model, 'quantization_method', None)
        return [
            f'{self.spec.label}: chunks of {self.spec.horizon} x {self.action.size}, '
            f'{model.dtype}{f", {quantized.value}" if quantized else ""}, on '
            f'{execution_device(model.language_model.model.norm)}',
            f'images ({", ".join(self.spec.cameras)}): '
            f'{self.settings.image.describe(parts.images.processor)}',
            f'statistics: {parts.statistics.source}: {parts.key}',
        ]

    def check_instruction(self, instruction: str) -> None:
        """Raise InputError for an instruction that makes no prompt; any words are understood."""
        self.parts.prompter.ids(instruction)

    def warm_up(self) -> None:
        """Answer once, and check that the model looks at the image.

        Raises
        ------
        ConfigError
            When a black and a white image give the very same answer: some versions of a library
            make these models ignore the image without any error.

        """
        ids = self.parts.prompter.ids('warm up')
        shape = (*self.parts.images.rules.trained_on, 3)
        probes = [self._probe(ids, self._pixels(self._observation(np.full(shape, level, np.uint8))))
                  for level in (0, 255)]
        if torch.equal(*probes):
            raise ConfigError(f'{self.parts.checkpoint.path}: a black and a white image give the '
                              f'same answer: the model does not see; not fit to drive an arm')

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the model's actions for an observation.

        Raises
        ------
        InputError
            When the observation lacks something, or the model's answer is no action.

        """
        self.stopwatch.start()
        with self.stopwatch.stage('preprocess', device=False):
            ids = self.parts.prompter.ids(observation.instruction)
            pixels = self._pixels(observation)
        with torch.inference_mode():
            normalised = self._answer(ids, pixels, observation)
        with self.stopwatch.stage('head', device=False):
            actions = self.action.unnormalise(normalised)
        self.timings = self.stopwatch.stop()
        return ActionChunk(observation.stamp_ns, self.spec.dt_ns, actions, self.spec.dims,
                           self.spec.convention, self.spec.name)

    def _answer(self, ids: list[int], pixels: torch.Tensor, observation: Observation) -> np.ndarray:
        """Return the normalised actions (H, A)."""
        raise NotImplementedError

    def _probe(self, ids: list[int], pixels: torch.Tensor) -> torch.Tensor:
        """Return what the answer is read from, before anything is rounded."""
        raise NotImplementedError

    def _pixels(self, observation: Observation) -> torch.Tensor:
        return torch.from_numpy(self.parts.images.pixel_values(observation))[None]

    def _observation(self, image: np.ndarray) -> Observation:
        return Observation(0, 'warm up', dict.fromkeys(self.spec.cameras, image))

    def _decoded(self, tokens: np.ndarray) -> np.ndarray:
        """Return the normalised numbers of action tokens, after a look at what they are.

        Raises
        ------
        InputError
            When the answer ended early, or a token is no action and those are refused.

        """
        kind = self.parts.tokens
        strange = np.flatnonzero(~kind.is_action(tokens))
        ended = np.flatnonzero(tokens == EOS)
        if ended.size:
            raise InputError(f'the model ended its answer after {ended[0]} of {tokens.size} '
                             f'numbers; is the prompt ({self.settings.prompt!r}) the one it was '
                             f'trained with?')
        if strange.size and self.settings.non_action_tokens == 'refuse':
            raise InputError(f'the model answered with a token that is no action '
                             f'({tokens.flat[strange[0]]}, expected {kind.first} to {kind.last}) '
                             f'in place of number {strange[0]}')
        return kind.decode(tokens)


def _settings_hash(settings: PolicySettings) -> str:
    """Return a hash that is the same in every process."""
    names = settings.proprio.names if settings.proprio is not None else None
    return short_hash((repr(replace(settings, proprio=None)), names))


def _warning(checkpoint: Checkpoint) -> str:
    return ('RANDOM WEIGHTS, moves without purpose: '
            if checkpoint.config.get('random_weights') else '')

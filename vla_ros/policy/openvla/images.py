"""From a camera's image to the model's input, by the rules that the checkpoint was trained with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.core.types import Observation
from vla_ros.policy.openvla.image_processor import ImageProcessor
from vla_ros.policy.openvla.preprocessing import centre_crop, jpeg_round_trip, lanczos_resize

_log = logging.getLogger(__name__)

ROUND_TRIPS = ('always', 'unless_sized', 'never')
JPEG_DECODERS = ('fast_dct', 'accurate')


@dataclass(frozen=True)
class ImageRules:
    """How an image reaches the image processor.

    Attributes
    ----------
    round_trip : str
        When an image goes through JPEG and a Lanczos resize to the model's size: ``always``,
        ``unless_sized`` (it has that size already; OpenVLA-OFT), or ``never`` (the image processor
        alone resizes; the plain OpenVLA server).
    center_crop : bool
        Whether the middle 90 % of the area is taken, for models trained with image augmentation.
    jpeg_decoder : str
        ``fast_dct`` as TensorFlow, or ``accurate`` where simplejpeg cannot be installed.
    trained_on : tuple[int, int]
        Height and width of the images in the training data [px].

    """

    round_trip: str
    center_crop: bool
    jpeg_decoder: str
    trained_on: tuple[int, int]

    def __post_init__(self) -> None:
        if self.round_trip not in ROUND_TRIPS:
            raise unknown_choice('image.round_trip', self.round_trip, ROUND_TRIPS)
        if self.jpeg_decoder not in JPEG_DECODERS:
            raise unknown_choice('image.jpeg_decoder', self.jpeg_decoder, JPEG_DECODERS)
        if len(self.trained_on) != 2 or not all(side > 0 for side in self.trained_on):
            raise ConfigError(f'image.trained_on: expected height and width [px], found '
                              f'{self.trained_on}')

    def describe(self, processor: ImageProcessor) -> str:
        """Return the whole way of an image, in one line for people."""
        height, width = processor.size
        steps = []
        if self.round_trip != 'never':
            when = f' unless {height}x{width}' if self.round_trip == 'unless_sized' else ''
            steps.append(f'JPEG q95 ({self.jpeg_decoder}) and Lanczos-3 to {height}x{width}{when}')
        if self.center_crop:
            steps.append('centre crop of 90 % of the area')
        steps.append(f'{processor.strategy} to {height}x{width}')
        steps.append(f'normalised for {len(processor.means)} towers')
        return ' -> '.join(steps)


class ImagePipeline:
    """Prepares the images of an observation.

    Parameters
    ----------
    cameras : Sequence[str]
        Names in ``Observation.images``, in the order of training.
    rules : ImageRules
        The client side.
    processor : ImageProcessor
        The checkpoint's own side.

    """

    def __init__(self, cameras: Sequence[str], rules: ImageRules,
                 processor: ImageProcessor) -> None:
        self.cameras = tuple(cameras)
        self.rules = rules
        self.processor = processor
        self._seen: set[tuple[str, tuple[int, int]]] = set()

    def pixel_values(self, observation: Observation) -> np.ndarray:
        """Return (cameras * channels, H, W) float32.

        Raises
        ------
        InputError
            When a camera is missing, or its image is not (H, W, 3) uint8: never a zero image.

        """
        missing = [name for name in self.cameras if name not in observation.images]
        if missing:
            raise InputError(f'the policy needs the camera {" and ".join(missing)}; the '
                             f'observation has {", ".join(sorted(observation.images)) or "none"}')
        return np.concatenate([self._one(name, observation.images[name])
                               for name in self.cameras])

    def client_image(self, image: np.ndarray) -> np.ndarray:
        """Return the uint8 image after the client-side rules."""
        height, width = self.processor.size
        trip = self.rules.round_trip
        if trip == 'always' or (trip == 'unless_sized' and image.shape[:2] != (height, width)):
            decoded = jpeg_round_trip(image, self.rules.jpeg_decoder == 'fast_dct')
            image = lanczos_resize(decoded, height, width)
        return centre_crop(image, height, width) if self.rules.center_crop else image

    def _one(self, camera: str, image: np.ndarray) -> np.ndarray:
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(f'camera {camera!r}: expected an image (H, W, 3) uint8 RGB, found '
                             f'{image.shape} {image.dtype}')
        self._warn_once(camera, image.shape[:2])
        return self.processor(self.client_image(image))

    def _warn_once(self, camera: str, size: tuple[int, int]) -> None:
        if (camera, size) in self._seen:
            return
        self._seen.add((camera, size))
        message = mismatch(camera, size, self.rules.trained_on, self.processor.size)
        if message:
            _log.warning(message)


def mismatch(camera: str, size: tuple[int, int], trained_on: tuple[int, int],
             model_size: tuple[int, int]) -> str:
    """Return what will happen to an image that training did not see in this size, or nothing."""
    (height, width), (rows, columns) = size, trained_on
    if size == tuple(trained_on) or size == tuple(model_size):
        return ''
    target = f'{model_size[0]}x{model_size[1]}'
    found = (f'camera {camera!r} sends {height}x{width} (height x width), training saw '
             f'{rows}x{columns}')
    stretch = (width / height) / (columns / rows)
    if abs(stretch - 1.0) > 0.01:
        change = (f'{stretch:.2f} times narrower' if stretch > 1
                  else f'{1 / stretch:.2f} times wider')
        return (f'{found}: another aspect ratio. The whole image is squeezed into {target}, so '
                f'things look {change} than a camera of {rows}x{columns} shows them; crop it to '
                f'that ratio first, unless the training images were squeezed the same way')
    detail = 'finer' if height > rows else 'coarser'
    return (f'{found}: it is resized to {target} all the same, with {detail} detail than in '
            f'training')

"""Episodes <-> bags with this package's topics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError, unknown_choice
from vla_ros.image_codec import encode_rgb
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.episode import Episode, Frame, Frames, rgb_of
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE, picture_of
from vla_ros.replay.stamps import header_ns, to_ns
from vla_ros.replay.topic_choice import (
    INPUTS,
    JOINT_STATE,
    RECORDED,
    STRING,
    TRAJECTORY,
    choose,
)

IMAGE_FORMATS = ('keep', 'raw', 'jpeg', 'png')
"""How a bag gets the pictures; ``keep`` writes a JPEG or PNG as it was found and the rest raw."""

EPISODE_TOPIC = '/episode'
"""Where a bag that was made from an episode says so (String, JSON)."""

BASE_FRAME = 'base_link'
_CAMERAS = ('third_person', 'wrist')


def write_episode(path: Path, episode: Episode, image_format: str = 'keep') -> int:
    """Write an episode as a bag and return its number of messages.

    Topics: ``/camera/<name>/image_raw`` (or ``…/compressed``), ``/proprio`` or ``/joint_states``,
    ``/action_chunk`` (one step each, stamped with its observation), ``/instruction``, and
    ``/episode``, which says that the bag is derived and what from. Everything is received when it
    is stamped.

    Raises
    ------
    ConfigError
        When ``path`` exists or the format is unknown.
    InputError
        When the episode's pictures do not fit its steps.

    """
    if image_format not in IMAGE_FORMATS:
        raise unknown_choice('image format', image_format, IMAGE_FORMATS)
    dt_ns = round(1e9 / episode.rate_hz)
    first = int(episode.stamps_ns[0])
    about = {'derived': True, 'source': episode.source, 'rate_hz': episode.rate_hz,
             'steps': episode.steps, **episode.notes}
    with BagWriter(path, latched=('/instruction', EPISODE_TOPIC),
                   custom={'derived_from': episode.source}) as bag:
        bag.write_message(EPISODE_TOPIC, STRING, first, messages.text(json.dumps(about)))
        if episode.instruction:
            bag.write_message('/instruction', STRING, first, messages.text(episode.instruction))
        streams = {camera: episode.encoded_frames(camera) for camera in episode.images}
        for step in range(episode.steps):
            stamp = int(episode.stamps_ns[step])
            for camera, frames in streams.items():
                _write_frame(bag, camera, next(frames), stamp, image_format,
                             f'{episode.source}: {camera} step {step}')
            if episode.state_names:
                bag.write_message(f'/{episode.state_topic}', JOINT_STATE, stamp,
                                  messages.joint_state(episode.state_names, episode.state[step],
                                                       stamp, BASE_FRAME))
            if episode.action_names:
                bag.write_message('/action_chunk', TRAJECTORY, stamp, messages.action_chunk(
                    episode.action_names, episode.actions[step], dt_ns, stamp, BASE_FRAME))
        for frames in streams.values():
            next(frames, None)  # says so when there are more pictures than steps
        return sum(bag.counts.values())


def _write_frame(bag: BagWriter, camera: str, frame: Frame, stamp_ns: int, image_format: str,
                 where: str) -> None:
    topic, frame_id = f'/camera/{camera}/image_raw', f'{camera}_camera_optical_frame'
    if image_format in ('jpeg', 'png'):
        frame = encode_rgb(rgb_of(frame, where), image_format)
    elif image_format == 'raw':
        frame = rgb_of(frame, where)
    if isinstance(frame, bytes):
        bag.write_message(f'{topic}/compressed', COMPRESSED_IMAGE, stamp_ns,
                          messages.compressed_image(frame, stamp_ns, frame_id))
    else:
        bag.write_message(topic, IMAGE, stamp_ns, messages.image(frame, stamp_ns, frame_id))


def read_episode(path: Path, given: Mapping[str, str] | None = None, *,
                 rate_hz: float | None = None, tolerance_s: float = 0.1,
                 actions: str = 'auto') -> Episode:
    """Return the episode of a bag: one step for each picture of its first camera.

    Every other stream gives the sample that is nearest to the step. Steps before the first and
    after the last sample of a stream are left out.

    Parameters
    ----------
    path : Path
        The bag.
    given : Mapping[str, str] | None
        Input (``third_person``, ``wrist``, ``state``, ``instruction``, ``chunks``, ``commands``) ->
        topic, where names do not say.
    rate_hz : float | None
        Steps a second, evenly; None: the camera's pictures as they came.
    tolerance_s : float
        A sample further than this from its step is missing [s].
    actions : str
        ``chunks`` (the step of the newest chunk that is due), ``commands``, ``none``, or ``auto``:
        the first of these that the bag has.

    Raises
    ------
    ConfigError
        When a given topic does not fit.
    InputError
        When there is no camera, or a stream has a hole.

    """
    with Bag(path) as bag:
        inputs = choose(bag.topics, {**INPUTS, **RECORDED}, given)
        topics = {name: choice.topic for name, choice in inputs.items() if choice.topic}
        cameras = [name for name in _CAMERAS if name in topics]
        if not cameras:
            raise InputError(f'{path}: no camera: no topic of pictures is called like '
                             f'{" or ".join(_CAMERAS)}; say which', path=path)
        about = _about(bag)
        source = _action_source(actions, topics)
        wanted = [*cameras, *(name for name in ('state', source) if name in topics)]
        times = {name: _times(bag, topics[name]) for name in wanted}
        steps = _steps(times, cameras[0], rate_hz)
        tolerance_ns = round(tolerance_s * 1e9)
        picks = {name: _nearest(times[name], steps, tolerance_ns, f'{path}: {topics[name]}')
                 for name in wanted if name != 'chunks'}
        names, state = _vectors(bag, topics.get('state'), picks.get('state'), len(steps))
        if source == 'chunks':
            action_names, done = _due(bag, topics['chunks'], steps, tolerance_ns)
        else:
            action_names, done = _vectors(bag, topics.get(source), picks.get(source), len(steps))
        text = _instruction(bag, topics.get('instruction'))
    rate = rate_hz or about.get('rate_hz') or _rate(steps, path)
    return Episode(steps, {camera: _frames(path, topics[camera], picks[camera])
                           for camera in cameras},
                   state, names, done, action_names, text, float(rate), str(path),
                   (topics.get('state') or '/proprio').rpartition('/')[2])


def _action_source(actions: str, topics: Mapping[str, str]) -> str:
    choices = ('auto', 'chunks', 'commands', 'none')
    if actions not in choices:
        raise unknown_choice('source of actions', actions, choices)
    if actions == 'auto':
        return next((name for name in ('chunks', 'commands') if name in topics), 'none')
    if actions != 'none' and actions not in topics:
        raise InputError(f'no topic of {actions} was found or given')
    return actions


def _about(bag: Bag) -> dict[str, Any]:
    if EPISODE_TOPIC not in bag.topics:
        return {}
    try:
        found = json.loads(bag.message(next(bag.records([EPISODE_TOPIC]))).data)
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _times(bag: Bag, topic: str) -> np.ndarray:
    """Return the stamps (n,) of a topic [ns]."""
    return np.array([header_ns(record.data) for record in bag.records([topic])], dtype=np.int64)


def _steps(times: Mapping[str, np.ndarray], reference: str, rate_hz: float | None) -> np.ndarray:
    first = max(int(found.min()) for found in times.values())
    last = min(int(found.max()) for found in times.values())
    if rate_hz is None:
        found = np.unique(times[reference])
        return found[(found >= first) & (found <= last)]
    count = max(int((last - first) * 1e-9 * rate_hz + 1e-6) + 1, 0)
    return first + np.round(np.arange(count) * (1e9 / rate_hz)).astype(np.int64)


def _nearest(times: np.ndarray, steps: np.ndarray, tolerance_ns: int, where: str) -> np.ndarray:
    """Return, for each step, the number of the message whose stamp is nearest."""
    order = np.argsort(times, kind='stable')
    ordered = times[order]
    after = np.clip(np.searchsorted(ordered, steps), 1, len(ordered) - 1) if len(
        ordered) > 1 else np.zeros(len(steps), int)
    before = np.maximum(after - 1, 0)
    nearer = np.where(steps - ordered[before] <= ordered[after] - steps, before, after)
    away = np.abs(ordered[nearer] - steps)
    if away.size and away.max() > tolerance_ns:
        step = int(np.argmax(away))
        raise InputError(f'{where}: no message within {tolerance_ns * 1e-9:g} s of step {step} '
                         f'({(steps[step] - steps[0]) * 1e-9:.3f} s); the nearest is '
                         f'{away[step] * 1e-9:.3f} s away')
    return order[nearer]


def _vectors(bag: Bag, topic: str | None, picks: np.ndarray | None,
             steps: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and the positions (T, n) of joint states."""
    if topic is None or picks is None:
        return (), np.zeros((steps, 0))
    wanted = set(picks.tolist())
    names: tuple[str, ...] | None = None
    found: dict[int, np.ndarray] = {}
    for number, record in enumerate(bag.records([topic])):
        if number not in wanted:
            continue
        message = bag.message(record)
        names = names or tuple(message.name)
        values = dict(zip(message.name, message.position, strict=False))
        if set(names) - set(values):
            raise InputError(f'{bag.path}: {topic}: message {number} has no position of '
                             f'{", ".join(sorted(set(names) - set(values)))}')
        found[number] = np.array([values[name] for name in names])
    return names or (), np.array([found[number] for number in picks.tolist()])


def _due(bag: Bag, topic: str, steps: np.ndarray,
         tolerance_ns: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and, for each step, the action that is due of the newest chunk."""
    chunks: list[tuple[int, np.ndarray, np.ndarray]] = []
    names: tuple[str, ...] = ()
    for record in bag.records([topic]):
        message = bag.message(record)
        if names and names != tuple(message.joint_names):
            raise InputError(f'{bag.path}: {topic}: the dimensions change from {" ".join(names)} '
                             f'to {" ".join(message.joint_names)}')
        names = tuple(message.joint_names)
        chunks.append((to_ns(message.header.stamp),
                       np.array([to_ns(point.time_from_start) for point in message.points]),
                       np.array([point.positions for point in message.points])))
    chunks.sort(key=lambda chunk: chunk[0])
    starts = np.array([chunk[0] for chunk in chunks])
    found = []
    for number, step in enumerate(steps.tolist()):
        stamp, due, actions = chunks[max(int(np.searchsorted(starts, step, side='right')) - 1, 0)]
        index = int(np.argmin(np.abs(stamp + due - step)))
        away = abs(stamp + int(due[index]) - step)
        if away > tolerance_ns:
            raise InputError(f'{bag.path}: {topic}: no action is due within '
                             f'{tolerance_ns * 1e-9:g} s of step {number}; the nearest is '
                             f'{away * 1e-9:.3f} s away')
        found.append(actions[index])
    return names, np.array(found)


def _instruction(bag: Bag, topic: str | None) -> str:
    if topic is None:
        return ''
    return str(bag.message(next(bag.records([topic]))).data)


def _rate(steps: np.ndarray, path: Path) -> float:
    if len(steps) < 2:
        raise InputError(f'{path}: {len(steps)} steps say no rate; give one', path=path)
    return float(1e9 / np.median(np.diff(steps)))


def _frames(path: Path, topic: str, picks: np.ndarray) -> Frames:
    def frames() -> Iterator[Frame]:
        order = picks.tolist()
        at = 0
        with Bag(path) as bag:
            for number, record in enumerate(bag.records([topic])):
                frame: Frame | None = None
                while at < len(order) and order[at] == number:
                    if frame is None:
                        frame = (bag.message(record).data.tobytes()
                                 if record.type == COMPRESSED_IMAGE else picture_of(bag, record))
                    yield frame
                    at += 1
        if at < len(order):
            raise InputError(f'{path}: {topic}: the pictures are not in the order of their stamps')

    return frames

"""``vla-ros episode``: episodes of data sets <-> bags."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_ros.cli.bag import add_topic_arguments, given_topics
from vla_ros.core.errors import ConfigError

if TYPE_CHECKING:
    from vla_ros.replay.episode import Episode

FORMATS = ('lerobot-v3.0', 'lerobot-v2.1', 'npz')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do with episodes, and its arguments."""
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    source = ('a LeRobot data set (folder), an episode of this package (.npz), or an excerpt of '
              'Bridge, UMI or LIBERO (.npz)')

    text = 'say which episodes there are'
    listing = actions.add_parser('list', help=text, description=text)
    listing.add_argument('source', metavar='SOURCE', type=Path, help=source)
    listing.add_argument('--json', action='store_true', help='for programs')

    text = 'make a bag of each episode, which says that it is derived'
    import_ = actions.add_parser('import', help=text, description=text)
    import_.add_argument('source', metavar='SOURCE', type=Path, help=source)
    import_.add_argument('out', metavar='OUT', type=Path,
                         help='folder for the bags episode_000000, …')
    import_.add_argument('--episodes', metavar='LIST', default='',
                         help='which, like 0,3,5-7; default: all')
    import_.add_argument('--instruction', metavar='TEXT', default='',
                         help='task of episodes that have none')
    import_.add_argument('--images', default='keep', metavar='FORMAT',
                         help='keep (JPEG and PNG as they are, the rest raw), raw, jpeg or png; '
                              'default: keep')

    text = 'make a data set of bags, an episode of each'
    export = actions.add_parser('export', help=text, description=text)
    export.add_argument('bags', metavar='BAG', type=Path, nargs='+', help='folder of a bag')
    export.add_argument('out', metavar='OUT', type=Path, help='folder to make')
    export.add_argument('--format', default=FORMATS[0], choices=FORMATS,
                        help=f'default: {FORMATS[0]}')
    export.add_argument('--rate', type=float, metavar='HZ',
                        help='steps a second, evenly; default: the pictures of the first camera '
                             'as they came')
    export.add_argument('--actions', default='auto', metavar='SOURCE',
                        help='chunks (the step that is due), commands, none, or auto: the first '
                             'that is there')
    export.add_argument('--tolerance', type=float, default=0.1, metavar='S',
                        help='a sample further from its step is missing; default: 0.1')
    export.add_argument('--dtype', default='float32', choices=('float32', 'float64'),
                        help='of states and actions in the LeRobot layout; default: float32')
    add_topic_arguments(export)
    for name in ('chunks', 'commands'):
        export.add_argument(f'--{name}', metavar='TOPIC', help=f'topic of the {name}')


def run(args: argparse.Namespace) -> int:
    """Do it, and say what was made."""
    return {'list': _list, 'import': _import, 'export': _export}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from vla_ros.replay.episode_source import open_episodes

    source = open_episodes(args.source)
    rows = [_row(index, source.episode(index)) for index in range(len(source))]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(f'{row["index"]:>6}  {row["steps"]:>6} steps  {row["rate_hz"]:g} Hz  '
              f'{" ".join(row["cameras"])}  state {len(row["state_names"])}  '
              f'action {len(row["action_names"])}  {row["instruction"]!r}')
    return 0


def _row(index: int, episode: Episode) -> dict[str, Any]:
    return {'index': index, 'steps': episode.steps, 'rate_hz': episode.rate_hz,
            'cameras': list(episode.images), 'state_names': list(episode.state_names),
            'action_names': list(episode.action_names), 'instruction': episode.instruction,
            'source': episode.source}


def _import(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from vla_ros.replay.episode_bag import write_episode
    from vla_ros.replay.episode_source import open_episodes

    source = open_episodes(args.source)
    for index in chosen_episodes(args.episodes, len(source)):
        episode = source.episode(index)
        if not episode.instruction:
            episode = replace(episode, instruction=args.instruction)
        path = args.out / f'episode_{index:06d}'
        count = write_episode(path, episode, args.images)
        print(f'{path}: {count} messages, {episode.steps} steps from {episode.source}'
              + ('' if episode.instruction else ' (no instruction: give one with --instruction)'))
    return 0


def _export(args: argparse.Namespace) -> int:
    from vla_ros.replay.episode_bag import read_episode

    given = given_topics(args)
    given.update({name: getattr(args, name) for name in ('chunks', 'commands')
                  if getattr(args, name)})

    def episodes() -> Iterator[Episode]:
        for bag in args.bags:
            yield read_episode(bag, given, rate_hz=args.rate, tolerance_s=args.tolerance,
                               actions=args.actions)

    if args.format == 'npz':
        from vla_ros.replay.episode_npz import write_npz

        for index, episode in enumerate(episodes()):
            path = args.out / f'episode_{index:06d}.npz'
            write_npz(path, episode)
            print(f'{path}: {episode.steps} steps from {episode.source}')
        return 0
    from vla_ros.replay.lerobot_writer import write_lerobot

    info = write_lerobot(args.out, episodes(), args.format.removeprefix('lerobot-'), args.dtype)
    print(f'{args.out}: {info["total_episodes"]} episodes, {info["total_frames"]} steps, '
          f'{info["fps"]} Hz, LeRobot {info["codebase_version"]}')
    return 0


def chosen_episodes(text: str, count: int) -> list[int]:
    """Return the numbers that a list like ``0,3,5-7`` names; all of them for an empty one."""
    if not text:
        return list(range(count))
    found: list[int] = []
    for piece in text.split(','):
        first, dash, last = piece.strip().partition('-')
        try:
            found += range(int(first), int(last if dash else first) + 1)
        except ValueError:
            raise ConfigError(f'--episodes: {piece!r} is neither a number nor a range '
                              'like 5-7') from None
    wrong = [index for index in found if not 0 <= index < count]
    if wrong:
        raise ConfigError(f'--episodes: no episode {wrong[0]}; there are 0 to {count - 1}')
    return found

"""``vla-ros bag info``: what is in a bag, and whether a policy can be replayed on it."""

from __future__ import annotations

import argparse
import json

_INPUTS = ('third_person', 'wrist', 'state', 'instruction')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do with a bag, and its arguments."""
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    text = ('read a bag to its end and say what is in it: topics, rates, gaps, stamps, pictures, '
            'and what a replay of a policy would lack')
    info = actions.add_parser(
        'info', help=text, description=text,
        epilog='exit status: 0 read in full, 1 refused or empty, or with --replay an input is '
               'missing or a picture cannot be used, 2 a wrong argument')
    info.add_argument('bag', metavar='BAG', help='folder of the bag, or one storage file')
    info.add_argument('--json', action='store_true', help='everything, for programs')
    info.add_argument('--replay', action='store_true',
                      help='fail when a policy cannot be replayed on it')
    info.add_argument('--quick', action='store_true',
                      help='look only at the headers of pictures instead of decoding them')
    add_topic_arguments(info)


def add_topic_arguments(parser: argparse._ActionsContainer) -> None:
    """Take the topics of the inputs, for bags whose names do not say which is which."""
    for name in _INPUTS:
        parser.add_argument(f'--{name.replace("_", "-")}', dest=name, metavar='TOPIC',
                            help=f'topic of the input {name}')


def given_topics(args: argparse.Namespace) -> dict[str, str]:
    """Return input -> topic, as given."""
    return {name: getattr(args, name) for name in _INPUTS if getattr(args, name)}


def run(args: argparse.Namespace) -> int:
    """Print the report; return 1 for an empty bag, and when ``--replay`` finds a fault."""
    from vla_ros.replay.bag import Bag
    from vla_ros.replay.bag_info import as_dict, inspect_bag
    from vla_ros.replay.bag_info_text import as_text

    with Bag(args.bag) as bag:
        info = inspect_bag(bag, given_topics(args), decode=not args.quick)
    print(json.dumps(as_dict(info), indent=2) if args.json else as_text(info))
    if not info.message_count:
        return 1
    used = {choice.topic for choice in info.inputs.values()}
    unusable = any(topic.problems for topic in info.topics if topic.name in used)
    return 1 if args.replay and (info.missing or unusable) else 0

"""``vla-ros play``: publish a recording's sensors, so that the real nodes run against it."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import threading
import time
from contextlib import ExitStack
from typing import Any

from vla_ros.core.errors import ConfigError, DependencyError, InputError

_MATCHED_S = 0.5  # a subscriber that we know of learns of us a little later
_ACKNOWLEDGED_S = 5.0  # at most, until the last messages have arrived


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = (
        'Without --topics: pictures, camera_info, joint states, tf, instruction, robot description '
        'and object poses, as recorded, stamps kept, with /clock. What the nodes of the run said '
        'can be asked for and comes under /recorded. What could move an arm is never published. '
        'Run the nodes with use_sim_time:=true, for example: vla-ros up sim:=false driver:=sim '
        'use_sim_time:=true auto_arm:=true. Exit status: 0 played, 1 the bag cannot be read or '
        'somebody else publishes the same, 2 a wrong argument.')
    option = parser.add_argument
    option('bag', metavar='BAG', help='folder of the bag, or one storage file')
    option('--rate', type=float, default=1.0, metavar='R',
           help='seconds of the bag in a real second (default: %(default)g)')
    option('--topics', nargs='+', default=[], metavar='TOPIC', help='these topics only')
    option('--remap', nargs='+', default=[], metavar='FROM:=TO', help='other names')
    option('--start-offset', type=float, default=0.0, metavar='S',
           help='begin so long after the beginning; what was latched before comes first')
    option('--duration', type=float, default=math.inf, metavar='S', help='play so much of it')
    option('--loop', action='store_true', help='begin again at the end: time jumps back')
    option('--wait-for-subscribers', nargs='?', type=float, const=60.0, metavar='S',
           help='begin when pictures and joint states are listened to, S seconds at most '
                '(default: %(const)g)')
    option('--discovery', type=float, default=2.0, metavar='S',
           help='look so long whether somebody else publishes the same, before anything is '
                'published (default: %(default)g)')
    option('--json', action='store_true', help='print the report for programs')


def run(args: argparse.Namespace) -> int:
    """Play, and return the exit status."""
    for name in ('rate', 'duration', 'discovery', 'wait_for_subscribers'):
        value = getattr(args, name)
        if value is not None and not value > 0.0:
            raise ConfigError(f'{name.replace("_", "-")}: expected a positive number, found '
                              f'{value}')
    remap = _remap(args.remap)
    try:
        from vla_ros.replay.bag import Bag
        from vla_ros.replay.play_topics import play_topics
        from vla_ros.ros.driver_topics import all_command_topics
        from vla_ros.ros.play_node import open_play_node, refuse_others
    except ModuleNotFoundError as error:
        raise DependencyError(f'playing needs {error.name}: source a ROS installation, and '
                              "pip install 'vla_ros[bags]'") from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        bag = stack.enter_context(Bag(args.bag))
        topics = play_topics(bag, all_command_topics(), args.topics, remap)
        node = stack.enter_context(open_play_node(topics))
        refuse_others(node, args.discovery, stop)
        for topic in topics:
            _say(f'{topic.recorded} ({bag.topics[topic.recorded].count})'
                 + (f' as {topic.published}' if topic.published != topic.recorded else ''))
        if args.wait_for_subscribers is not None:
            _wait(node, args.wait_for_subscribers, stop)
        return _play(args, bag, topics, node, stop)


def _play(args: argparse.Namespace, bag: Any, topics: Any, node: Any,
          stop: threading.Event) -> int:
    from vla_ros.replay.playback import Player, events
    from vla_ros.ros.play_node import Watch, read_ahead

    player = Player(args.rate, node.publish, time.monotonic, stop.wait)
    watch = Watch(node, stop)
    watch.start()
    told = threading.Event()
    teller = threading.Thread(target=_tell_slips, args=(player, told), daemon=True)
    teller.start()
    try:
        while not stop.is_set():
            report = player.play(read_ahead(
                lambda: events(bag, topics, args.start_offset, args.duration,
                               clock_ns=round(5e6 * max(args.rate, 1.0)))))
            print(json.dumps(vars(report)) if args.json else report.text(args.rate), flush=True)
            if not args.loop:
                break
    finally:
        told.set()
        watch.finish()
    if watch.found:
        raise InputError(f'ended: somebody else publishes the same: {"; ".join(watch.found)}')
    node.acknowledged(_ACKNOWLEDGED_S)
    return 0


def _tell_slips(player: Any, done: threading.Event) -> None:
    before = 0.0
    while not done.wait(2.0):
        slipped = player.slipped_s
        if slipped > before:
            _say(f'the rate {player.rate:g} cannot be kept: {slipped:.2f} s lost until now')
        before = slipped


def _wait(node: Any, timeout_s: float, stop: threading.Event) -> None:
    end = time.monotonic() + timeout_s
    while (unheard := node.unheard()) and not stop.wait(0.05):
        if time.monotonic() > end:
            raise InputError(f'nobody has listened to {", ".join(unheard)} within {timeout_s:g} s')
    stop.wait(_MATCHED_S)


def _remap(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        old, separator, new = text.partition(':=')
        if not separator or not old or not new:
            raise ConfigError(f'remap: expected FROM:=TO, found {text!r}')
        found[old] = new
    return found


def _say(text: str) -> None:
    print(f'vla-ros play: {text}', file=sys.stderr, flush=True)

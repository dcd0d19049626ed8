"""The report of ``vla-ros bag info``, for people."""

from __future__ import annotations

from datetime import datetime, timezone

from vla_ros.replay.bag_info import BagInfo, TopicInfo


def as_text(info: BagInfo) -> str:
    """Return the report."""
    lines = [f'{info.path}: {info.storage}, ' + _span(info)]
    lines += [f'  note: {note}' for note in info.notes]
    lines += [f'  {key}: {value}' for key, value in info.custom.items()]
    width = max([len(topic.name) for topic in info.topics] + [5])
    kinds = max([len(topic.type) for topic in info.topics] + [4])
    lines += ['', f'{"topic":<{width}}  {"type":<{kinds}}  {"count":>8}  {"rate Hz":>8}  '
              f'{"gaps":>5}  {"longest":>9}  {"received after stamp":<28}']
    for topic in info.topics:
        lines.append(_row(topic, width, kinds))
        lines += [f'{"":<{width}}  {count} of {what}' for what, count in topic.pictures.items()]
        lines += [f'{"":<{width}}  ! {text}' for text in _complaints(topic)]
    lines += ['', 'Replay of a policy:']
    for name, choice in info.inputs.items():
        lines.append(f'  {name:<14}{choice.topic or "MISSING: " + info.missing[name]}')
    found = [f'{name} {choice.topic}' for name, choice in info.recorded.items() if choice.topic]
    lines.append(f'  {"compared with":<14}' + (', '.join(found) or 'the states that followed'))
    return '\n'.join(lines)


def _span(info: BagInfo) -> str:
    if not info.message_count:
        return 'EMPTY: no message'
    start = datetime.fromtimestamp(info.start_ns * 1e-9, timezone.utc)
    return (f'{info.message_count} messages, {info.duration_s:.3f} s, '
            f'from {start:%Y-%m-%d %H:%M:%S} UTC')


def _row(topic: TopicInfo, width: int, kinds: int) -> str:
    rate = '' if topic.rate_hz is None else f'{topic.rate_hz:.2f}'
    longest = '' if topic.longest_gap_s is None else f'{topic.longest_gap_s:.3f} s'
    delay = ''
    if topic.delay_s is not None:
        delay = (f'{topic.delay_s["median"] * 1e3:.1f} ms ({topic.delay_s["least"] * 1e3:.1f} to '
                 f'{topic.delay_s["most"] * 1e3:.1f})')
    return (f'{topic.name:<{width}}  {topic.type:<{kinds}}  {topic.count:>8}  {rate:>8}  '
            f'{topic.gaps or "":>5}  {longest:>9}  {delay:<28}').rstrip()


def _complaints(topic: TopicInfo) -> list[str]:
    found = list(topic.problems)
    if topic.bad > 3:
        found.append(f'… {topic.bad} messages in all cannot be used')
    if topic.gaps:
        found.append(f'the longest gap begins {topic.longest_gap_at_s:.3f} s after the start')
    if topic.backwards:
        found.append(f'{topic.backwards} stamps go back in time')
    if topic.unstamped:
        found.append(f'{topic.unstamped} headers have no stamp')
    return found

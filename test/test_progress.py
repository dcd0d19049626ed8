"""Progress is seen on a terminal and nowhere else, and leaves no trace."""

from __future__ import annotations

import io

import pytest

from vla_ros.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_written_to_a_pipe_or_when_quiet():
    pipe, terminal = io.StringIO(), Terminal()
    for stream, quiet in ((pipe, False), (terminal, True)):
        with Progress('reading', 10, quiet=quiet, stream=stream) as bar:
            for _ in range(10):
                bar.advance()
        assert stream.getvalue() == ''


def test_the_line_is_drawn_ten_times_a_second_at_most_and_taken_away():
    terminal, clock = Terminal(), Clock()
    with Progress('reading', 1000, 'messages', stream=terminal, monotonic=clock) as bar:
        for _ in range(1000):
            clock.now += 0.001
            bar.advance()
        assert 9 <= terminal.getvalue().count('reading') <= 11
    assert terminal.getvalue().endswith('\r\x1b[2K')


def test_the_line_says_how_much_and_how_long():
    clock = Clock()
    bar = Progress('reading', 2000, 'messages', stream=Terminal(), monotonic=clock)
    bar.advance(500)
    assert bar.line(104.0) == f'reading: {"█" * 6}{"·" * 18}  25% of 2,000 messages, 12 s left'
    assert Progress('reading', unit='m', stream=Terminal()).line(0.0) == 'reading: 0 m'


def test_an_error_inside_takes_the_line_away_too():
    terminal = Terminal()

    def work() -> None:
        with Progress('reading', 2, stream=terminal) as bar:
            bar.advance()
            raise ValueError('x')

    with pytest.raises(ValueError, match='x'):
        work()
    assert terminal.getvalue().endswith('\r\x1b[2K')

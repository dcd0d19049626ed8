"""A pytest plugin: recordings replayed as tests of a user's own package.

It comes with the installed package (entry point ``pytest11``); ``-p vla_ros.pytest_plugin`` loads
it from a checkout. Nothing else of this package is imported until a test asks for it::

    @pytest.mark.vla_replay(bag='bags/hang_01', policy='openvla_oft',
                            model_path='runs/hang', expect='expect.yaml')
    def test_the_new_checkpoint_hangs(vla_replay):
        assert vla_replay.metrics.gripper.recall == 1.0

Without a marker the fixture is a function: ``vla_replay(bag=…, policy=…)`` returns the result.
Paths are relative to the test's file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MARK = 'vla_replay'

_PATHS = ('bag', 'expect', 'against', 'save', 'verdict', 'model_path', 'base_path')


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        'markers',
        f'{MARK}(bag, policy, expect=None, **options): replay a recording; the fixture {MARK} is '
        'its result, and the test fails when a limit is not kept. Options are those of vla-ros '
        'replay.')


@pytest.fixture
def vla_replay(request: pytest.FixtureRequest) -> Any:
    """Replay the marker's recording and return the result, or the function that replays one."""
    mark = request.node.get_closest_marker(MARK)

    def replay(**options: Any) -> Any:
        return _replayed(options, request.path.parent)

    if mark is None:
        return replay
    if mark.args:
        pytest.fail(f'{MARK}: give everything by name, like bag=…, policy=…', pytrace=False)
    return replay(**mark.kwargs)


def _replayed(options: dict[str, Any], folder: Path) -> Any:
    """Return the result; fail with the table when a limit is not kept or nothing was replayed."""
    from vla_ros.cli.replay import replay_checked
    from vla_ros.core.errors import VlaRosError
    from vla_ros.replay.open_loop.text import check_table

    located = {name: folder / value if name in _PATHS and value is not None else value
               for name, value in options.items()}
    try:
        result = replay_checked(located)
    except VlaRosError as error:
        pytest.fail(f'{MARK}: {error}', pytrace=False)
    if not all(check.kept for check in result.checks):
        said = '\n'.join(f'{s.text} [{s.cause}]' for s in result.suggestions)
        pytest.fail(f'{MARK}: {result.bag} fell short\n{check_table(result.checks)}\n{said}',
                    pytrace=False)
    return result

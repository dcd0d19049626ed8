"""The parameters of every node that is there, asked for without waiting."""

from __future__ import annotations

from typing import Any

from vla_ros.ros.parameter_snapshot import ParameterSnapshot


def test_every_node_is_asked_once_and_in_portions(make_node: Any, spin_until: Any) -> None:
    other, asker = make_node('other'), make_node('asker')
    expected = {f'p{i:02}': i for i in range(30)}
    for name, value in expected.items():
        other.declare_parameter(name, value)
    values = {'text': 'a b', 'flag': True, 'number': 1.5, 'list': [1.0, 2.0], 'words': ['x', 'y']}
    for name, value in values.items():
        other.declare_parameter(name, value)
    complete: list[int] = []
    snapshot = ParameterSnapshot(asker, lambda: complete.append(1))
    snapshot.add('/asker', {'own': 1})

    def look() -> bool:
        snapshot.look()
        return '/other' in snapshot.values

    spin_until([other, asker], look, 'the answer')
    found = snapshot.values['/other']
    assert {**expected, **values}.items() <= found.items()
    assert found['use_sim_time'] is False
    assert snapshot.values['/asker'] == {'own': 1} and complete
    snapshot.look()
    assert '/other' not in snapshot.pending, 'nobody is asked twice'
    assert not [c for c in asker.clients if c.srv_name.startswith('/other')]


def test_a_node_that_does_not_answer_is_named(make_node: Any, spin_until: Any) -> None:
    """It has no thread that runs its callbacks, as one that hangs."""
    make_node('hangs')
    asker = make_node('asker')
    snapshot = ParameterSnapshot(asker, lambda: None)

    def look() -> bool:
        snapshot.look()
        return '/hangs' in snapshot.pending

    spin_until([asker], look, 'it is asked')
    snapshot.close()
    assert '/hangs' not in snapshot.values
    assert not [c for c in asker.clients if c.srv_name.startswith('/hangs')]

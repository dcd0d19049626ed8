"""A load goes on beside the one who waits for it, who can be told to wait no longer."""

from __future__ import annotations

import threading

import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.ros.policy_loading import Loading, unfinished


def test_what_was_loaded_is_returned_and_its_end_is_told() -> None:
    told = threading.Event()
    loading = Loading(lambda: 7, told.set)
    assert loading.result() == 7
    assert told.wait(30.0)


def test_what_was_raised_is_raised_where_it_is_waited_for() -> None:
    def broken() -> None:
        raise ConfigError('model_path: no such directory')

    with pytest.raises(ConfigError, match='model_path: no such directory'):
        Loading(broken).result()


def test_the_one_who_waits_is_called_meanwhile() -> None:
    go = threading.Event()
    calls: list[None] = []

    def meanwhile() -> None:
        calls.append(None)
        if len(calls) == 3:
            go.set()

    assert Loading(lambda: go.wait(30.0)).result(meanwhile, 0.001) is True
    assert len(calls) >= 3


def test_who_waits_is_released_while_the_load_goes_on_and_nobody_is_told_of_its_end() -> None:
    go, told = threading.Event(), threading.Event()
    loading = Loading(lambda: go.wait(30.0), told.set)
    assert unfinished()
    with pytest.raises(InputError, match='stopped while the policy was loading'):
        loading.result(loading.give_up, 0.001)
    go.set()
    loading._thread.join(30.0)
    assert not loading._thread.is_alive()
    assert not told.is_set()

"""Who may override: names that can be topics, in order of priority."""

import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.override_sources import Sources

SOURCES = Sources(['panel', 'joystick', 'topic'])


def test_a_source_beats_itself_and_those_after_it():
    beaten = {s: [h for h in SOURCES.names if SOURCES.beats(s, h)] for s in SOURCES.names}
    assert beaten == {'panel': ['panel', 'joystick', 'topic'], 'joystick': ['joystick', 'topic'],
                      'topic': ['topic']}


def test_an_unknown_source_lists_the_choices():
    with pytest.raises(InputError, match="unknown source 'mouse'. Choices: panel, joystick, topic"):
        SOURCES.check('mouse')


@pytest.mark.parametrize(('names', 'match'), [
    (['panel', 'topic', 'panel'], 'every source may stand there once'),
    (['panel'], "'topic' is missing"), ([], "'topic' is missing.*found none"),
    (['Panel', 'topic'], "found 'Panel'"), (['a/b', 'topic'], "found 'a/b'"),
    (['', 'topic'], "found ''"), (['7', 'topic'], "found '7'")])
def test_names_that_cannot_be_used_are_refused(names, match):
    with pytest.raises(ConfigError, match=match):
        Sources(names)

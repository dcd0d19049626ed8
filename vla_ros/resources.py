"""Finds the files that are installed beside the code: config, urdf, launch.

Where they are depends on how the package came to be here: a source checkout, a ROS workspace, or
pip. Nothing else in the package knows which it was.
"""

from __future__ import annotations

import contextlib
import site
import sys
from collections.abc import Iterator
from pathlib import Path

from vla_ros.core.errors import ConfigError

PACKAGE = 'vla_ros'

# A share directory is the one that has this; a folder that is merely called `config` is not enough.
_MARKER = Path('config', 'robots')


def share_directory() -> Path:
    """Return the directory that holds ``config/``, ``urdf/`` and ``launch/``.

    Raises
    ------
    ConfigError
        When none of the places has it; the message lists them all.
    """
    searched = []
    for candidate in _candidates():
        if (candidate / _MARKER).is_dir():
            return candidate
        if candidate not in searched:
            searched.append(candidate)
    raise ConfigError(
        f'cannot find the files of {PACKAGE} (no {_MARKER} in any of: '
        + ', '.join(str(path) for path in searched)
        + '). Reinstall the package, or source the workspace that holds it.',
        searched=searched,
    )


def share_file(*parts: str) -> Path:
    """Return the path of an installed file, e.g. ``share_file('urdf', 'piper.urdf')``.

    Raises
    ------
    ConfigError
        When there is no such file.
    """
    path = share_directory().joinpath(*parts)
    if not path.is_file():
        raise ConfigError(f'{path}: no such file', path=path)
    return path


def share_names(folder: str, suffix: str) -> list[str]:
    """Return the sorted names, without ``suffix``, of the files in a folder of the share directory.

    ``share_names('config/robots', '.yaml')`` lists the robots.
    """
    return sorted(path.stem for path in (share_directory() / folder).glob(f'*{suffix}'))


def _candidates() -> Iterator[Path]:
    package = Path(__file__).resolve().parent
    yield package.parent  # a source checkout, also one that is linked into a workspace or a venv
    try:
        from ament_index_python.packages import get_package_share_directory
    except ImportError:
        pass
    else:
        # ROS is here, but this package is in no sourced workspace (LookupError), or nothing is
        # sourced at all (OSError), as with the PyPI wheels.
        with contextlib.suppress(LookupError, OSError):
            yield Path(get_package_share_directory(PACKAGE))
    # pip puts share/ beside lib/ of whichever prefix it used, which need not be sys.prefix
    # (Debian's /usr/local, --prefix, --target), so start from where the code itself lies.
    for parent in package.parents:
        yield parent / 'share' / PACKAGE
    yield Path(sys.prefix, 'share', PACKAGE)
    yield Path(site.getuserbase(), 'share', PACKAGE)

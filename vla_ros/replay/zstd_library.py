"""zstd: Python's own module from 3.14 on, before that the one that rosbags brings."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from vla_ros.core.errors import DependencyError

try:
    zstd: Any = importlib.import_module(
        'compression.zstd' if sys.version_info >= (3, 14) else 'backports.zstd')
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("bags are read with rosbags, which is not installed: "
                          "pip install 'vla_ros[bags]'") from error

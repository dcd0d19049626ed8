"""What the package's ROS-free parts log appears in a node's log."""

from __future__ import annotations

import logging
from typing import Any

_ROOT = 'vla_ros'


class NodeLogHandler(logging.Handler):
    """Passes Python log records on to a node's logger.

    Parameters
    ----------
    logger : Any
        With methods ``debug``, ``info``, ``warning`` and ``error``: a node's logger.

    """

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        text = self.format(record)
        # One call site for each severity: rclpy refuses a call site that changes its severity.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def log_to(logger: Any) -> NodeLogHandler:
    """Send the package's log, from INFO on, to a node's logger; return what does that."""
    handler = NodeLogHandler(logger)
    root = logging.getLogger(_ROOT)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
    return handler


def stop_logging(handler: NodeLogHandler) -> None:
    """Undo :func:`log_to`."""
    root = logging.getLogger(_ROOT)
    root.removeHandler(handler)
    root.propagate = True

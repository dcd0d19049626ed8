"""Action tokens: the last 256 ids of the vocabulary stand for 256 edges of [-1, 1].

Numbers from the published action tokenizer: 256 evenly spaced edges, hence 255 bins, whose centres
are what a token decodes to. Token ``vocabulary - d`` stands for index ``d`` in 1…256.
"""

from __future__ import annotations

import numpy as np

from vla_ros.core.errors import ConfigError


class ActionTokens:
    """Turns normalised actions into token ids and back.

    Parameters
    ----------
    vocabulary : int
        Size of the vocabulary without its padding (32000 for Llama-2).
    edges : int
        Number of edges, ``n_action_bins`` of ``config.json``.

    """

    def __init__(self, vocabulary: int, edges: int = 256) -> None:
        if not 2 <= edges < vocabulary:
            raise ConfigError(f'expected 2 <= n_action_bins < vocabulary, found n_action_bins '
                              f'{edges} and a vocabulary of {vocabulary}')
        self.vocabulary = vocabulary
        self.edges = np.linspace(-1.0, 1.0, edges)
        self.centres = (self.edges[:-1] + self.edges[1:]) / 2.0

    @property
    def first(self) -> int:
        """Smallest id that is an action token."""
        return self.vocabulary - len(self.edges)

    @property
    def last(self) -> int:
        """Largest id that is an action token."""
        return self.vocabulary - 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the token ids (int64) of values, which are clipped to [-1, 1]."""
        index = np.digitize(np.clip(values, -1.0, 1.0), self.edges)
        return self.vocabulary - index

    def decode(self, ids: np.ndarray) -> np.ndarray:
        """Return the bin centres (float64) of token ids.

        As in the reference, ids outside the range take the nearest bin; :meth:`is_action` tells.
        """
        index = np.clip(self.vocabulary - np.asarray(ids) - 1, 0, len(self.centres) - 1)
        return self.centres[index]

    def is_action(self, ids: np.ndarray) -> np.ndarray:
        """Return, for each id, whether it is an action token."""
        ids = np.asarray(ids)
        return (self.first <= ids) & (ids <= self.last)

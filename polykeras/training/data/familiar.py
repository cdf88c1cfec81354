"""Batches like one that was looked at already."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import config
from polykeras.training.data.checks import NAMES, as_array, to_host


class Familiar:
    """What a batch was like, so that others like it need not be looked through: half of what a small one costs.

    Args:
        container: the type of the batch.
        parts: for each of its parts its type, its name, and the shape and dtype of its array.
    """

    def __init__(self, container: type, parts: list[tuple[type, str, tuple[int, ...], np.dtype[Any]]]) -> None:
        self._container = container
        self._parts = parts
        self._floatx = config.floatx()

    @classmethod
    def of(cls, batch: Any, host: Any) -> Familiar | None:
        """Return what a batch was like.

        Args:
            batch: as it came.
            host: what was made of it; see `Preparation`.

        Returns:
            None where it is no plain tuple or list of arrays, or more was made of it than these.
        """
        if type(batch) not in (tuple, list) or len(host) != len(batch):
            return None
        if not all(isinstance(part, np.ndarray) for part in host):
            return None
        if not all(hasattr(part, "__array__") for part in batch):
            return None
        parts = [(type(part), name, a.shape, a.dtype) for part, name, a in zip(batch, NAMES, host, strict=False)]
        return cls(type(batch), parts)

    def arrays(self, batch: Any) -> list[np.ndarray] | None:
        """Return the parts of a batch that is like the first one as host arrays; None for another one.

        They are `x`, `y` and `sample_weight`, or the first of them.
        """
        if type(batch) is not self._container or len(batch) != len(self._parts) or self._floatx != config.floatx():
            return None
        found: list[np.ndarray] = []
        for part, (kind, name, shape, dtype) in zip(batch, self._parts, strict=True):
            if type(part) is not kind:
                return None
            array = part if kind is np.ndarray else as_array(part)
            if array.dtype != dtype:
                array = to_host(array, name)
            if array.shape != shape or array.dtype != dtype:
                return None
            found.append(array)
        return found

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
        parts: for each of its parts its type, and the shape and dtype of its array.
    """

    def __init__(self, container: type, parts: list[tuple[type, tuple[int, ...], np.dtype[Any]]]) -> None:
        self._container = container
        self._parts = parts
        self._floatx = config.floatx()

    @classmethod
    def of(cls, batch: Any, host: list[Any]) -> Familiar | None:
        """Return what a batch was like.

        Args:
            batch: as it came.
            host: what was made of it: `[x, y, sample_weight]`.

        Returns:
            None where it is no plain tuple or list of arrays.
        """
        if type(batch) not in (tuple, list) or not all(isinstance(part, np.ndarray) for part in host[: len(batch)]):
            return None
        if not all(hasattr(part, "__array__") for part in batch):
            return None
        kinds = [(type(part), array.shape, array.dtype) for part, array in zip(batch, host, strict=False)]
        return cls(type(batch), kinds)

    def arrays(self, batch: Any) -> tuple[Any, Any, Any] | None:
        """Return `(x, y, sample_weight)` of a batch that is like the first one as host arrays; None for another one."""
        if type(batch) is not self._container or len(batch) != len(self._parts) or self._floatx != config.floatx():
            return None
        found: list[Any] = []
        for part, name, (kind, shape, dtype) in zip(batch, NAMES, self._parts, strict=False):
            if type(part) is not kind:
                return None
            array = part if kind is np.ndarray else as_array(part)
            if array.dtype != dtype:
                array = to_host(array, name)
            if array.shape != shape or array.dtype != dtype:
                return None
            found.append(array)
        return (*found, None, None)[:3]  # type: ignore[return-value]

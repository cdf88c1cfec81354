"""What becomes of a batch of a stream before it is given out."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.common import nested
from polykeras.training.data.checks import NAMES, check_host_arrays, check_values, host_tree, weights_from_classes
from polykeras.training.data.familiar import Familiar
from polykeras.training.data.unpack import unpack_x_y_sample_weight


class Preparation:
    """Makes what a step is given, of host arrays, of the batches of a stream; in their own memory if it can.

    It has the parts that the batch has, in a tuple where they were in a list, and weights where classes have some.

    Their values are looked at later: those of small batches together.

    A thread that fetches ahead uses it, and must not hold the source, whose end is the thread's.

    Args:
        class_weight: weights by class, turned into sample weights.
    """

    def __init__(self, class_weight: dict[int, float] | None) -> None:
        self._class_weight = class_weight
        self._familiar: Familiar | None = None

    def __call__(self, batch: Any) -> Any:
        known = self._familiar.arrays(batch) if self._familiar is not None else None
        if known is not None:
            return tuple(known)
        parts = unpack_x_y_sample_weight(batch)
        host = [None if p is None else host_tree(p, n) for p, n in zip(parts, NAMES, strict=True)]
        if self._class_weight is not None:
            if host[2] is not None:
                raise ValueError("Pass class_weight or sample_weight, not both: the batches carry sample weights.")
            host[2] = weights_from_classes(host[1], self._class_weight)
        check_host_arrays({n: p for n, p in zip(NAMES, host, strict=True) if p is not None}, ragged=True)
        if self._class_weight is not None:
            data: Any = tuple(host)
        else:
            data = tuple(host[: len(batch)]) if isinstance(batch, (tuple, list)) else host[0]
        self._familiar = Familiar.of(batch, data)
        return data


def checked_copy(batch: Any) -> Any:
    """Return a batch without nan in memory of its own."""
    check_values(batch)
    return nested.map_structure(np.array, batch)

"""The batches of a chunk of steps, taken from arrays on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polykeras import fast
from polykeras.common import nested
from polykeras_torch.compiler.replay import signature
from polykeras_torch.indexing import select

_LINE = 64  # bytes of a cache line, to which torch aligns its memory
_GATHERED = 2**20  # bytes of batches that are gathered at once, so that they stay in the cache


class Data:
    """Arrays whose first axis indexes rows.

    Args:
        data: a tree of arrays.

    Attributes:
        columns: the arrays.
        definition: the structure of the tree.
        signature: dtypes, shapes of a row, and devices. A recording for one is repeated for all data with it.
    """

    __slots__ = ("columns", "definition", "signature")

    def __init__(self, data: Any) -> None:
        self.columns, self.definition = nested.flatten_with_def(data)
        self.signature = signature([column[:1] for column in self.columns])


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a chunk of steps.

    Attributes:
        data: the data that they are taken from.
        indices: the rows of each step's batch, `(steps, batch)`.
        start: the first step.
        stop: the index after the last step.
    """

    data: Data
    indices: Tensor | np.ndarray
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches. Those of several steps are gathered at once.

        A kernel call for each batch costs as much as the memory that it reads, and small kernels use only one thread.
        """
        columns, rows = self.data.columns, self.indices[self.start : self.stop]
        if isinstance(rows, np.ndarray):
            if fast.enabled("slices") and rows.size and _follow(rows):  # rows of a stream
                yield from zip(*(_cut(_span(column, rows), rows.shape) for column in columns), strict=True)
                return
            rows = _on_device(rows, columns[0])
        bound = _GATHERED if fast.enabled("gathered-steps") else 0
        together = max(1, bound // max(1, rows.shape[1] * sum(column[:1].nbytes for column in columns)))
        for block in rows.to(torch.int64).split(together):
            yield from zip(*(_gathered(column, block) for column in columns), strict=True)


def _follow(rows: np.ndarray) -> bool:
    """Return whether the rows are consecutive through all steps, and count from the front."""
    return bool(rows[0, 0] >= 0 and (np.diff(rows.reshape(-1)) == 1).all())


def _span(column: Tensor, rows: np.ndarray) -> Tensor:
    """Return a column at consecutive rows, as far as it has them."""
    return column[int(rows[0, 0]) :][: rows.size]


def _in_place(span: Tensor, shape: tuple[int, ...]) -> Sequence[Tensor] | None:
    """Return the slices of a span for each step; None where one begins within a cache line, or rows are missing."""
    steps, batch = shape
    if len(span) < steps * batch or not _keeps_lines(span, batch) or span.data_ptr() % _LINE:
        return None
    return span.unflatten(0, shape).unbind(0)


def _on_device(rows: Tensor | np.ndarray, column: Tensor) -> Tensor:
    """Return rows on the device of a column. Host rows are copied, since torch warns about read-only arrays."""
    return torch.as_tensor(rows.copy() if isinstance(rows, np.ndarray) else rows, device=column.device)


def _gathered(column: Tensor, rows: Tensor) -> Sequence[Tensor]:
    """Return the slices of a column at the rows of each step."""
    if _keeps_lines(column, rows.shape[1]):
        return select(column, 0, rows.reshape(-1)).unflatten(0, rows.shape).unbind(0)
    return [select(column, 0, row) for row in rows.unbind(0)]


def _cut(span: Tensor, shape: tuple[int, ...]) -> Sequence[Tensor]:
    """Return the slices of a span for each step; in place where that can be."""
    if (slices := _in_place(span, shape)) is not None:
        return slices
    return [part.clone() for part in span.split(shape[1])]


def _keeps_lines(column: Tensor, batch: int) -> bool:
    """Return whether every step's slice begins with a cache line if the first one does.

    Matrix products may round differently at other addresses, and the results of a step must not depend on its place.
    """
    return column[:1].nbytes * batch % _LINE == 0

"""The batches of a chunk of steps, out of arrays on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from polykeras import fast
from polykeras_torch.indexing import select
from polykeras_torch.rewriting import LINE

_GATHERED = 2**20  # bytes of batches that are gathered at once, which stay in the cache
_KEPT = 128  # slices of a column at most, which take 1 KB each

_known: Any = WeakIdKeyDictionary()  # of a column the indices, and its slices at them


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a chunk of steps.

    Attributes:
        columns: arrays whose first axis counts the rows.
        indices: the rows of each step's batch, `(steps, batch)`.
        start: the first step.
        stop: the one after the last step.
    """

    columns: Sequence[Tensor]
    indices: Tensor | np.ndarray
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Return the batches; those of several steps are gathered at once.

        A kernel for each costs as much again as the memory it reads, and small ones run on one thread.
        """
        rows = self.indices[self.start : self.stop]
        if isinstance(rows, np.ndarray):
            if fast.enabled() and rows.size and (np.diff(rows.reshape(-1)) == 1).all():  # those of a stream
                run = [column[int(rows[0, 0]) :][: rows.size] for column in self.columns]
                yield from zip(*(_cut(column, rows.shape) for column in run), strict=True)
                return
            rows = _on_device(rows, self.columns[0])
        bound = _GATHERED if fast.enabled() else 0
        together = max(1, bound // max(1, rows.shape[1] * sum(column[:1].nbytes for column in self.columns)))
        for block in rows.to(torch.int64).split(together):
            yield from zip(*(_gathered(column, block) for column in self.columns), strict=True)

    def kept(self) -> Iterator[tuple[Tensor, ...]]:
        """Return the batches as `__iter__`, those of a stream's pack out of slices that are kept with its rows.

        To make those of 80 steps takes as long as a step of a small model. They are for kernels alone: neither for code
        that may hold or change them, nor for gradients to the columns.
        """
        rows = self.indices
        if isinstance(rows, np.ndarray) and fast.enabled() and not rows.flags.writeable and 0 < len(rows) <= _KEPT:
            slices = [_slices(column, rows) for column in self.columns]
            if all(slices):
                return zip(*(known[self.start : self.stop] for known in slices), strict=True)
        return iter(self)

    def joined(self, column: int, first: int, steps: int) -> Tensor:
        """Return what a column has in several batches, one after the other.

        Args:
            column: its number.
            first: the first batch, by its place in the chunk.
            steps: how many batches.
        """
        start = self.start + first
        rows = _on_device(self.indices[start : start + steps], self.columns[column])
        return select(self.columns[column], 0, rows.reshape(-1).to(torch.int64))


def _slices(column: Tensor, indices: np.ndarray) -> Sequence[Tensor]:
    """Return the slices of a column for all steps; none where they are not one run of rows, or no places of their own.

    Args:
        column: all of the rows.
        indices: read-only: those of all packs of a kind, which nobody changes.
    """
    if (known := _known.get(column)) is None or known[0] is not indices:
        steps, rows = indices.shape
        run = column.detach()[int(indices[0, 0]) :][: indices.size]  # slices of the column itself would hold it
        lies = _keeps_lines(column, rows) and run.data_ptr() % LINE == 0 and column.device.type == "cpu"
        is_run = lies and bool((np.diff(indices.reshape(-1)) == 1).all())
        known = _known[column] = indices, run.unflatten(0, (steps, rows)).unbind(0) if is_run else ()
    return known[1]


def _on_device(rows: Tensor | np.ndarray, column: Tensor) -> Tensor:
    """Return rows where a column is; those of the host are copied, as they may be read-only, of which torch warns."""
    return torch.as_tensor(rows.copy() if isinstance(rows, np.ndarray) else rows, device=column.device)


def _gathered(column: Tensor, rows: Tensor) -> Sequence[Tensor]:
    """Return the slices of a column at the rows of each step."""
    if _keeps_lines(column, rows.shape[1]):
        return select(column, 0, rows.reshape(-1)).unflatten(0, rows.shape).unbind(0)
    return [select(column, 0, row) for row in rows.unbind(0)]


def _cut(run: Tensor, shape: tuple[int, ...]) -> Sequence[Tensor]:
    """Return the slices of rows that follow one on the other, for each step; in place where that can be."""
    if _keeps_lines(run, shape[1]) and run.data_ptr() % LINE == 0:
        return run.unflatten(0, shape).unbind(0)
    return [part.clone() for part in run.split(shape[1])]


def _keeps_lines(column: Tensor, batch: int) -> bool:
    """Return whether each step's slice begins with a cache line if the first one does.

    Matrix products may round in another way where they begin elsewhere; a step's numbers must not depend on its place.
    """
    return column[:1].nbytes * batch % LINE == 0

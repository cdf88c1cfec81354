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

_runs: Any = WeakIdKeyDictionary()  # the rows of indices that are in order, or none
_cuts: Any = WeakIdKeyDictionary()  # the slices of a column, by its rows and those of a slice


@dataclass(slots=True)
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
        if fast.enabled() and isinstance(self.indices, np.ndarray) and (run := _run(self.indices)):  # those of a stream
            yield from zip(*(self._cut(column, run) for column in self.columns), strict=True)
            return
        rows = self.indices[self.start : self.stop]
        if isinstance(rows, np.ndarray):
            rows = _on_device(rows, self.columns[0])
        bound = _GATHERED if fast.enabled() else 0
        together = max(1, bound // max(1, rows.shape[1] * sum(column[:1].nbytes for column in self.columns)))
        for block in rows.to(torch.int64).split(together):
            yield from zip(*(_gathered(column, block) for column in self.columns), strict=True)

    def _cut(self, column: Tensor, run: range) -> Sequence[Tensor]:
        """Return the slices of a column at rows that follow each other, in place where that can be.

        Then the few of a pack are kept with it: to make 80 of them takes as long as a step of a small model.
        """
        steps, rows = self.indices.shape
        if (known := _cuts.get(column, {}).get((run, rows))) is not None:
            return known[self.start : self.stop]
        whole = column.detach()[run.start : run.stop]  # slices of the column itself would keep it
        if not _keeps_lines(column, rows) or whole.data_ptr() % LINE:
            return [whole[i * rows : (i + 1) * rows].clone() for i in range(self.start, self.stop)]
        slices = whole.unflatten(0, (steps, rows)).unbind(0)
        if steps <= _KEPT:
            _cuts.setdefault(column, {})[run, rows] = slices
        return slices[self.start : self.stop]

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


def _on_device(rows: Tensor | np.ndarray, column: Tensor) -> Tensor:
    """Return rows where a column is; those of the host are copied, as they may be read-only, of which torch warns."""
    return torch.as_tensor(rows.copy() if isinstance(rows, np.ndarray) else rows, device=column.device)


def _gathered(column: Tensor, rows: Tensor) -> Sequence[Tensor]:
    """Return the slices of a column at the rows of each step."""
    if _keeps_lines(column, rows.shape[1]):
        return select(column, 0, rows.reshape(-1)).unflatten(0, rows.shape).unbind(0)
    return [select(column, 0, row) for row in rows.unbind(0)]


def _run(indices: np.ndarray) -> range | None:
    """Return the rows of all steps, where each follows the one before it; of indices that stay as they are, noted."""
    run = None if indices.flags.writeable else _runs.get(indices)
    if run is None and indices.size:
        run = range(int(indices[0, 0]), int(indices[0, 0]) + indices.size)
        run = run if (indices.reshape(-1) == np.arange(run.start, run.stop)).all() else range(0)
        if not indices.flags.writeable:
            _runs[indices] = run
    return run or None


def _keeps_lines(column: Tensor, batch: int) -> bool:
    """Return whether each step's slice begins with a cache line if the first one does.

    Matrix products may round in another way where they begin elsewhere; a step's numbers must not depend on its place.
    """
    return column[:1].nbytes * batch % LINE == 0

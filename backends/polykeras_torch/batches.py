"""The batches of a chunk of steps, out of arrays on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from polykeras_torch.indexing import select

_LINE = 64  # bytes of a cache line, with which torch's memory begins
_GATHERED = 2**20  # bytes of batches that are gathered at once, which stay in the cache
_CACHED = 8 * 2**20  # bytes of data up to which batches are used where they lie: others are faster when gathered


def batches_at(columns: Sequence[Tensor], rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Return the batches at the rows `(steps, batch)`, those of several steps gathered at once.

    A kernel for each costs as much again as the memory it reads, and small ones run on one thread.
    """
    together = max(1, _GATHERED // max(1, rows.shape[1] * sum(column[:1].nbytes for column in columns)))
    cached = sum(column.nbytes for column in columns) <= _CACHED
    if cached and len(rows) > 1 and (begin := _begin_of_run(rows)) is not None:
        yield from zip(*(_cut(column[begin : begin + rows.numel()], rows) for column in columns), strict=True)
        return
    for block in rows.split(together):
        yield from zip(*(_gathered(column, block) for column in columns), strict=True)


def _begin_of_run(rows: Tensor) -> int | None:
    """Return the first row where each follows on the one before: those of a stream, or of data in their order."""
    if rows.device.type != "cpu":  # the host must not wait for values
        return None
    flat = rows.reshape(-1)
    begin = int(flat[0])
    return begin if int(flat[-1]) - begin == len(flat) - 1 and bool((flat.diff() == 1).all()) else None


def _gathered(column: Tensor, rows: Tensor) -> Sequence[Tensor]:
    """Return the slices of a column at the rows of each step."""
    if _keeps_lines(column, rows):
        return select(column, 0, rows.reshape(-1)).unflatten(0, rows.shape).unbind(0)
    return [select(column, 0, row) for row in rows.unbind(0)]


def _cut(run: Tensor, rows: Tensor) -> Sequence[Tensor]:
    """Return the slices of rows that follow one on the other, for each step; in place where that can be."""
    if _keeps_lines(run, rows) and run.data_ptr() % _LINE == 0:
        return run.unflatten(0, rows.shape).unbind(0)
    return [part.clone() for part in run.split(rows.shape[1])]


def _keeps_lines(column: Tensor, rows: Tensor) -> bool:
    """Return whether each step's slice begins with a cache line if the first one does.

    Matrix products may round in another way where they begin elsewhere; a step's numbers must not depend on its place.
    """
    return column[:1].nbytes * rows.shape[1] % _LINE == 0

"""Batches of arrays in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from polykeras.common import nested
from polykeras.training.data.checks import NAMES, check_host_arrays, check_values
from polykeras.training.data.orders import Orders
from polykeras.training.data.unpack import pack_x_y_sample_weight
from polykeras.training.padding import Filled, fill
from polykeras.training.shape_buckets import in_bucket

BATCH_SIZE = 32  # the default


class ArraySource:
    """Rows of arrays, in batches.

    Args:
        data: the triple `(x, y, sample_weight)` of trees of NumPy arrays; None for a missing part.
        batch_size: rows per batch; the last batch may have fewer. None: 32, or what `steps` batches need for all rows.
        shuffle: put the rows into a new order for each pass over them. "batch": the rows within each batch alone.
        steps: batches per epoch; the next epoch goes on after them, and ends early where the data end. None: all.

    Attributes:
        data: all rows, in the form in which a step takes a batch: `x`, `(x, y)` or `(x, y, sample_weight)`.
        steps: batches per epoch.
    """

    def __init__(
        self,
        data: tuple[Any, Any, Any],
        batch_size: int | None = None,
        shuffle: bool | str = False,
        steps: int | None = None,
    ) -> None:
        self.samples = check_host_arrays({n: part for n, part in zip(NAMES, data, strict=True) if part is not None})
        check_values(data)
        self.data = pack_x_y_sample_weight(*data)
        if batch_size is None:
            batch_size = BATCH_SIZE if steps is None else -(-self.samples // steps)
        self.batch_size = min(batch_size, self.samples)
        self.shuffle = shuffle
        self._batches = -(-self.samples // self.batch_size)
        self.steps = self._batches if steps is None else steps
        self._resident: dict[tuple[Any, int], Any] = {}
        self.orders = Orders()
        self._rows: np.ndarray | None = None  # in the order of the current pass
        self._done = 0  # the batches of this pass that earlier epochs took

    @property
    def in_epoch(self) -> int:
        """The number of batches of the next epoch: fewer than `steps` where the data end."""
        return min(self.steps, self._batches - self._done)

    @property
    def ends_partial(self) -> bool:
        """Whether the next epoch ends with a batch of fewer rows."""
        return min(self.samples, (self._done + self.in_epoch) * self.batch_size) % self.batch_size != 0

    def reset(self) -> None:
        """Let the next epoch begin with the data."""
        self._done = 0

    def order(self, filled: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Begin an epoch. Return its rows: of full batches, int32 `(steps, batch)`, and those of a partial batch.

        Args:
            filled: fill a partial last batch up, so that it is among the full ones.

        Returns:
            Both; the second is None if there is no partial batch.
        """
        if self._rows is None or not self._done:
            self._rows = self._new_order()
        steps = self.in_epoch
        rows = self._rows[self._done * self.batch_size :][: steps * self.batch_size]
        self._done = (self._done + steps) % self._batches
        if filled:
            cut = (steps - 1) * self.batch_size
            rows = np.append(rows[:cut], fill(rows[cut:], self.batch_size))
        full = len(rows) // self.batch_size
        cut = full * self.batch_size
        return rows[:cut].reshape(full, self.batch_size), (rows[cut:] if cut < len(rows) else None)

    def _new_order(self) -> np.ndarray:
        rows = np.arange(self.samples, dtype=np.int32)
        if not self.shuffle:
            return rows
        self.orders.forget()
        if self.shuffle != "batch":
            return self.orders.permutation(rows)
        places = self.orders.generator().random(self.samples)
        return np.lexsort((places, rows // self.batch_size)).astype(np.int32)

    def resident(self, backend: Any, numbered: bool = False, rows: int | None = None) -> Any:
        """Return the data on the device of a backend. They are put there once.

        Args:
            backend: the backend.
            numbered: return a `Filled` batch, with the numbers of the rows.
            rows: the number of rows to have; those after the samples mean nothing. None: as many as there are samples.
        """
        rows = rows or self.samples

        def placed(leaf: np.ndarray) -> Any:
            return backend.asarray(leaf) if len(leaf) == rows else backend.borrow(in_bucket(leaf, rows))

        if (backend, rows) not in self._resident:
            self._resident = {(backend, rows): _each_once(placed, self.data)}
        data = self._resident[backend, rows]
        return Filled(data, backend.asarray(np.arange(rows, dtype=np.int32))) if numbered else data

    def batches(self, filled: bool = False, first: int = 0) -> Iterator[Any]:
        """Yield the batches from the number `first` on, in the order of the rows, as host arrays.

        Args:
            filled: fill a partial last batch up.
            first: the number of the first batch.
        """
        for start in range(first * self.batch_size, self.in_epoch * self.batch_size, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            rows: Any = slice(start, stop)
            if filled and stop - start < self.batch_size:
                rows = fill(np.arange(start, stop), self.batch_size)
            yield self._at(rows)

    def epoch_batches(self, first: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch from the number `first` on, in the order of this epoch, as host arrays."""
        full, rest = self.order()
        for rows in [*full, *([] if rest is None else [rest])][first:]:
            yield self._at(rows)

    def first_batch(self) -> Any:
        """Return one batch, for its shapes."""
        return self._at(slice(self.batch_size))

    def _at(self, rows: Any) -> Any:
        def cut(part: Any) -> Any:
            return nested.map_structure(lambda leaf: leaf[rows], part)

        # Part by part, since most parts are one array.
        return tuple([cut(part) for part in self.data]) if isinstance(self.data, tuple) else cut(self.data)

    def limit_to(self, steps: int) -> None:
        """Let an epoch have at most so many batches."""
        self.steps = steps

    def seek(self, epochs: int, within: bool, orders: Iterable[int]) -> None:
        """Move to the position of an earlier run. Nothing was read so far.

        Args:
            epochs: the number of finished epochs.
            within: whether the run was within an epoch.
            orders: the seeds that it drew for the order of its last pass.
        """
        self._done = epochs % -(-self._batches // self.steps) * self.steps
        self.orders.repeat(orders if within or self._done else ())

    def facts(self) -> dict[str, Any]:
        """Return as plain data what the steps of an epoch depend on."""
        return {
            "samples": self.samples,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "shuffle": self.shuffle,
        }

    def close(self) -> None:
        """Do nothing: arrays need no closing."""


def _each_once(place: Callable[[np.ndarray], Any], data: Any) -> Any:
    """Apply `place` to each array of a tree; only once if an array occurs twice, as in `fit(x, x)`."""
    made = {id(leaf): place(leaf) for leaf in {id(leaf): leaf for leaf in nested.flatten(data)}.values()}
    return nested.map_structure(lambda leaf: made[id(leaf)], data)

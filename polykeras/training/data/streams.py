"""Batches from a generator, a `PyDataset`, a `DataLoader` or any other iterable of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from polykeras import tree
from polykeras.training.data.checks import check_host_arrays, host_tree, weights_from_classes
from polykeras.training.data.familiar import NAMES, Familiar
from polykeras.training.data.packs import Pack, Packing, pack_capacity
from polykeras.training.data.prefetch import Prefetch
from polykeras.training.data.unpack import unpack_x_y_sample_weight


class StreamSource:
    """Batches from an iterable, fetched ahead by a thread: never more of them than the epoch takes.

    Args:
        make: returns an iterator over the data from their beginning; a Python generator can only return itself.
        limit: batches in an epoch, the next of which goes on where it stopped; None for all there are.
        restarts: whether `make` begins anew.
        length: how many batches there are, None where that is not known.
        class_weight: weights by class, turned into sample weights.
        on_epoch_end: called after each epoch.
        depth: how many batches are fetched ahead; None for a few, or some packs of small ones.

    Attributes:
        steps: batches in an epoch, None where that is not known.
        check: called with each batch before it is given out; it may raise.
    """

    def __init__(
        self,
        make: Callable[[], Iterator[Any]],
        limit: int | None,
        restarts: bool = True,
        length: int | None = None,
        class_weight: dict[int, float] | None = None,
        on_epoch_end: Callable[[], None] | None = None,
        depth: int | None = None,
    ) -> None:
        self._make = make
        self._limit = limit
        self._restarts = restarts
        self._class_weight = class_weight
        self._depth = depth or 2
        self._most_in_pack = None if depth is None else max(1, depth // 2)
        self._packing: Packing | None = None
        self._familiar: Familiar | None = None
        self._items: Iterator[Any] | None = None  # where the next epoch goes on
        self._ahead: Prefetch | None = None  # an epoch that was begun
        self._running: Prefetch | None = None  # the one whose batches are given out
        self._first: list[Any] = []
        self._given = 0
        self.steps = length if limit is None else limit
        self.on_epoch_end = on_epoch_end
        self.check: Callable[[Any], None] = lambda batch: None

    def _prepare(self, batch: Any) -> tuple[Any, Any, Any]:
        """Return `(x, y, sample_weight)` of a batch as trees of host arrays, if it can be in the batch's own memory."""
        known = self._familiar.arrays(batch) if self._familiar is not None else None
        if known is not None:
            return known
        parts = unpack_x_y_sample_weight(batch)
        host = [None if p is None else host_tree(p, n) for p, n in zip(parts, NAMES, strict=True)]
        if self._class_weight is not None:
            if host[2] is not None:
                raise ValueError("Pass class_weight or sample_weight, not both: the batches carry sample weights.")
            host[2] = weights_from_classes(host[1], self._class_weight)
        check_host_arrays({n: p for n, p in zip(NAMES, host, strict=True) if p is not None})
        self._familiar = Familiar.of(batch, host) if self._class_weight is None else None
        return host[0], host[1], host[2]

    def _endless(self) -> Iterator[Any]:
        """The data again and again, for epochs that need not end where the data end."""
        empty = False
        while not empty:
            empty = True
            for item in self._make():
                empty = False
                yield item

    def _begin(self) -> Prefetch:
        if self._limit is None and self._restarts:
            items = self._make()
        else:
            if self._items is None:
                self._items = self._endless() if self._restarts else self._make()
            items = islice(self._items, self._limit)
        if self._packing is not None:
            self._packing.reset()
        # Copies: a generator may fill the same arrays anew while these wait.
        return Prefetch(map(self._prepare, items), self._depth, _copied, self._packing)

    def first_batch(self) -> Any:
        """Return the first batch of the next epoch, to learn shapes from.

        Raises:
            ValueError: there is none.
        """
        if not self._first:
            self._ahead = self._begin()
            try:
                self._first = [next(self._ahead)]
            except StopIteration:
                raise ValueError(self._nothing()) from None
        first = self._first[0]
        return first.batch(0) if isinstance(first, Pack) else first

    def _nothing(self) -> str:
        if not self._given:
            return "The data are empty: the generator or data set gave no batch."
        return (
            f"The generator ended: it gave {self._given} batches to the epochs before and nothing to this one, since "
            "it cannot begin anew. Let it go on without end and pass `steps_per_epoch`, or pass a PyDataset."
        )

    def _items_of_epoch(self) -> Iterator[Any]:
        self.first_batch()
        ahead, self._ahead = self._ahead, None
        self._running = ahead
        pending, self._first = self._first, []
        try:
            yield from chain(pending, ahead)  # type: ignore[arg-type]
        finally:
            if not ahead.close():  # type: ignore[union-attr]
                self._packing = None  # its thread may still write into a pack
        if self.on_epoch_end is not None:
            self.on_epoch_end()

    def epoch(self) -> Iterator[Any]:
        """Return the batches of one epoch: fewer than `steps` only where the data ended."""
        self._packing = None
        for item in self._items_of_epoch():
            batches = [_copied(item.batch(i)) for i in range(item.count)] if isinstance(item, Pack) else [item]
            if isinstance(item, Pack):
                self.give_back(item)
            for batch in batches:
                self._given += 1
                self.check(batch)
                yield batch

    def packs(self) -> Iterator[Any]:
        """Return the batches of one epoch, small ones that are like the first one as `Pack`s of those that are there.

        Packs want to be given back. A batch that differs, or is large, comes as it is.
        """
        first = self.first_batch()
        if self._packing is None and (capacity := pack_capacity(first, self._most_in_pack)) > 1:
            self._packing = Packing(first, capacity)
        packing = self._packing
        if packing is not None:
            self._ahead.pack(packing)  # type: ignore[union-attr]
        for item in self._items_of_epoch():
            if packing is not None and not isinstance(item, Pack) and packing.fits(item):
                item = packing.alone(item)
            error = self._checked(item)
            if not isinstance(item, Pack) or item.count:
                yield item
            if error is not None:
                raise error

    def _checked(self, item: Any) -> Exception | None:
        """Check a batch, or all in a pack; return the error, of which what comes before it in the pack is free."""
        if not isinstance(item, Pack):
            self._given += 1
            self.check(item)
            return None
        self._given += item.count
        try:
            self.check(item.rows(item.count))
        except Exception:
            for i in range(item.count):
                try:
                    self.check(item.batch(i))
                except Exception as error:
                    item.count = i
                    return error
            raise
        return None

    def give_back(self, pack: Pack) -> None:
        """Let a pack be filled again."""
        if self._running is not None:
            self._running.give_back(pack)

    def close(self) -> None:
        """End the threads that fetch ahead, also where an error ended an epoch: its traceback may outlive it."""
        for ahead in (self._ahead, self._running):
            if ahead is not None:
                ahead.close()
        self._ahead = self._running = None
        self._first = []


def _copied(batch: Any) -> Any:
    return tree.map_structure(np.array, batch)

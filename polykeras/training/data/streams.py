"""Batches from a generator, a `PyDataset`, a `DataLoader` or any other iterable of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from threading import Event
from typing import Any

from polykeras import fast
from polykeras.backend import registry
from polykeras.training.data.checks import check_values
from polykeras.training.data.direct import Direct
from polykeras.training.data.orders import Orders
from polykeras.training.data.packs import Pack, Packing, pack_capacity
from polykeras.training.data.prefetch import CLOSING_SECONDS, THREAD_NAME, Prefetch
from polykeras.training.data.preparation import Preparation, checked_copy
from polykeras.training.data.worker import Worker


def _endless(make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """The data again and again, for epochs that need not end where the data end."""
    empty = False
    while not empty:
        empty = True
        for item in make():
            empty = False
            yield item


class StreamSource:
    """Batches from an iterable, fetched ahead by a thread where that helps: never more of them than the epoch takes.

    Args:
        make: returns an iterator over the data from their beginning; a Python generator can only return itself.
        limit: batches in an epoch, the next of which goes on where it stopped; None for all there are.
        restarts: whether `make` begins anew.
        length: how many batches there are, None where that is not known.
        class_weight: weights by class, turned into sample weights.
        on_epoch_end: called after each epoch.
        depth: how many batches are fetched ahead; None for a few, or some packs of small ones.
        orders: what `make` takes its orders from, where it does.
        ready: says whether the batches lie in memory, and no code of a user's makes them: see `Provider.lies_ready`.

    Attributes:
        steps: batches in an epoch, None where that is not known.
        orders: as given, or one that nobody uses.
        given: how many batches were given out.
        check: called with each batch before it is given out; it may raise, and returns whether it could look.
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
        orders: Orders | None = None,
        ready: Callable[[], bool] = lambda: False,
    ) -> None:
        self._make = make
        self._limit = limit
        self._restarts = restarts
        self._prepare = Preparation(class_weight)
        self._depth = depth or 2
        self._most_in_pack = None if depth is None else max(1, depth // 2)
        self._ready = ready
        self._packing: Packing | None = None
        self._worker = Worker(THREAD_NAME)  # one, as what an iterator opens may belong to the thread
        self._items: Iterator[Any] | None = None  # where the next epoch goes on
        self._ahead: Prefetch | Direct | None = None  # an epoch that was begun
        self._running: Prefetch | Direct | None = None  # the one whose batches are given out
        self._first: list[Any] = []
        self._sought: Iterator[Any] | None = None  # the rest of an epoch that was begun in an earlier run
        self._last_skipped: list[Any] = []
        self._sample: Any = None  # a batch of it, where nothing is left
        self.given = 0
        self.orders = orders or Orders()
        self.steps = length if limit is None else limit
        self.on_epoch_end = on_epoch_end
        self.check: Callable[[Any], bool] = lambda batch: True

    @property
    def goes_on(self) -> bool:
        """Whether an epoch goes on in the data where the one before it ended, instead of beginning with them."""
        return self._limit is not None or not self._restarts

    def _going_on(self) -> Iterator[Any]:
        if self._items is None:
            self._items = _endless(self._make) if self._restarts else self._make()
        return self._items

    def _begin(self) -> Prefetch | Direct:
        if self._sought is not None:
            items, self._sought = self._sought, None
        elif self.goes_on:
            items = islice(self._going_on(), self._limit)
        else:
            self.orders.forget()
            items = self._make()
        if self._packing is not None:
            self._packing.reset()
        if registry.current().execution.threads_disturb_steps() and self._ready():
            return Direct(items, self._prepare, checked_copy, self._packing)
        # Copies: a generator may fill the same arrays anew while these wait.
        return Prefetch(items, self._depth, self._prepare, checked_copy, self._packing, self._worker)

    def first_batch(self) -> Any:
        """Return the first batch of the next epoch, to learn shapes from.

        Raises:
            ValueError: there is none.
        """
        if self._sample is not None:
            return self._sample
        if not self._first:
            self._ahead = self._begin()
            try:
                self._first = [next(self._ahead)]
            except StopIteration:
                if self._last_skipped:
                    self._sample = self._prepare(self._last_skipped[0])
                    return self._sample
                raise ValueError(self._nothing()) from None
        first = self._first[0]
        return first.batch(0) if isinstance(first, Pack) else first

    def _nothing(self) -> str:
        if not self.given:
            return "The data are empty: the generator or data set gave no batch."
        return (
            f"The generator ended: it gave {self.given} batches to the epochs before and nothing to this one, since "
            "it cannot begin anew. Let it go on without end and pass `steps_per_epoch`, or pass a PyDataset."
        )

    def _items_of_epoch(self) -> Iterator[Any]:
        if self._ahead is None:
            self.first_batch()
        ahead, self._ahead = self._ahead, None
        if isinstance(ahead, Direct) and ahead.packing is None:  # large batches, for long steps: a thread is worth it
            ahead = Prefetch(ahead, self._depth, worker=self._worker)
        self._last_skipped, self._sample = [], None
        self._running = ahead
        pending, self._first = self._first, []
        try:
            yield from chain(pending, ahead)  # type: ignore[arg-type]
        finally:
            self._running = None
            if not ahead.close():  # type: ignore[union-attr]
                self._packing = None  # its thread may still write into a pack,
                self._worker = Worker(THREAD_NAME)  # and is no good for others
        if self.on_epoch_end is not None:
            self.on_epoch_end()

    # ---- going on with an earlier run --------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Return what the steps of an epoch depend on and is known, as plain data."""
        return {"samples": None, "batch_size": None, "steps": self.steps, "shuffle": None}

    def seek(self, epochs: int, batches: int, before_epoch: Callable[[], None] = lambda: None) -> None:
        """Come to where an earlier run was: nothing was read so far.

        Data in which epochs go on are read again from their beginning. Of others the passes of earlier epochs are
        begun, for what they count or draw then, and the current one is read again.

        Args:
            epochs: how many were finished.
            batches: of the current epoch.
            before_epoch: called before a pass of the current epoch begins, where there are passes.

        Raises:
            ValueError: there are not so many batches.
        """
        for _ in range(epochs):
            if self.goes_on:
                self._skip(self._going_on(), self._limit)
            else:
                passed = [self._make()]  # which ends with the call, and not here
                self._worker.call(lambda items=passed: next(items.pop(), None))
            if self.on_epoch_end is not None:
                self.on_epoch_end()
        if not self.goes_on:
            before_epoch()
        if batches:
            items = self._going_on() if self.goes_on else iter(self._make())
            self._last_skipped = self._skip(items, batches)
            left = None if self._limit is None else self._limit - batches
            self._sought = islice(items, left)

    def _skip(self, items: Iterator[Any], count: int | None) -> list[Any]:
        """Pass over so many batches, in the thread that reads the others; return the last of them in a list."""
        before, last, abandoned = self.given, [], Event()

        def skip() -> None:
            for item in islice(items, count):
                self.given += 1
                last[:] = [item]
                if abandoned.is_set():
                    return

        try:
            self._worker.call(skip)
        finally:
            abandoned.set()  # by an interrupt, which ends the wait and is to end the reading
        done = self.given - before
        if count is not None and done < count:
            raise ValueError(
                f"The run that is to go on had taken {count} batches of these data where now {done} come. Pass the "
                "same data, from their beginning; or remove the backup to begin anew."
            )
        return last

    def epoch(self) -> Iterator[Any]:
        """Return the batches of one epoch: fewer than `steps` only where the data ended."""
        self._packing = None
        for item in self._items_of_epoch():
            for batch in _unpacked(item) if isinstance(item, Pack) else (item,):
                self.given += 1
                self.check(batch)
                yield batch

    def packs(self, together: int | None = None) -> Iterator[Any]:
        """Return the batches of one epoch, small ones that are like the first one as `Pack`s of those that are there.

        Packs want to be released. A batch that differs, or is large, comes as it is.

        Args:
            together: how many batches are to be in each pack, but where the data or batches of that kind end; None for
                as many as are there.
        """
        first = self.first_batch()
        capacity = pack_capacity(first, self._most_in_pack, together)
        if capacity > 1 and self._packing is None and self._first:
            self._packing = Packing(first, capacity, together is not None, self.check)
            self._ahead.start_packing(self._packing, self._first)  # type: ignore[union-attr]
            who = "the thread that trains" if isinstance(self._ahead, Direct) else "a thread"
            fast.explain("batches of a stream", f"up to {capacity} together, read by {who}", "they are small")
            self._first = []
        for item in self._items_of_epoch():
            error = self._checked(item)
            if not isinstance(item, Pack) or item.count:
                yield item
            if error is not None:
                raise error

    def _checked(self, item: Any) -> Exception | None:
        """Check a batch, or all in a pack; return the error, of which what comes before it in the pack is free."""
        if not isinstance(item, Pack):  # who fetched it looked for nan
            self.given += 1
            self.check(item)
            return None
        self.given += item.count
        if item.is_checked:
            return None
        item.look_for_nan()
        rows = item.rows(item.count)
        try:
            if item.has_nan:
                check_values(rows)
            self.check(rows)
        except Exception as found:
            for i in range(item.count):
                try:
                    check_values(item.batch(i))
                    self.check(item.batch(i))
                except Exception as error:
                    item.count = i
                    return error
            item.count = 0  # all at once are refused, and none by itself
            return found
        return None

    def close(self) -> None:
        """End the thread that fetches ahead, also where an error ended an epoch: its traceback may outlive it."""
        ended = True
        for reader in (self._running, self._ahead):
            ended = (reader is None or reader.close()) and ended
        ended = self._worker.close(CLOSING_SECONDS if ended else 0.0) and ended
        if self._packing is not None and ended:
            self._packing.close()
        self._packing = None
        self._ahead = self._running = None
        self._first = []


def _unpacked(pack: Pack) -> Iterator[Any]:
    for i in range(pack.count):
        yield checked_copy(pack.batch(i))
    pack.release()

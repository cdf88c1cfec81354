"""Batches from a generator, a `PyDataset`, a `DataLoader` or another iterable of batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count, islice
from typing import Any

from polykeras.training.data.batches import Batch, Buffer, BufferSlice, prepared
from polykeras.training.data.orders import Orders
from polykeras.training.data.reader import END, BatchQueue, Worker, read_into

CLOSING_SECONDS = 5.0  # the longest wait for the end of reading, since an iterator may block


def _nothing(*args: Any) -> None:
    pass


@dataclass(eq=False)
class StreamSource:
    """Batches from an iterable, read ahead by a thread. It never reads more than the epoch takes.

    There is one thread for all epochs, since objects that an iterator opens may belong to its thread. A connection to
    SQLite is an example.

    Attributes:
        make: returns an iterator over the data from their beginning. For a Python generator it returns the generator.
        limit: batches per epoch; the next epoch continues after them. An epoch in which the data end is shorter, and
            the next one begins anew. None: an epoch is all batches.
        restarts: whether `make` starts from the beginning each time.
        length: the number of batches; None if unknown.
        class_weight: weights by class, turned into sample weights.
        on_epoch_begin: called before each epoch, by the thread that reads.
        on_epoch_end: called after each epoch, and by `reset`.
        depth: the number of batches to read ahead. None: two, or a buffer of small batches.
        orders: gives `make` the orders of the data.
        check: called with each batch, or with several joined into one, before it is used. It may raise.
    """

    make: Callable[[], Iterator[Any]]
    limit: int | None
    restarts: bool = True
    length: int | None = None
    class_weight: dict[int, float] | None = None
    on_epoch_begin: Callable[[], None] = field(default_factory=lambda: _nothing)
    on_epoch_end: Callable[[], None] = field(default_factory=lambda: _nothing)
    depth: int | None = None
    orders: Orders = field(default_factory=Orders)
    check: Callable[[Any], Any] = field(default_factory=lambda: _nothing)

    def __post_init__(self) -> None:
        self._worker = Worker()
        self._rest: Iterator[Any] | None = None  # what is left of the data, for epochs that continue in them
        self._begun: Iterator[Any] | None = None  # the items of an epoch from which some were read
        self._sample: list[Any] = []  # the last item that was read
        self._queue: BatchQueue | None = None  # of the latest epoch
        self._given = 0  # the number of batches that were used

    @property
    def steps(self) -> int | None:
        """Batches per epoch; None if unknown."""
        return self.length if self.limit is None else self.limit

    @property
    def goes_on(self) -> bool:
        """Whether each epoch continues in the data where the one before it ended."""
        return self.limit is not None or not self.restarts

    def limit_to(self, steps: int) -> None:
        """Let an epoch have at most so many batches. The next epoch continues after them."""
        self.limit = steps

    def reset(self) -> None:
        """Let the next epoch begin with the data, if they can begin anew. What is begun goes on."""
        if self._begun is not None:
            return
        if self.restarts:
            self._rest = None
        self.on_epoch_end()

    def first_batch(self) -> Any:
        """Return the first batch of the next epoch, for its shapes.

        Raises:
            ValueError: there is no batch.
        """
        return self._first().data

    def _first(self) -> Batch:
        self._begin()
        if self._sample:
            return prepared(self._sample[0], self.class_weight)
        if not self._given:
            raise ValueError("The data are empty: the generator or data set gave no batch.")
        raise ValueError(
            f"The generator ended: it gave {self._given} batches to the epochs before and none to this one, since a "
            "generator cannot start again. Make it endless and pass `steps_per_epoch`, or pass a PyDataset."
        )

    def _begin(self) -> Iterator[Any]:
        """Begin the next epoch, if it is not begun, by reading its first item. Return its items."""
        if self._begun is not None:
            return self._begun
        self._in_thread(self.on_epoch_begin)
        rest, item = self._rest, END
        if rest is not None:
            item = self._next_item(rest)
        if rest is None or (item is END and self.restarts):
            if not self.goes_on:
                self.orders.forget()
            rest = self._in_thread(self.make)
            item = self._next_item(rest)
        self._rest = rest if self.goes_on else None
        self._sample = [] if item is END else [item]
        self._begun = chain(self._sample, islice(rest, self.limit and self.limit - 1))
        return self._begun

    def _in_thread(self, function: Callable[[], Any]) -> Any:
        return self._worker.submit(function).result()

    def _next_item(self, items: Iterator[Any]) -> Any:
        return self._in_thread(partial(next, items, END))

    def read_epoch(self, at_once: int = 0) -> Generator[Any, None, None]:
        """Read one epoch, or what `seek` left of it, and yield its batches: fewer than `steps` only if the data end.

        Args:
            at_once: 0: yield single batches. Otherwise small batches like the first one are yielded as `BufferSlice`s
                of all that were read so far, or of multiples of `at_once`. A slice is shorter only if the data, or
                the batches of that kind, end. Asking for the next item releases a slice.
        """
        first = self._first()
        buffer = Buffer.like(first, self.depth, at_once) if at_once else None
        queue = self._queue = BatchQueue(self.depth or 2, buffer, at_once)
        prepare = partial(prepared, class_weight=self.class_weight, known=first.signature)
        reading = self._worker.submit(partial(read_into, queue, self._begin(), prepare))
        self._begun, self._sample = None, []
        try:
            while (item := queue.get()) is not END:
                yield from self._checked(item)
                queue.done(item)
            reading.result()  # raises the error of the stream
        finally:
            queue.close()
            try:
                reading.exception(CLOSING_SECONDS)
            except TimeoutError:
                self._worker = Worker()  # the old one is blocked in the iterator
            del reading  # it holds the error, which holds this frame
        self.on_epoch_end()

    def _checked(self, item: Any) -> Iterator[Any]:
        """Yield a batch or a slice after checking it. If a slice is wrong, yield the batches before the wrong one."""
        places = range(item.start, item.stop) if isinstance(item, BufferSlice) else ()
        self._given += len(places) or 1
        try:
            self.check(item.buffer.rows(item.start, item.stop) if places else item)
        except Exception:
            for place in places:
                self.check(item.buffer.rows(place, place + 1))
                yield BufferSlice(item.buffer, place, place + 1)
            raise
        yield item

    def close(self) -> None:
        """End the reading thread, also after an error, whose traceback may live on."""
        if self._queue is not None:
            self._queue.close()
        self._abandon()
        self._worker.close(CLOSING_SECONDS)

    def _abandon(self) -> None:
        """Free the iterator of an epoch that was begun, in the thread that began it."""
        if self._begun is not None:
            begun, self._begun, self._sample = [self._begun], None, []
            self._worker.submit(begun.clear)

    # ---- resuming an earlier run -------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Return as plain data what is known of the things that the steps of an epoch depend on."""
        return {"samples": None, "batch_size": None, "steps": self.steps, "shuffle": None}

    def seek(self, epochs: int, batches: int, before_epoch: Callable[[], None] = _nothing) -> None:
        """Move to the position of an earlier run. Nothing was read so far.

        If epochs continue in the data, these are read again from their beginning. Otherwise the pass of each earlier
        epoch is begun, since it may count or draw something, and the current epoch is read again.

        Args:
            epochs: the number of finished epochs.
            batches: the number of batches of the current epoch that were used.
            before_epoch: called before the pass of the current epoch begins, unless epochs continue in the data.

        Raises:
            ValueError: there are not so many batches.
        """
        for _ in range(epochs):
            self._begin()
            if self.goes_on:
                self._skip(self.limit, self.restarts)
            self._abandon()
            self.on_epoch_end()
        if not self.goes_on:
            before_epoch()
        if batches:
            self._skip(batches)

    def _skip(self, batches: int | None, may_end: bool = False) -> None:
        """Skip a number of batches of the epoch, or all; fewer if the data end and may do so."""
        items = self._begin()
        for done in count():
            item = self._next_item(items) if done != batches else END
            if item is END and (may_end or batches in (done, None)):
                return
            if item is END:
                raise ValueError(
                    f"The earlier run took {batches} batches of these data, which now have {done}. Pass the same data, "
                    "from their beginning; or remove the backup to start again."
                )
            self._sample = [item]
            self._given += 1

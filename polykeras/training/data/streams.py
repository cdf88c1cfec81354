"""Batches from a generator, a `PyDataset`, a `DataLoader` or any other iterable of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count, islice
from typing import Any

from polykeras.training.data.batches import Batch, Buffer, BufferSlice, prepared
from polykeras.training.data.orders import Orders
from polykeras.training.data.reader import END, BatchQueue, Worker, read_into

CLOSING_SECONDS = 5.0  # for which the end of reading is waited for: an iterator may block


def _endless(make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """The data again and again, for epochs that need not end where the data end."""
    empty = False
    while not empty:
        empty = True
        for item in make():
            empty = False
            yield item


def _nothing(*args: Any) -> None:
    pass


@dataclass(eq=False)
class StreamSource:
    """Batches from an iterable, read ahead by a thread: never more of them than the epoch takes.

    It is one thread for all epochs, as what an iterator opens may belong to it (a connection to SQLite does).

    Attributes:
        make: returns an iterator over the data from their beginning; a Python generator can only return itself.
        limit: batches in an epoch, the next of which goes on where it stopped; None for all there are.
        restarts: whether `make` begins anew.
        length: how many batches there are, None where that is not known.
        class_weight: weights by class, turned into sample weights.
        on_epoch_end: called after each epoch.
        depth: how many batches are read ahead; None for two, or a buffer of small ones.
        orders: what `make` takes its orders from, where it does.
        check: called with each batch, or several in one, before it is given out; it may raise.
    """

    make: Callable[[], Iterator[Any]]
    limit: int | None
    restarts: bool = True
    length: int | None = None
    class_weight: dict[int, float] | None = None
    on_epoch_end: Callable[[], None] = field(default_factory=lambda: _nothing)
    depth: int | None = None
    orders: Orders = field(default_factory=Orders)
    check: Callable[[Any], Any] = field(default_factory=lambda: _nothing)

    def __post_init__(self) -> None:
        self._worker = Worker()
        self._all = _endless(self.make) if self.restarts else self.make()  # for epochs that go on
        self._begun: Iterator[Any] | None = None  # what is left of an epoch of which an item was read
        self._sample: list[Any] = []  # the latest one of these items
        self._queue: BatchQueue | None = None  # of the latest epoch
        self._given = 0  # batches

    @property
    def steps(self) -> int | None:
        """The batches in an epoch, None where that is not known."""
        return self.length if self.limit is None else self.limit

    @property
    def goes_on(self) -> bool:
        """Whether an epoch goes on in the data where the one before it ended, instead of beginning with them."""
        return self.limit is not None or not self.restarts

    def first_batch(self) -> Any:
        """Return the first batch of the next epoch, to learn shapes from.

        Raises:
            ValueError: there is none.
        """
        return self._first().data

    def _first(self) -> Batch:
        self._begin()
        if self._sample:
            return prepared(self._sample[0], self.class_weight)
        if not self._given:
            raise ValueError("The data are empty: the generator or data set gave no batch.")
        raise ValueError(
            f"The generator ended: it gave {self._given} batches to the epochs before and nothing to this one, since "
            "it cannot begin anew. Let it go on without end and pass `steps_per_epoch`, or pass a PyDataset."
        )

    def _begin(self) -> Iterator[Any]:
        """Begin the next epoch, if that was not done: read its first item. Return its items."""
        if self._begun is not None:
            return self._begun
        if self.goes_on:
            items = islice(self._all, self.limit)
        else:
            self.orders.forget()
            items = self.make()
        item = self._next_item(items)
        self._sample = [] if item is END else [item]
        self._begun = chain(self._sample, items)
        return self._begun

    def _next_item(self, items: Iterator[Any]) -> Any:
        return self._worker.submit(partial(next, items, END)).result()

    def epoch(self, together: int = 0) -> Generator[Any, None, None]:
        """Return the batches of one epoch: fewer than `steps` only where the data ended.

        Args:
            together: 0 for one batch at a time. Otherwise small batches that are like the first one come as
                `BufferSlice`s of those that are there, or of multiples of so many, but where the data or batches of
                that kind end. Who asks for the next item is done with a slice.
        """
        first = self._first()
        buffer = Buffer.like(first, self.depth, together) if together else None
        queue = self._queue = BatchQueue(self.depth or 2, buffer, together)
        prepare = partial(prepared, class_weight=self.class_weight, known=first.signature)
        reading = self._worker.submit(partial(read_into, queue, self._begin(), prepare))
        self._begun, self._sample = None, []
        try:
            while (item := queue.get()) is not END:
                yield from self._checked(item)
                queue.done(item)
            reading.result()  # raises what ended the batches
        finally:
            queue.close()
            try:
                reading.exception(CLOSING_SECONDS)
            except TimeoutError:
                self._worker = Worker()  # the other one is held up in the iterator
            del reading  # it holds the error, and the error this frame
        self.on_epoch_end()

    def _checked(self, item: Any) -> Iterator[Any]:
        """Return a batch or a slice that is right; of a slice that is not, the batches before the wrong one."""
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
        """End the thread that reads, also where an error ended an epoch: its traceback may outlive it."""
        if self._queue is not None:
            self._queue.close()
        self._abandon()
        self._worker.close(CLOSING_SECONDS)

    def _abandon(self) -> None:
        """Let an epoch that was begun end in the thread that began it."""
        if self._begun is not None:
            begun, self._begun, self._sample = [self._begun], None, []
            self._worker.submit(begun.clear)

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
            self._begin()
            if self.goes_on:
                self._skip(self.limit)
            self._abandon()
            self.on_epoch_end()
        if not self.goes_on:
            before_epoch()
        if batches:
            self._skip(batches)

    def _skip(self, batches: int | None) -> None:
        """Pass over so many batches of the epoch, or all."""
        items = self._begin()
        for done in count():
            item = self._next_item(items) if done != batches else END
            if item is END and batches in (done, None):
                return
            if item is END:
                raise ValueError(
                    f"The run that is to go on had taken {batches} batches of these data where now {done} come. Pass "
                    "the same data, from their beginning; or remove the backup to begin anew."
                )
            self._sample = [item]
            self._given += 1

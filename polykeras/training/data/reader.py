"""The thread that reads a stream, and the queue through which it passes batches to the training thread."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterator
from queue import Queue, SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from polykeras.common import global_draws, nested
from polykeras.training.data.batches import Batch, Buffer, BufferSlice
from polykeras.training.data.checks import check_values

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
THREAD_NAME = "polykeras-reader"
END = object()


class BatchQueue(Queue[Any]):
    """A bounded queue of batches, and of slices of the buffer into which small batches are copied.

    Adjacent slices are joined while they wait. So the batches that are read while a chunk of steps runs become the next
    chunk: many batches from a fast source, single batches from a slow one.

    Args:
        depth: the number of batches that may wait outside of the buffer.
        buffer: takes batches of its signature.
        at_once: how many batches are to run at once: those of a slice. There may be fewer at the end and before another
            kind of batch.

    Attributes:
        closed: whether the training thread takes no more items.
    """

    def __init__(self, depth: int, buffer: Buffer | None = None, at_once: int = 1) -> None:
        super().__init__(depth)
        self.closed = False
        self._buffer, self._at_once = buffer, at_once
        self._free = Semaphore(buffer.capacity if buffer else 0)
        self._start = self._stop = 0  # the part of the buffer that was written and not yet put into the queue

    def add(self, batch: Batch) -> None:
        """Put a batch into the queue as soon as there is room. Its memory may be reused afterwards."""
        buffer = self._buffer
        if buffer is None or batch.signature != buffer.signature:
            self.flush()
            self.put(nested.map_structure(np.array, batch.data))
            return
        self._free.acquire()
        buffer.write(self._stop, batch.leaves)
        self._stop += 1
        if self._stop - self._start == self._at_once or self._stop == buffer.capacity:
            self.flush()

    def flush(self) -> None:
        """Put the written part of the buffer into the queue."""
        buffer, start, stop = self._buffer, self._start, self._stop
        if buffer is None or start == stop:
            return
        self._start = self._stop = stop % buffer.capacity
        with self.mutex:
            last = self.queue[-1] if self.queue else None
            if isinstance(last, BufferSlice) and last.stop == start:
                self.queue[-1] = last._replace(stop=stop)
                return
        self.put(BufferSlice(buffer, start, stop))

    def done(self, item: Any) -> None:
        """Say that an item that was taken from the queue is no longer used."""
        if isinstance(item, BufferSlice):
            self._free.release(item.stop - item.start)

    def close(self) -> None:
        """Let the reading thread run to its end, whatever it waits for."""
        with self.mutex:
            self.closed = True
            self.queue.clear()
            self.maxsize = sys.maxsize
            self.not_full.notify()
        self._free.release()


def read_into(queue: BatchQueue, items: Iterator[Any], prepare: Callable[[Any], Batch]) -> None:
    """Prepare items and put them into a queue until it is closed. Put `END` at the end, also after an error.

    Args:
        queue: where they go.
        items: batches as the stream gives them.
        prepare: turns an item into a `Batch`.
    """
    try:
        for item in items:
            batch = prepare(item)
            check_values(batch.data)
            queue.add(batch)
            if queue.closed:
                return
    finally:
        queue.flush()
        queue.put(END)


class Worker:
    """A thread that runs functions one after the other, in a copy of the context of the first `submit`.

    This is not a `ThreadPoolExecutor`, since the interpreter waits for its threads at exit and a user's iterator may
    block.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        self._thread: Thread | None = None

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function after all earlier ones, and return the future of its result."""
        from concurrent.futures import Future

        if self._thread is None:  # the thread must not hold this object, or it would never be freed
            run = contextvars.copy_context().run
            self._thread = Thread(target=run, args=(_work, self._jobs), name=THREAD_NAME, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((function, future))
        return future

    def close(self, timeout: float) -> None:
        """End the thread after its last function, and wait for at most `timeout` seconds."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def __del__(self) -> None:
        self._jobs.put(None)


def _work(jobs: SimpleQueue[Any]) -> None:
    while (job := jobs.get()) is not None:
        function, future = job
        try:
            with global_draws.elsewhere():
                future.set_result(function())
        except BaseException as error:  # raised by `future.result()`
            future.set_exception(error)
        del job, function, future  # else they would live until the next job

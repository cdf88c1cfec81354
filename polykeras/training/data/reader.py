"""The thread that reads a stream, and the queue in which it hands batches over to the one that trains."""

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

    Slices that follow one another are joined while they wait. So what is read while a chunk of steps runs is the next
    chunk: of a fast source many batches, of a slow one each as it comes.

    Args:
        depth: how many batches may wait besides those in the buffer.
        buffer: for batches of its signature.
        together: how many of them are handed over at once, but at the end and before another kind of batch.

    Attributes:
        closed: whether nobody takes anything any more.
    """

    def __init__(self, depth: int, buffer: Buffer | None = None, together: int = 1) -> None:
        super().__init__(depth)
        self.closed = False
        self._buffer, self._together = buffer, together
        self._free = Semaphore(buffer.capacity if buffer else 0)
        self._start = self._stop = 0  # what was written to the buffer and not handed over

    def add(self, batch: Batch) -> None:
        """Put a batch into the queue once there is room. Its memory may be used again afterwards."""
        buffer = self._buffer
        if buffer is None or batch.signature != buffer.signature:
            self.flush()
            self.put(nested.map_structure(np.array, batch.data))
            return
        self._free.acquire()
        buffer.write(self._stop, batch.leaves)
        self._stop += 1
        if self._stop - self._start == self._together or self._stop == buffer.capacity:
            self.flush()

    def flush(self) -> None:
        """Put what is in the buffer into the queue."""
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
        """Say that something that was taken is not used any more."""
        if isinstance(item, BufferSlice):
            self._free.release(item.stop - item.start)

    def close(self) -> None:
        """Let the thread that reads go on to its end, whatever it waits for."""
        with self.mutex:
            self.closed = True
            self.queue.clear()
            self.maxsize = sys.maxsize
            self.not_full.notify()
        self._free.release()


def read_into(queue: BatchQueue, items: Iterator[Any], prepare: Callable[[Any], Batch]) -> None:
    """Prepare items and put them into a queue until it is closed. Put `END` after the last one, also after an error."""
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
    """A thread that runs functions one after the other, in one copy of the context in which the first one came.

    It is no `ThreadPoolExecutor`: the interpreter would wait for its thread to end, and a user's iterator may block.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        self._thread: Thread | None = None

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function after those before it; return the future of its result."""
        from concurrent.futures import Future

        if self._thread is None:  # which does not hold this object: it could not be dropped otherwise
            run = contextvars.copy_context().run
            self._thread = Thread(target=run, args=(_work, self._jobs), name=THREAD_NAME, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((function, future))
        return future

    def close(self, timeout: float) -> None:
        """End the thread after what it was given; wait some seconds for its end."""
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
        except BaseException as error:  # raised where the result is asked for
            future.set_exception(error)
        del job, function, future  # what they hold is not to live until the next one

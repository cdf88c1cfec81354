"""Work done ahead of its use, in a thread."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from typing import Any

_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Prefetch(Iterator[Any]):
    """The items of an iterator, which a thread fetches ahead of their use.

    An exception in it is raised where its item would have come. The thread ends when the items do, or when this is
    closed or dropped.

    Args:
        items: an iterator; it is only used by the thread.
        depth: how many items may wait.
    """

    def __init__(self, items: Iterator[Any], depth: int = 2) -> None:
        self._waiting: queue.Queue[Any] = queue.Queue(maxsize=max(1, depth))
        self._stopped = threading.Event()
        self._ended = False
        # The thread inherits the caller's backend: sources may make arrays. It knows nothing of this object, which
        # could not be dropped otherwise.
        context = contextvars.copy_context()
        arguments = (_fetch, items, self._waiting, self._stopped)
        self._thread = threading.Thread(target=context.run, args=arguments, name="polykeras-prefetch", daemon=True)
        self._thread.start()

    def deepen(self, depth: int) -> None:
        """Let at least so many items wait."""
        with self._waiting.mutex:
            self._waiting.maxsize = max(depth, self._waiting.maxsize)
            self._waiting.not_full.notify_all()

    def is_ready(self) -> bool:
        """Return whether the next item, or the end, is there already."""
        return self._ended or not self._waiting.empty()

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        item = self._waiting.get()
        if item is _END or isinstance(item, _Failure):
            self.close()
            raise StopIteration if item is _END else item.error
        return item

    def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._stopped.set()
        self._thread.join(timeout=5.0)

    def __del__(self) -> None:
        if hasattr(self, "_thread"):
            self._stopped.set()


def _fetch(items: Iterator[Any], waiting: queue.Queue[Any], stopped: threading.Event) -> None:
    """Put the items, and then their end or the error that ended them, into a queue until that is stopped."""

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    try:
        for item in items:
            if not put(item):
                return
    except BaseException as error:  # handed to the reader, whatever it is
        put(_Failure(error))
    else:
        put(_END)

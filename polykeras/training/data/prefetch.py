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


def prefetch(items: Iterator[Any], depth: int = 2) -> Iterator[Any]:
    """Return the items of an iterator, which a thread fetches ahead of their use.

    An exception in it is raised where its item would have come. The thread ends when the items do, or when the
    returned iterator is closed or dropped.

    Args:
        items: an iterator; it is only used by the thread.
        depth: how many items may wait.
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=max(1, depth))
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # handed to the reader, whatever it is
            put(_Failure(error))
        else:
            put(_END)

    # The thread inherits the caller's backend: sources may make arrays.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="polykeras-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5.0)

"""Items fetched ahead of their use, in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from polykeras.training.data.packs import Packing
from polykeras.training.data.shelf import END, Failure, Shelf
from polykeras.training.data.worker import Worker

THREAD_NAME = "polykeras-prefetch"
CLOSING_SECONDS = 5.0  # for which the end of a thread is waited for: it may be held up in the iterator


class Prefetch(Iterator[Any]):
    """The items of an iterator, which a thread fetches ahead of their use.

    An exception in it, or in what is done with an item, is raised where that would have come. The thread is done with
    them when the items end, or when this is closed or dropped.

    Args:
        items: an iterator; it is only used by the thread, in a copy of the caller's context: sources may make arrays.
        depth: how many items may wait.
        prepare: makes the item that is given out of one of the iterator's; not called for those that the packing knows.
        own: makes a prepared item independent of the iterator, which may change it; by default nothing is done.
        packing: how items are packed: then `Pack`s come, of what is there, which want to be released. Items that do not
            fit come as they are.
        worker: the thread, for other iterators too; by default one for this alone.
    """

    def __init__(
        self,
        items: Iterator[Any],
        depth: int = 2,
        prepare: Callable[[Any], Any] = lambda fetched: fetched,
        own: Callable[[Any], Any] = lambda item: item,
        packing: Packing | None = None,
        worker: Worker | None = None,
    ) -> None:
        self._shelf = Shelf(max(1, depth), prepare, own, packing)
        self._ended = False
        self._own_worker: Worker | None = None
        if worker is None:
            worker = self._own_worker = Worker(THREAD_NAME)
        # It knows nothing of this object, which could not be dropped otherwise.
        self._task = worker.start(partial(_fetch, items, self._shelf))

    def start_packing(self, packing: Packing, before: Sequence[Any] = ()) -> None:
        """From now on pack what fits: first `before`, items that came already, then what waits and what comes."""
        self._shelf.start_packing(packing, before)

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        item = self._shelf.take()
        if item is END or isinstance(item, Failure):
            self.close()
            raise StopIteration if item is END else item.error
        return item

    def close(self) -> bool:
        """Let the thread end with these items; return whether it has: it may be held up in the iterator."""
        self._ended = True
        self._shelf.stop()
        ended = self._task.wait(CLOSING_SECONDS)
        return ended and (self._own_worker is None or self._own_worker.close(CLOSING_SECONDS))

    def __del__(self) -> None:
        if hasattr(self, "_shelf"):
            self._shelf.stop()


def _fetch(items: Iterator[Any], shelf: Shelf) -> None:
    """Put the items, and then their end or the error that ended them, on a shelf until that is stopped."""
    try:
        for item in items:
            if not shelf.put(item):
                return
    except BaseException as error:  # handed to the reader, whatever it is
        shelf.put_last(Failure(error))
    else:
        shelf.put_last(END)

"""Items fetched ahead of their use, in a thread; those of a quick source in turn with their use, without one."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from polykeras.training.data.packs import Packing
from polykeras.training.data.shelf import END, Failure, Shelf


class Prefetch(Iterator[Any]):
    """The items of an iterator, which a thread fetches ahead of their use.

    An exception in it, or in what is done with an item, is raised where that would have come. The thread ends when the
    items do, or when this is closed or dropped. Where the packing's `Pace` says that the source is quick there is no
    thread: the reader fills a pack whenever it wants one. From beginning to end one thread uses the iterator.

    Args:
        items: an iterator; nobody else uses it.
        depth: how many items may wait.
        prepare: makes the item that is given out of one of the iterator's; not called for those that the packing knows.
        own: makes a prepared item independent of the iterator, which may change it; by default nothing is done.
        packing: how items are packed: then `Pack`s come, of what is there, which want to be released. Items that do not
            fit come as they are.
    """

    def __init__(
        self,
        items: Iterator[Any],
        depth: int = 2,
        prepare: Callable[[Any], Any] = lambda fetched: fetched,
        own: Callable[[Any], Any] = lambda item: item,
        packing: Packing | None = None,
    ) -> None:
        self._shelf = shelf = Shelf(max(1, depth), prepare, own, packing)
        self._ended = False
        # The iterator inherits the caller's backend: sources may make arrays. What they set does not reach the caller.
        context = contextvars.copy_context()
        self._fill: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        if shelf.in_turn:
            self._fill = lambda: context.run(shelf.fill, items)
            return
        # The thread knows nothing of this object, which could not be dropped otherwise.
        arguments = (_fetch, items, shelf)
        self._thread = threading.Thread(target=context.run, args=arguments, name="polykeras-prefetch", daemon=True)
        self._thread.start()

    def start_packing(self, packing: Packing, before: Sequence[Any] = ()) -> None:
        """From now on pack what fits: first `before`, items that came already, then what waits and what comes."""
        self._shelf.start_packing(packing, before)

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        if self._fill is not None:
            self._fill()
        item = self._shelf.take()
        if item is END or isinstance(item, Failure):
            self.close()
            raise StopIteration if item is END else item.error
        return item

    def close(self) -> bool:
        """End the thread; return whether it has ended: it may be held up in the iterator."""
        self._ended = True
        self._shelf.stop()
        if self._thread is None:
            return True
        self._thread.join(timeout=5.0)
        return not self._thread.is_alive()

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

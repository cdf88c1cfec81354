"""Work done ahead of its use, in a thread."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from polykeras.training.data.packs import Pack, Packing

_END = object()

# Seconds in which a pack may become fuller before it is read. A fast source fills it, and each pack costs a handing
# over from thread to thread and the start of a chunk, more than many a step. A slow one loses nothing: while a pack is
# read the next one waits, with all that came meanwhile.
_PATIENCE = 0.0015


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Shelf:
    """Where the thread puts what it fetched, and the reader finds it.

    Args:
        depth: how many items may wait.
        own: makes an item that is not packed the reader's own.
        packing: how items are packed; None where they are not.
    """

    def __init__(self, depth: int, own: Callable[[Any], Any], packing: Packing | None) -> None:
        self.packing = packing
        self._depth = depth
        self._own = own
        self._items: deque[Any] = deque()
        self._open: Pack | None = None  # the pack that is being filled
        self._stopped = False
        self._patient = False  # whether the reader waits for a full pack
        self._changed = threading.Condition()

    def put(self, item: Any) -> bool:
        """Put an item down once there is room; return whether there still is a reader."""
        if self.packing is not None and self.packing.fits(item):
            return self._pack(self.packing, item)
        return self.put_loose(self._own(item))

    def put_loose(self, item: Any) -> bool:
        """Put an item down as it is."""
        with self._changed:
            if self._open is not None and self._open.count:  # what came before comes before
                self._items.append(self._open)
                self._open = None
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._depth)
            self._items.append(item)
            self._changed.notify_all()
            return not self._stopped

    def _pack(self, packing: Packing, item: Any) -> bool:
        while True:
            with self._changed:
                if self._open is None:
                    self._changed.wait_for(lambda: self._stopped or packing.free)
                    if self._stopped:
                        return False
                    self._open = packing.free.pop()
                pack, place = self._open, self._open.count
            pack.write(place, item)
            with self._changed:
                if self._stopped:
                    return False
                if self._open is not pack:
                    continue  # the reader was waiting and took the pack without this item
                pack.count += 1
                if pack.count == packing.capacity:
                    self._items.append(pack)
                    self._open = None
                if self._items or not self._patient:
                    self._changed.notify_all()
                return True

    def take(self) -> Any:
        """Return what comes next: an item, or a pack of all that are there. Waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or (self._open is not None and self._open.count))
            if not self._items:
                self._patient = True
                self._changed.wait_for(lambda: self._items, _PATIENCE)
                self._patient = False
            if self._items:
                item = self._items.popleft()
            else:
                item, self._open = self._open, None
            self._changed.notify_all()
            return item

    def give_back(self, pack: Pack) -> None:
        """Let a pack that was taken be filled again."""
        with self._changed:
            pack.count = 0
            if self.packing is not None and pack is not self.packing.single:
                self.packing.free.append(pack)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nothing be put down any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class Prefetch(Iterator[Any]):
    """The items of an iterator, which a thread fetches ahead of their use.

    An exception in it is raised where its item would have come. The thread ends when the items do, or when this is
    closed or dropped.

    Args:
        items: an iterator; it is only used by the thread.
        depth: how many items may wait.
        own: makes an item independent of the iterator, which may change it; by default nothing is done.
        packing: how items are packed: then `Pack`s come, of what is there, which want to be given back. Items that do
            not fit come as they are.
    """

    def __init__(
        self,
        items: Iterator[Any],
        depth: int = 2,
        own: Callable[[Any], Any] = lambda item: item,
        packing: Packing | None = None,
    ) -> None:
        self._shelf = _Shelf(max(1, depth), own, packing)
        self._ended = False
        # The thread inherits the caller's backend: sources may make arrays. It knows nothing of this object, which
        # could not be dropped otherwise.
        context = contextvars.copy_context()
        arguments = (_fetch, items, self._shelf)
        self._thread = threading.Thread(target=context.run, args=arguments, name="polykeras-prefetch", daemon=True)
        self._thread.start()

    def pack(self, packing: Packing) -> None:
        """From now on pack what fits; some items may be waiting already, or about to."""
        self._shelf.packing = packing

    def give_back(self, pack: Pack) -> None:
        """Let a pack be filled again."""
        self._shelf.give_back(pack)

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        item = self._shelf.take()
        if item is _END or isinstance(item, _Failure):
            self.close()
            raise StopIteration if item is _END else item.error
        return item

    def close(self) -> bool:
        """End the thread; return whether it has ended: it may be held up in the iterator."""
        self._ended = True
        self._shelf.stop()
        self._thread.join(timeout=5.0)
        return not self._thread.is_alive()

    def __del__(self) -> None:
        if hasattr(self, "_thread"):
            self._shelf.stop()


def _fetch(items: Iterator[Any], shelf: _Shelf) -> None:
    """Put the items, and then their end or the error that ended them, on a shelf until that is stopped."""
    try:
        for item in items:
            if not shelf.put(item):
                return
    except BaseException as error:  # handed to the reader, whatever it is
        shelf.put_loose(_Failure(error))
    else:
        shelf.put_loose(_END)

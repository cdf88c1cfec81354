"""Work done ahead of its use, in a thread."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from polykeras.training.data.pace import PATIENCE, Pace
from polykeras.training.data.packs import Pack, Packing

_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Shelf:
    """Where the thread puts what it fetched, and the reader finds it.

    Args:
        depth: how many items may wait.
        prepare: makes an item of what was fetched.
        own: makes an item that is not packed the reader's own.
        packing: how items are packed; None where they are not.
    """

    def __init__(
        self, depth: int, prepare: Callable[[Any], Any], own: Callable[[Any], Any], packing: Packing | None
    ) -> None:
        self.packing = packing
        self._prepare = prepare
        self._pace = Pace(alternating=False) if packing is None else packing.pace
        self._depth = depth
        self._own = own
        self._items: deque[Any] = deque()
        self._open: Pack | None = None  # the pack that is being filled
        self._stopped = False
        self._waits = False  # the reader, for anything;
        self._patient = False  # for more than there is
        self._resting = False  # the thread
        self._changed = threading.Condition()

    def put(self, fetched: Any) -> bool:
        """Put down what was fetched once there is room; return whether there still is a reader."""
        packing = self.packing
        if packing is not None and (leaves := packing.familiar_leaves(fetched)) is not None:
            return self._pack(packing, leaves)
        item = self._prepare(fetched)
        while True:
            packing = self.packing
            if packing is not None and (leaves := packing.leaves(item)) is not None:
                packing.note(fetched, item)
                return self._pack(packing, leaves)
            if (done := self._put_loose(self._own(item), packing)) is not None:
                return done

    def put_last(self, item: Any) -> None:
        """Put down what ends the items."""
        while self._put_loose(item, self.packing) is None:
            pass

    def _put_loose(self, item: Any, packing: Packing | None) -> bool | None:
        """Put an item down as it is; return None where packing began meanwhile, for which it may fit."""
        with self._changed:
            if self.packing is packing:
                self._close()
                self._changed.wait_for(
                    lambda: self._stopped or len(self._items) < self._depth or self.packing is not packing
                )
            if self.packing is not packing:
                return None
            self._items.append(item)
            self._changed.notify_all()
            return not self._stopped

    def _close(self) -> None:
        """Let the pack that is being filled be read as it is: what came before comes before."""
        if self._open is not None and self._open.count:
            self._items.append(self._open)
            self._open = None
            self._changed.notify_all()

    def start_packing(self, packing: Packing, before: Sequence[Any]) -> None:
        """From now on pack what fits, beginning with what waits.

        Args:
            packing: with all of its packs free.
            before: items that were taken already, and come before those that wait.
        """
        with self._changed:
            self.packing = packing
            self._pace = packing.pace
            waiting = [*before, *self._items]
            self._items.clear()
            for item in waiting:
                leaves = None if item is _END or isinstance(item, _Failure) else packing.leaves(item)
                if leaves is None:
                    self._close()
                    self._items.append(item)
                    continue
                self._open = self._open or packing.take()
                self._open.write(self._open.count, leaves)
                self._count(self._open, packing)
            self._changed.notify_all()

    def _count(self, pack: Pack, packing: Packing) -> None:
        pack.count += 1
        pack.look_for_nan(packing.batches_a_look)
        if pack.count == packing.capacity:
            self._items.append(pack)
            self._open = None

    def _pack(self, packing: Packing, leaves: Sequence[Any]) -> bool:
        while True:
            with self._changed:
                if self._resting:
                    self._changed.wait_for(lambda: self._stopped or not self._resting)
                if self._open is None:
                    self._changed.wait_for(lambda: self._stopped or packing.free)
                    if self._stopped:
                        return False
                    self._open = packing.free.pop()
                pack, place = self._open, self._open.count
            pack.write(place, leaves)
            with self._changed:
                if self._stopped:
                    return False
                if self._open is not pack:
                    continue  # the reader was waiting and took the pack without this item
                self._count(pack, packing)
                if self._waits and (self._items or not self._patient or self._pace.is_enough(pack.count)):
                    self._changed.notify_all()
                return True

    def take(self) -> Any:
        """Return what comes next: an item, or a pack of all that are there. Waits for it."""
        with self._changed:
            self._pace.reader_comes()
            waited = not self._items
            before = self._open.count if self._open is not None else 0
            self._resting, self._waits = False, True
            self._changed.notify_all()
            try:
                self._wait()
            finally:
                self._waits = False
            if self._items:
                item = self._items.popleft()
            else:
                item, self._open = self._open, None
            if isinstance(item, Pack):
                item.release = partial(self._release, item)
                self._pace.reader_leaves(item.count - before if waited else 0, item.count)
                self._resting = self._pace.rests
            self._changed.notify_all()
            return item

    def _wait(self) -> None:
        """Wait for something, and a while for as much as is worth it."""
        self._changed.wait_for(self._has_some)
        if self._items or self._open is None:
            return
        self._patient = True
        try:
            enough = lambda: self._items or self._open is None or self._pace.is_enough(self._open.count)  # noqa: E731
            self._changed.wait_for(enough, PATIENCE)
        finally:
            self._patient = False

    def _has_some(self) -> bool:
        if self._items:
            return True
        return self._open is not None and self._open.count > 0 and self.packing is not None and not self.packing.whole

    def _release(self, pack: Pack) -> None:
        with self._changed:
            if self.packing is not None and not any(free is pack for free in self.packing.free):
                pack.clear()
                self.packing.free.append(pack)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nothing be put down any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class Prefetch(Iterator[Any]):
    """The items of an iterator, which a thread fetches ahead of their use.

    An exception in it, or in what is done with an item, is raised where that would have come. The thread ends when the
    items do, or when this is closed or dropped.

    Args:
        items: an iterator; it is only used by the thread.
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
        self._shelf = _Shelf(max(1, depth), prepare, own, packing)
        self._ended = False
        # The thread inherits the caller's backend: sources may make arrays. It knows nothing of this object, which
        # could not be dropped otherwise.
        context = contextvars.copy_context()
        arguments = (_fetch, items, self._shelf)
        self._thread = threading.Thread(target=context.run, args=arguments, name="polykeras-prefetch", daemon=True)
        self._thread.start()

    def start_packing(self, packing: Packing, before: Sequence[Any] = ()) -> None:
        """From now on pack what fits: first `before`, items that came already, then what waits and what comes."""
        self._shelf.start_packing(packing, before)

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
        shelf.put_last(_Failure(error))
    else:
        shelf.put_last(_END)

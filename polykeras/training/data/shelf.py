"""Where a thread puts what it fetched, and the reader finds it: one by one, or in packs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from polykeras.training.data.pace import PATIENCE, Pace
from polykeras.training.data.packs import Pack, Packing

END = object()


class Failure:
    """An error that ended the items."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Shelf:
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
        self._pace = Pace() if packing is None else packing.pace
        self._depth = depth
        self._own = own
        self._items: deque[Any] = deque()
        self._open: Pack | None = None  # the pack that is being filled
        self._stopped = False
        self._waits = False  # the reader, for anything;
        self._patient = False  # for more than there is, a while
        # The reader waits for an item, or some in the open pack; the thread for a free pack, or for room among the
        # items. Each is woken only for what it waits for: who is woken in vain takes Python's lock from the other one,
        # and to get that back takes as long as some steps of a small model. What the reader does for the thread, it
        # tells when it comes for more and has its item; when there is none it tells at once.
        lock = threading.RLock()  # a dropped `Prefetch` may be collected, and stop this, wherever the lock is held
        self._lock, self._for_thread, self._for_reader = lock, threading.Condition(lock), threading.Condition(lock)

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
        with self._lock:
            if self.packing is packing:
                self._close()
                self._for_thread.wait_for(
                    lambda: self._stopped or len(self._items) < self._depth or self.packing is not packing
                )
            if self.packing is not packing:
                return None
            self._items.append(item)
            self._for_reader.notify()
            return not self._stopped

    def _close(self) -> None:
        """Let the pack that is being filled be read as it is: what came before comes before."""
        if self._open is not None and self._open.count:
            self._items.append(self._open)
            self._open = None
            self._for_reader.notify()

    def start_packing(self, packing: Packing, before: Sequence[Any]) -> None:
        """From now on pack what fits, beginning with what waits.

        Args:
            packing: with all of its packs free.
            before: items that were taken already, and come before those that wait.
        """
        with self._lock:
            self.packing = packing
            self._pace = packing.pace
            waiting = [*before, *self._items]
            self._items.clear()
            for item in waiting:
                leaves = None if item is END or isinstance(item, Failure) else packing.leaves(item)
                if leaves is None:
                    self._close()
                    self._items.append(item)
                    continue
                self._open = self._open or packing.take()
                self._open.write(self._open.count, leaves)
                self._count(self._open, packing)
            self._for_thread.notify()

    def _count(self, pack: Pack, packing: Packing) -> None:
        """Count a batch that was written. The lock is held while its values are looked at: no pack is taken then."""
        if packing.add(pack):
            pack.try_check(packing.check)
            self._items.append(pack)
            self._open = None

    def _pack(self, packing: Packing, leaves: Sequence[Any]) -> bool:
        while True:
            with self._lock:
                if self._open is None:
                    self._for_thread.wait_for(lambda: self._stopped or packing.free)
                    if self._stopped:
                        return False
                    self._open = packing.free.pop()
                pack, place = self._open, self._open.count
            pack.write(place, leaves)
            with self._lock:
                if self._stopped:
                    return False
                if self._open is not pack:
                    continue  # the reader was waiting and took the pack without this item
                self._count(pack, packing)
                if self._waits and (self._has_enough() if self._patient else self._has_some()):
                    self._for_reader.notify()
                return True

    def take(self) -> Any:
        """Return what comes next: an item, or a pack of all that are there. Waits for it."""
        with self._lock:
            self._pace.reader_comes()
            if not self._items:
                self._wait()
            if self._items:
                item = self._items.popleft()
            else:
                item, self._open = self._open, None
            if isinstance(item, Pack):
                item.release = partial(self._release, item)
                self._pace.reader_leaves(item.count)
            self._for_thread.notify()
            return item

    def _wait(self) -> None:
        """Wait for something, and a while for as much as is worth it."""
        self._waits = True
        self._for_thread.notify()
        try:
            self._for_reader.wait_for(self._has_some)
            if not self._items:
                self._patient = True
                self._pace.patience_begins()
                self._for_reader.wait_for(self._has_enough, PATIENCE)
        finally:
            self._waits = self._patient = False

    def _has_some(self) -> bool:
        if self._items:
            return True
        return self._open is not None and self._open.count > 0 and self.packing is not None and not self.packing.whole

    def _has_enough(self) -> bool:
        return bool(self._items) or self._open is None or self._pace.is_enough(self._open.count)

    def _release(self, pack: Pack) -> None:
        """Take a pack back; the thread, if it waits for one, hears of it when the reader has come for more."""
        with self._lock:
            if self.packing is not None:
                self.packing.give_back(pack)

    def stop(self) -> None:
        """Let nothing be put down any more."""
        with self._lock:
            self._stopped = True
            self._for_thread.notify()

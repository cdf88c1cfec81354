"""Where what is fetched waits, by itself or in packs, for whoever reads it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from polykeras.training.data.pace import PATIENCE, Pace
from polykeras.training.data.packs import Pack, Packing

END = object()


class Failure:
    """What ends the items in place of `END` where an error did."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Shelf:
    """Where the thread puts what it fetched, and the reader finds it; or the reader alone does both in turn.

    Args:
        depth: how many items may wait.
        prepare: makes an item of what was fetched.
        own: makes an item that is not packed the reader's own.
        packing: how items are packed; None where they are not.

    Attributes:
        in_turn: whether there is no thread: then `fill` fetches.
    """

    def __init__(
        self, depth: int, prepare: Callable[[Any], Any], own: Callable[[Any], Any], packing: Packing | None
    ) -> None:
        self.packing = packing
        self._prepare = prepare
        self._pace = Pace(alternating=False) if packing is None else packing.pace
        self.in_turn = self._pace.quick is True
        self._depth = depth
        self._own = own
        self._items: deque[Any] = deque()
        self._open: Pack | None = None  # the pack that is being filled
        self._stopped = False
        self._waits = False  # the reader, for anything;
        self._patient = False  # for more than there is
        self._resting = False  # the thread
        self._filled = 0  # batches that were fetched in turn since the last was taken
        self._begun = False  # whether a pack was taken
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    # ---- who fetches -------------------------------------------------------------------------------------------

    def put(self, fetched: Any) -> bool:
        """Put down what was fetched once there is room; return whether more is to be fetched."""
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
                self._changed.wait_for(lambda: self._has_room() or self.packing is not packing)
            if self.packing is not packing:
                return None
            self._items.append(item)
            self._changed.notify_all()
            return not self._stopped

    def _has_room(self) -> bool:
        return self._stopped or self.in_turn or len(self._items) < self._depth

    def _close(self) -> None:
        """Let the pack that is being filled be read as it is: what came before comes before."""
        if self._open is not None and self._open.count:
            self._items.append(self._open)
            self._open = None
            self._changed.notify_all()

    def _count(self, pack: Pack, packing: Packing) -> None:
        pack.count += 1
        pack.look_for_nan(packing.batches_a_look)
        if pack.count == packing.capacity:
            self._items.append(pack)
            self._open = None

    def _pack(self, packing: Packing, leaves: Sequence[Any]) -> bool:
        while True:
            with self._lock:
                if self._resting:
                    self._changed.wait_for(lambda: self._stopped or not self._resting)
                if self._open is None:
                    self._changed.wait_for(lambda: self._stopped or packing.free)
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
                if self._waits and (self._items or not self._patient or self._pace.is_enough(pack.count)):
                    self._resting = bool(self._items) and self._pace.quick is not False
                    self._changed.notify_all()
                return True

    # ---- the reader --------------------------------------------------------------------------------------------

    def start_packing(self, packing: Packing, before: Sequence[Any]) -> None:
        """From now on pack what fits, beginning with what waits.

        Args:
            packing: with all of its packs free.
            before: items that were taken already, and come before those that wait.
        """
        with self._lock:
            self.packing = packing
            self._pace = packing.pace
            self._resting = self._pace.quick is None  # until the reader comes, to see how soon a pack is full
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
            self._changed.notify_all()

    def fill(self, items: Iterator[Any]) -> None:
        """Fetch, where there is no thread, until there is something to take: as much as is worth waiting for."""
        self._filled = 0
        self._pace.reader_comes()
        try:
            while not self._items and not (self._pace.is_late() and self._has_some()):
                fetched = next(items)
                self._filled += 1
                pack, packing = self._open, self.packing
                if pack is None or packing is None or (leaves := packing.familiar_leaves(fetched)) is None:
                    self.put(fetched)
                else:  # what it does for almost all, without the locks
                    pack.write(pack.count, leaves)
                    self._count(pack, packing)
        except StopIteration:
            self.put_last(END)
        except Exception as error:  # it comes where the item would have come
            self.put_last(Failure(error))

    def take(self) -> Any:
        """Return what comes next: an item, or a pack of all that are there. Waits for it."""
        with self._lock:
            fetched = self._filled if self.in_turn else self._wait_for_some()
            if self._items:
                item = self._items.popleft()
            else:
                item, self._open = self._open, None
            if isinstance(item, Pack):
                item.release = partial(self._release, item)
                assert self.packing is not None  # there are packs
                self._begun = True
                self._pace.reader_leaves(fetched, item.count, full=fetched >= self.packing.capacity)
                self._resting = not self.in_turn and self._pace.quick is not False
            self._changed.notify_all()
            return item

    def _wait_for_some(self) -> int:
        """Wait for the thread; return how many batches it fetched meanwhile, or fetched before any step."""
        self._pace.reader_comes()
        if self._items:
            return 0
        before = self._waiting() if self._begun else 0
        self._resting, self._waits = False, True
        self._changed.notify_all()
        try:
            self._wait()
        finally:
            self._waits = False
        return self._waiting() - before

    def _waiting(self) -> int:
        """Return how many batches are in the next pack."""
        pack = self._items[0] if self._items else self._open
        return pack.count if isinstance(pack, Pack) else 0

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
        with self._lock:
            if self.packing is not None and not any(free is pack for free in self.packing.free):
                pack.clear()
                self.packing.free.append(pack)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nothing be put down any more."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

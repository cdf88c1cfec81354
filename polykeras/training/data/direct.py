"""Batches of a quick source, read by the thread that trains."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from polykeras import fast
from polykeras.training.data.pace import PATIENCE
from polykeras.training.data.packs import Pack, Packing

_ANOTHER_THREAD = (
    "In an epoch before, another thread read these data; as they come quickly, the thread that trains does so now. "
    "Where they hold what belongs to one thread, as a connection to SQLite does, let that be used in others "
    "(`check_same_thread=False`), open it anew for each epoch, or set the environment variable POLYKERAS_FAST=0."
)


class Direct(Iterator[Any]):
    """The items of an iterator in packs, which the reader fetches itself when it wants one.

    It takes the place of a `Prefetch` where steps are Python, and the source was quick: a thread beside such steps
    takes their lock and their cores. What a `Prefetch` promises is kept, but that items are fetched ahead.

    Args:
        items: an iterator; it runs in a copy of the caller's context.
        prepare: makes the item that is given out of one of the iterator's; not called for those that the packing knows.
        own: makes a prepared item that is not packed independent of the iterator.
        packing: how items are packed; it is not used by others meanwhile.
    """

    def __init__(
        self, items: Iterator[Any], prepare: Callable[[Any], Any], own: Callable[[Any], Any], packing: Packing
    ) -> None:
        self._next = partial(contextvars.copy_context().run, next, items)
        self._prepare = prepare
        self._own = own
        self._packing = packing
        self._waiting: list[Any] = []  # an item that ended a pack
        self._error: BaseException | None = None  # that ended the items, to be raised after what waits
        self._ended = self._came = False  # the items, and any of them
        fast.explain("a stream", "read by the thread that trains", "its batches came quickly")

    def __next__(self) -> Any:
        if not self._waiting and not self._ended:
            self._packing.pace.reader_comes()
            pack = self._packing.take()
            pack.release = partial(self._packing.give_back, pack)
            self._fill(pack)
            if pack.count:
                self._packing.pace.reader_leaves(pack.count)
                return pack
            pack.release()
        if self._waiting:
            return self._waiting.pop()
        error, self._error = self._error, None
        raise StopIteration if error is None else error

    def _fill(self, pack: Pack) -> None:
        """Fetch as many items as there is room for, or as come in some milliseconds."""
        packing, begin = self._packing, time.perf_counter()
        latest = float("inf") if packing.whole else begin + PATIENCE
        while pack.count < packing.capacity and self._put_next(pack) and time.perf_counter() < latest:
            pass
        packing.pace.fetched(pack.count, time.perf_counter() - begin)
        pack.try_check(packing.check)

    def _put_next(self, pack: Pack) -> bool:
        """Fetch an item; return whether it is in the pack now, and more may come."""
        packing = self._packing
        try:
            fetched = self._next()
            self._came = True
            leaves = packing.familiar_leaves(fetched)
            if leaves is None:
                item = self._prepare(fetched)
                leaves = packing.leaves(item)
                if leaves is None:
                    self._waiting.append(self._own(item))
                    return False
                packing.note(fetched, item)
        except StopIteration:
            self.close()
            return False
        except BaseException as error:  # raised when its turn comes, whatever it is
            if not self._came:
                error.add_note(_ANOTHER_THREAD)
            self.close()
            self._error = error
            return False
        pack.write(pack.count, leaves)
        pack.count += 1
        if pack.count % packing.batches_a_look == 0:
            pack.look_for_nan()
        return True

    def close(self) -> bool:
        """Fetch nothing any more, and hold nothing of the iterator; return whether that is so."""
        self._ended = True
        self._next = partial(next, iter(()))
        return True

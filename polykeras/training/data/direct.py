"""Items of a quick source, fetched by whoever works on them."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from polykeras.training.data.pace import PATIENCE
from polykeras.training.data.packs import Pack, Packing

_ANOTHER_THREAD = (
    "In the epochs before, another thread read these data; as they come quickly, the thread that trains does so now. "
    "Where they hold what belongs to one thread, as a connection to SQLite does, let that be used in others "
    "(`check_same_thread=False`), or set the environment variable POLYKERAS_FAST=0."
)


class Direct(Iterator[Any]):
    """The items of an iterator in packs, which the reader fetches itself when it wants one.

    It takes the place of a `Prefetch` where steps are Python, which a thread disturbs, and the source is known to be
    quick: the small perceptron of docs/performance.md takes 93 us a step so, and 105 beside a thread that rests or not
    (PyTorch 2.13, 2 cores). What a `Prefetch` promises is kept; nothing is fetched ahead.

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
        self._ended = False
        self._came = False  # whether anything did

    def __next__(self) -> Any:
        if not (self._waiting or self._ended):
            pace = self._packing.pace
            pace.reader_comes()
            pack = self._packing.take()
            self._fill(pack)
            if pack.count:
                pack.release = partial(self._packing.give_back, pack)
                pace.reader_leaves(pack.count, pack.count)
                return pack
            self._packing.give_back(pack)
        if self._waiting:
            return self._waiting.pop()
        error, self._error = self._error, None
        raise StopIteration if error is None else error

    def _fill(self, pack: Pack) -> None:
        """Fetch as many items as fit, or for some milliseconds where they are not that quick any more."""
        packing = self._packing
        latest = float("inf") if packing.whole else time.perf_counter() + PATIENCE
        while pack.count < packing.capacity and not (pack.count and time.perf_counter() > latest):
            try:
                fetched = self._next()
                self._came = True
                leaves = packing.familiar_leaves(fetched)
                if leaves is None:
                    item = self._prepare(fetched)
                    leaves = packing.leaves(item)
                    if leaves is None:
                        self._waiting.append(self._own(item))
                        return
                    packing.note(fetched, item)
            except StopIteration:
                self.close()
                return
            except BaseException as error:  # raised when its turn comes, whatever it is
                if not self._came:
                    error.add_note(_ANOTHER_THREAD)
                self.close()
                self._error = error
                return
            pack.write(pack.count, leaves)
            pack.count += 1
            pack.look_for_nan(packing.batches_a_look)

    def close(self) -> bool:
        """Fetch nothing any more, and hold nothing of the iterator; return whether that is so."""
        self._ended = True
        self._next = partial(next, iter(()))
        return True

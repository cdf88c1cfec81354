"""Items that lie ready, taken when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from polykeras.training.data.packs import Pack, Packing


class Direct(Iterator[Any]):
    """The items of an iterator for which nobody has to wait, taken by the reader: `Prefetch` without a thread.

    It is for steps that a thread beside them disturbs; see `ExecutionPolicy.threads_disturb_steps`.

    Args:
        items: an iterator.
        prepare: makes the item that is given out of one of the iterator's; not called for those that the packing knows.
        own: makes a prepared item that is not packed independent of the iterator.
        packing: how items are packed, as for a `Prefetch`; packs are full, but before what does not fit and at the end.

    Attributes:
        packing: as given, or begun since.
    """

    def __init__(
        self,
        items: Iterator[Any],
        prepare: Callable[[Any], Any],
        own: Callable[[Any], Any],
        packing: Packing | None = None,
    ) -> None:
        self._items = items
        self._prepare = prepare
        self._own = own
        self.packing = packing
        self._before: list[Any] = []  # items that come first, the last one of them in front
        self._loose: list[Any] = []  # an item that ended a pack
        self._end: Exception | None = None  # what ended the items after a pack

    def start_packing(self, packing: Packing, before: Sequence[Any] = ()) -> None:
        """From now on pack what fits: first `before`, items that came already, then what comes."""
        self.packing = packing
        self._before = list(reversed(before))

    def __next__(self) -> Any:
        if self.packing is not None and not self._loose and self._end is None:
            pack = self._filled(self.packing)
            if pack.count:
                return pack
            pack.release()
        if self._loose:
            return self._loose.pop()
        if self._end is not None:
            try:
                raise self._end
            finally:
                self.close()  # or the error would hold this, and this the error
        try:
            return self._own(self._prepare(next(self._items)))
        except BaseException:
            self.close()
            raise

    def _filled(self, packing: Packing) -> Pack:
        """Return a full pack, or what comes before an item that does not fit, the end or an error."""
        pack = packing.take()
        pack.release = partial(packing.give_back, pack)
        try:
            while pack.count < packing.capacity and (leaves := self._leaves(packing)) is not None:
                pack.write(pack.count, leaves)
                packing.add(pack)
        except Exception as end:
            self._end = end
        if pack.count:
            pack.try_check(packing.check)
        return pack

    def _leaves(self, packing: Packing) -> Any:
        """Return the leaves of the next item; None, with the item at hand, where that does not fit."""
        if self._before:
            item = self._before.pop()
            if (leaves := packing.leaves(item)) is None:
                self._loose.append(item)
            return leaves
        fetched = next(self._items)
        leaves = packing.familiar_leaves(fetched)
        if leaves is None:
            item = self._prepare(fetched)
            leaves = packing.leaves(item)
            if leaves is None:
                self._loose.append(self._own(item))
            else:
                packing.note(fetched, item)
        return leaves

    def close(self) -> bool:
        """Take nothing any more, and hold nothing of the iterator; return whether that is so."""
        self._items, self.packing, self._end = iter(()), None, None
        self._before, self._loose = [], []
        return True

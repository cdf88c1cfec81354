"""When the reader of a stream goes to work: how long it waits for more than there is, and whether it reads itself."""

from __future__ import annotations

import time

# Seconds for which the reader waits at most for more than it has. Each pack costs a handing over from thread to thread
# and the start of a chunk, 0.1 to 0.3 ms; while one is read the next waits, with all that came meanwhile.
PATIENCE = 0.005
# Seconds of work that are worth beginning: the sooner reader and thread are both at work, the better.
_WORTHWHILE = 0.001
# Seconds a batch: where nothing is known of the steps, a source that takes longer than this is slow, and not waited for
# until it fills a pack. Batches of 100 KB that lie ready take a tenth of it.
_SLOW = 1e-4
# Seconds a batch, and part of a step, for which the reader may as well read itself: it comes on top of the steps, where
# a thread beside steps of Python costs as much or more.
_QUICK = 2.5e-5
_PART = 0.25


class Pace:
    """What is known of how long batches take to come, and to be used."""

    def __init__(self) -> None:
        self._came = 0.0  # when the reader last came
        self._patient_since = 0.0
        self._step: float | None = None  # seconds
        self.begin()

    def begin(self) -> None:
        """A new epoch: what the reader did since it went to work is no work on batches alone."""
        self._left: tuple[float, int] | None = None  # when the reader last went to work, and with how many batches
        self._fetch = float("inf")  # seconds in which a batch was fetched, at best
        self._waited, self._taken = 0.0, 0  # seconds for which the reader waited, for so many batches,
        self._is_first = True  # without the first ones, for which a source may be opened

    def reader_comes(self) -> None:
        """The reader wants batches."""
        self._came = time.perf_counter()
        if self._left is not None:
            begin, count = self._left
            self._step = (self._came - begin) / count
            self._left = None

    def patience_begins(self) -> None:
        """The reader could go to work, and waits for more: how long the first batch took to come says little."""
        self._patient_since = time.perf_counter()

    def reader_leaves(self, count: int) -> None:
        """The reader goes to work, with so many batches."""
        now = time.perf_counter()
        self._left = (now, max(1, count))
        if not self._is_first:
            self._waited += now - self._came
            self._taken += count
        self._is_first = False

    def fetched(self, count: int, seconds: float) -> None:
        """So many batches took so long to be fetched, or less: whatever else runs may have come between them."""
        self._fetch = min(self._fetch, seconds / max(1, count))

    @property
    def is_quick(self) -> bool:
        """Whether batches came so quickly in this epoch that the reader may as well read the next ones itself.

        A source that comes in bursts, or takes part of a step while a thread reads it, is known by what the reader
        waits for it, or by how long it takes at best.
        """
        if self._step is None:
            return False
        most = min(_QUICK, _PART * self._step)
        return self._fetch <= most and self._waited <= self._taken * most

    def is_enough(self, count: int) -> bool:
        """Return whether so many batches are worth going to work; before that is known, whether more come slowly."""
        if self._step is not None:
            return count * self._step >= _WORTHWHILE
        return time.perf_counter() - self._patient_since >= max(_WORTHWHILE, count * _SLOW)

"""When the reader of a stream goes to work: how long it waits for more than there is."""

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


class Pace:
    """What is known of how long batches take to come, and to be used."""

    def __init__(self) -> None:
        self._left: tuple[float, int] | None = None  # when the reader last went to work, and with how many batches
        self._patient_since = 0.0
        self._step: float | None = None  # seconds

    def reader_comes(self) -> None:
        """The reader wants batches."""
        if self._left is not None:
            begin, count = self._left
            self._step = (time.perf_counter() - begin) / count
            self._left = None

    def patience_begins(self) -> None:
        """The reader could go to work, and waits for more: how long the first batch took to come says little."""
        self._patient_since = time.perf_counter()

    def reader_leaves(self, count: int) -> None:
        """The reader goes to work, with so many batches."""
        self._left = (time.perf_counter(), max(1, count))

    def begin(self) -> None:
        """A new epoch: what the reader did since it went to work is no work on batches alone."""
        self._left = None

    def is_enough(self, count: int) -> bool:
        """Return whether so many batches are worth going to work; before that is known, whether more come slowly."""
        if self._step is not None:
            return count * self._step >= _WORTHWHILE
        return time.perf_counter() - self._patient_since >= max(_WORTHWHILE, count * _SLOW)

"""How the reader of a stream and the thread that fetches ahead share their time."""

from __future__ import annotations

import time

# Seconds for which the reader waits at most for more than it has. Each pack costs a handing over from thread to thread
# and the start of a chunk, 0.1 to 0.3 ms; while one is read the next waits, with all that came meanwhile.
PATIENCE = 0.005
# Seconds of work that are worth beginning: where the thread rests meanwhile, so long that what the pack costs is less
# than a tenth of them; where it fetches, less, as the sooner both are at work, the better.
_WORTHWHILE_ALONE = 0.003
_WORTHWHILE = 0.001
# What a batch may take to come for the thread to rest: 0.1 ms, as much as it and a step of torch's cost each other (the
# perceptron of docs/performance.md: 0.2 ms in place of 0.15), and a small part of a step.
_PRICE = 1e-4
_QUICK = 0.25
_SHORT = 2e-4  # seconds, of which a handing over is too large a part for them to tell how long batches take
_LONG = 0.004  # seconds for which a busy machine alone rarely holds up a thread


class Pace:
    """What is known of how long batches take to come, and to be used.

    Args:
        in_python: whether steps are Python that the thread disturbs: each of their kernels hands Python's lock over,
            and takes it back.

    Attributes:
        rests: whether the thread fetches nothing while the reader works. Of a source that is quick this loses its time
            alone, which is less than what the two cost each other.
    """

    def __init__(self, in_python: bool) -> None:
        self.rests = in_python
        self._was_slow = False
        self._left: tuple[float, int] | None = None  # when the reader last went to work, and with how many batches
        self._came = 0.0  # when it came back
        self._step: float | None = None  # seconds

    def reader_comes(self) -> None:
        """The reader wants batches."""
        self._came = time.perf_counter()
        if self._left is not None:
            begin, count = self._left
            self._step = (self._came - begin) / count
            self._left = None

    def reader_leaves(self, fetched: int, count: int) -> None:
        """The reader goes to work.

        Args:
            fetched: the batches that came while it waited, and nobody worked.
            count: the batches that it takes.
        """
        now = time.perf_counter()
        self._left = (now, max(1, count))
        waited = now - self._came
        if self.rests and fetched and self._step is not None and waited >= _SHORT:
            self._judge(waited, waited / fetched, self._step)

    def _judge(self, waited: float, seconds: float, step: float) -> None:
        """Judge by the time of a batch beside that of a step; a short wait may have been the machine's, once."""
        slow = seconds > min(_PRICE, _QUICK * step)
        self.rests = not (slow and (self._was_slow or waited >= _LONG))
        self._was_slow = slow

    def begin(self) -> None:
        """A new epoch: what the reader did since it went to work is no work on batches alone."""
        self._left = None

    def is_enough(self, count: int) -> bool:
        """Return whether so many batches are worth going to work."""
        worthwhile = _WORTHWHILE_ALONE if self.rests else _WORTHWHILE
        return self._step is not None and count * self._step >= worthwhile

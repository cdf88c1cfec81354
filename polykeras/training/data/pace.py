"""How the reader of a stream and the source share their time."""

from __future__ import annotations

import time

# Seconds for which the reader waits at most for more than it has. Each pack costs a handing over from thread to thread
# and the start of a chunk, 0.1 to 0.3 ms; while one is read the next waits, with all that came meanwhile.
PATIENCE = 0.005
_WORTHWHILE = 0.003  # seconds of work that are worth beginning, of which that is less than a tenth
# What a batch may take to come for it to be fetched between the steps: 0.1 ms, as much as a thread and a step of
# torch's cost each other (the perceptron of docs/performance.md: 0.2 ms in place of 0.15), and a part of a step.
_PRICE = 1e-4
_QUICK = 0.35
_SLACK = 0.02  # seconds that a source may take longer than that in all: others use the machine too


class Pace:
    """What is known of how long batches take to come, and to be used.

    Args:
        alternating: whether steps are Python that a thread beside them disturbs: each of their kernels hands Python's
            lock over, and takes it back.

    Attributes:
        quick: whether batches are best fetched between the steps: of a source that is quick this loses its time alone,
            which is less than what it and the steps cost each other. None while that is not known. The thread then
            rests beside steps, and the next epoch of a quick source has none: it changes between epochs alone, as data
            may be bound to the thread that opened them.
    """

    def __init__(self, alternating: bool) -> None:
        self.quick: bool | None = None if alternating else False
        self._left: tuple[float, int] | None = None  # when the reader last went to work, and with how many batches
        self._came = 0.0  # when it came back
        self._step: float | None = None  # seconds
        self._turn: tuple[float, int, bool] | None = None  # the last one: seconds of waiting, batches, whether full
        self._late = 0.0  # seconds

    def reader_comes(self) -> None:
        """The reader wants batches."""
        self._came = time.perf_counter()
        if self._left is None:
            return
        begin, count = self._left
        self._left = None
        first = self._step is None
        self._step = (self._came - begin) / count
        if first:
            self._judge()

    def reader_leaves(self, fetched: int, count: int, full: bool) -> None:
        """The reader goes to work.

        Args:
            fetched: the batches that came while it waited, and nobody worked.
            count: the batches that it takes.
            full: whether so many came as it ever takes at once. Only then is a source known to be quick: one that waits
                for a step to be done would not have given them.
        """
        now = time.perf_counter()
        self._left = (now, max(1, count))
        self._turn = (now - self._came, fetched, full)
        if self._step is not None:
            self._judge()

    def _judge(self) -> None:
        """Learn from the last turn."""
        if self.quick is False or self._turn is None or self._step is None:
            return
        seconds, fetched, full = self._turn
        if not fetched:
            return
        late = seconds - fetched * min(_PRICE, _QUICK * self._step)
        self._late = max(0.0, self._late + late)
        if self._late > _SLACK:
            self.quick = False
        elif full and late <= 0:
            self.quick = True

    def is_late(self) -> bool:
        """Return whether the reader has waited for so long that the source is not quick; then this is noted."""
        late = time.perf_counter() - self._came > _SLACK
        if late:
            self.quick = False
        return late

    def is_enough(self, count: int) -> bool:
        """Return whether so many batches are worth going to work."""
        if self.quick is None:  # which as many as there can be are to show
            return False
        return self._step is not None and count * self._step >= _WORTHWHILE

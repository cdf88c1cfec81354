"""The seeds of the orders of the data. A resumed run draws the same seeds again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

import numpy as np

from polykeras import random


class Orders:
    """Draws a seed for each pass over the data from the stream of the process, and remembers it.

    Attributes:
        lock: held while a seed is drawn.
        drawn: the seeds drawn since `forget`.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.drawn: list[int] = []
        self._again: deque[int] = deque()

    def permutation(self, things: np.ndarray | int) -> np.ndarray:
        """Return an array, or the numbers below an int, in the next order."""
        return self.generator().permutation(things)

    def generator(self) -> np.random.Generator:
        """Return the generator of random numbers for the next order."""
        with self.lock:
            seed = self._again.popleft() if self._again else random.draw_seed()
            self.drawn.append(seed)
        return random.host_generator(seed)

    def forget(self) -> None:
        """Forget the seeds so far, when later data do not depend on them."""
        with self.lock:
            self.drawn = []

    def repeat(self, seeds: Iterable[int]) -> None:
        """Draw these seeds next, before new ones."""
        with self.lock:
            self.drawn = []
            self._again = deque(seeds)

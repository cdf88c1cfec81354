"""Settings and tools of NumPy itself."""

from __future__ import annotations

import numpy as np

from polykeras.backend.families.framework import Framework


class NumpyFramework(Framework):
    """NumPy has a generator of its own."""

    def seed_framework(self, seed: int) -> None:
        np.random.seed(seed)

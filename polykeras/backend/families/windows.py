"""Window functions: weights for the samples of a signal."""

from __future__ import annotations

import math
from typing import Any

from polykeras import config
from polykeras.backend.spec import Array, Family, op


class Windows(Family):
    """Composed from `arange` and elementwise operations, in the default float dtype."""

    def _window_places(self, length: Any) -> Array:
        """Return the positions of a window's samples, from -1 to 1. The position of a single sample is 0."""
        n = length if isinstance(length, int) else int(self.to_numpy(self.asarray(length)).item())
        if n < 2:
            return self.zeros((max(n, 0),))
        return (2.0 * self.arange(n, dtype=config.floatx()) - (n - 1)) / (n - 1)

    def _cosines(self, length: Any, *weights: float) -> Array:
        """Return the window `sum(weights[k] * cos(pi * k * place))`."""
        places = self._window_places(length)
        window = self.full(self.shape(places), weights[0], self.dtype(places))
        for k, weight in enumerate(weights[1:], 1):
            window = window + weight * self.cos(math.pi * k * places)
        return window

    @op()
    def bartlett(self, x: int) -> Array:
        """Return the triangular window of length `x`, which is 0 at its ends."""
        return 1.0 - self.abs(self._window_places(x))

    @op()
    def hanning(self, x: int) -> Array:
        """Return the Hann window of length `x`: a raised cosine, which is 0 at its ends."""
        return self._cosines(x, 0.5, 0.5)

    @op()
    def hamming(self, x: int) -> Array:
        """Return the Hamming window of length `x`: a raised cosine, which is 0.08 at its ends."""
        return self._cosines(x, 0.54, 0.46)

    @op()
    def blackman(self, x: int) -> Array:
        """Return the Blackman window of length `x`: three cosine terms."""
        return self._cosines(x, 0.42, 0.5, 0.08)

    @op(others="beta")
    def kaiser(self, x: int, beta: Any) -> Array:
        """Return the Kaiser window of length `x`; the larger `beta`, the narrower its main part.

        Args:
            x: the length of the window.
            beta: the shape parameter, a scalar; 0 gives ones.
        """
        places = self._window_places(x)
        beta = self.cast(beta, self.dtype(places))
        return self.i0(beta * self.sqrt(1.0 - places * places)) / self.i0(beta)

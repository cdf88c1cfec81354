"""Random numbers of named distributions, as pure functions of a key."""

from __future__ import annotations

import math

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, Shape, op

_GAMMA_ROUNDS = 8  # each accepts at least 95 %: one element in 3e10 keeps its first proposal
_BINOMIAL_ROUNDS = 16  # each accepts at least 69 %: one element in 1e8
_FEW = 10.0  # binomial numbers with a smaller mean are found by counting


class Distributions(Family):
    """Floats are computed in at least 32 bits, and agree between backends up to rounding. There are no gradients."""

    @op(others="key")
    def random_normal(self, key: Array, shape: Shape, dtype: str | None = None) -> Array:
        """Return numbers of mean 0 and variance 1, from the inverse distribution function. The largest is 5.2.

        Args:
            key: int32, shape `(2,)`.
            shape: the sizes of the axes; an int gives one axis.
            dtype: a float dtype; by default, the default float dtype.
        """
        dtype, wide = self._dtypes(dtype)
        uniform = self._uniform_inside(key, shape, wide, symmetric=True)
        return self.cast(self.erfinv(uniform) * math.sqrt(2.0), dtype)

    @op(others="key")
    def random_truncated_normal(self, key: Array, shape: Shape, dtype: str | None = None) -> Array:
        """Return numbers of a standard normal distribution, truncated to [-2, 2]."""
        dtype, wide = self._dtypes(dtype)
        uniform = self._uniform_inside(key, shape, wide, symmetric=True) * math.erf(math.sqrt(2.0))
        numbers = self.erfinv(uniform) * math.sqrt(2.0)
        return self.cast(self.minimum(self.maximum(numbers, -2.0), 2.0), dtype)

    @op("logits", "float", others="key")
    def random_categorical(self, logits: Array, key: Array, num_samples: int) -> Array:
        """Return int32 classes with the probabilities `softmax(logits)`: the largest logit with Gumbel noise.

        Args:
            logits: shape `(..., classes)`.
            key: int32, shape `(2,)`.
            num_samples: the number of classes to draw from each row.

        Returns:
            Shape `(..., num_samples)`.
        """
        *rows, classes = self.shape(logits)
        wide = self._wide(logits)
        uniform = self._uniform_inside(key, (*rows, num_samples, classes), self.dtype(wide))
        return self.argmax(self.expand_dims(wide, -2) - self.log(-self.log(uniform)), -1)

    @op("alpha", "float", others="key")
    def random_gamma(self, alpha: Array, key: Array, shape: Shape) -> Array:
        """Return numbers of the gamma distribution with shape parameter `alpha` and scale 1.

        Args:
            alpha: positive; broadcasts to `shape`.
            key: int32, shape `(2,)`.
            shape: the sizes of the axes.
        """
        return self.cast(self.exp(self._log_gamma(self._wide(alpha), key, shape)), self.dtype(alpha))

    @op("alpha beta", "float", others="key")
    def random_beta(self, alpha: Array, beta: Array, key: Array, shape: Shape) -> Array:
        """Return numbers of the beta distribution, each from two gamma numbers.

        Args:
            alpha: positive; broadcasts to `shape`.
            beta: like `alpha`.
            key: int32, shape `(2,)`.
            shape: the sizes of the axes.
        """
        first = self._log_gamma(self._wide(alpha), self.random_fold(key, 0), shape)
        second = self._log_gamma(self._wide(beta), self.random_fold(key, 1), shape)
        return self.cast(self.sigmoid(first - second), self.dtype(alpha))

    def _log_gamma(self, alpha: Array, key: Array, shape: Shape) -> Array:
        """Return logarithms of gamma numbers, which do not underflow for a small `alpha`.

        G. Marsaglia and W. W. Tsang, "A Simple Method for Generating Gamma Variables" (2000). All rounds are drawn at
        once and the first accepted one counts, so that compiled functions need no loop.
        """
        dtype = self.dtype(alpha)
        alpha = self.broadcast_to(self.stop_gradient(alpha), tuple(shape))
        small = alpha < 1
        rounds = (_GAMMA_ROUNDS, *shape)
        d = self.where(small, alpha + 1.0, alpha) - 1.0 / 3.0
        c = 1.0 / self.sqrt(9.0 * d)
        x = self.random_normal(self.random_fold(key, 0), rounds, dtype)
        log_u = self.log(self._uniform_inside(self.random_fold(key, 1), rounds, dtype))
        base = 1.0 + c * x
        positive = base > 0
        log_v = 3.0 * self.log(self.where(positive, base, 1.0))
        likely = log_u < 0.5 * x * x + d * (1.0 - self.exp(log_v) + log_v)
        result = self.log(d) + self._first(log_v, self.logical_and(positive, likely))
        # A number for alpha + 1, times u ** (1 / alpha).
        boost = self.log(self._uniform_inside(self.random_fold(key, 2), shape, dtype)) / alpha
        return self.where(small, result + boost, result)

    def _first(self, values: Array, accepted: Array) -> Array:
        """Return the first accepted value along the first axis, or the first value if none is accepted."""
        place = self.argmax(self.cast(accepted, "int32"), 0, True)
        return self.squeeze(self.take_along_axis(values, place, 0), 0)

    @op("counts probabilities", "float", others="key")
    def random_binomial(self, counts: Array, probabilities: Array, key: Array, shape: Shape) -> Array:
        """Return numbers of successes in `counts` independent trials, as floats.

        Args:
            counts: whole numbers; broadcast to `shape`.
            probabilities: of success, in [0, 1]; broadcast to `shape`.
            key: int32, shape `(2,)`.
            shape: the sizes of the axes.
        """
        n = self.broadcast_to(self.stop_gradient(self._wide(counts)), tuple(shape))
        p = self.broadcast_to(self.stop_gradient(self._wide(probabilities)), tuple(shape))
        rarer = self.minimum(p, 1.0 - p)
        few = n * rarer < _FEW
        counted = self._binomial_by_counting(self.where(few, n, 0.0), rarer, self.random_fold(key, 0))
        many = self._binomial_by_rejection(
            self.where(few, 4 * _FEW, n), self.where(few, 0.5, rarer), self.random_fold(key, 1)
        )
        result = self.where(few, counted, many)
        return self.cast(self.where(p > 0.5, n - result, result), self.dtype(counts))

    def _binomial_by_counting(self, n: Array, p: Array, key: Array) -> Array:
        """Return numbers with a small mean, by adding up the distribution function until it passes a uniform number."""
        u = self._uniform_inside(key, self.shape(n), self.dtype(n))
        odds = p / (1.0 - p)
        mean = n * p
        start = (self.zeros((), self.dtype(n)), self.exp(n * self.log1p(-p)), u, self.zeros_like(n))

        def passed_over(k: Array, term: Array, rest: Array) -> Array:
            ahead = self.logical_or(term > 1e-10, k < mean)  # past the mean, such small terms add nothing
            return self.logical_and(rest > term, ahead)

        def going(k: Array, term: Array, rest: Array, found: Array) -> Array:
            return self.any(passed_over(k, term, rest))

        def step(k: Array, term: Array, rest: Array, found: Array) -> tuple[Array, ...]:
            more = passed_over(k, term, rest)
            left = self.where(more, rest - term, -1.0)  # a number that was found stays
            return k + 1.0, term * odds * (n - k) / (k + 1.0), left, self.where(more, k + 1.0, found)

        return self.while_loop(going, step, start, maximum_iterations=100)[3]

    def _binomial_by_rejection(self, n: Array, p: Array, key: Array) -> Array:
        """Return numbers with a mean of 10 or more: algorithm BTRS of W. Hoermann, "The Generation of Binomial Random
        Variates" (1993), with all rounds drawn at once.
        """
        dtype, rounds = self.dtype(n), (_BINOMIAL_ROUNDS, *self.shape(n))
        deviation = self.sqrt(n * p * (1.0 - p))
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        c = n * p + 0.5
        v_r = 0.92 - 4.2 / b
        alpha = (2.83 + 5.1 / b) * deviation
        u = 0.5 * self._uniform_inside(self.random_fold(key, 0), rounds, dtype, symmetric=True)
        v = self._uniform_inside(self.random_fold(key, 1), rounds, dtype)
        us = 0.5 - self.abs(u)
        k = self.floor((2.0 * a / us + b) * u + c)
        inside = self.logical_and(k >= 0, k <= n)
        at_once = self.logical_and(us >= 0.07, v <= v_r)
        k_safe = self.where(inside, k, 0.0)
        mode = self.floor((n + 1.0) * p)
        # The logarithm of the ratio of the probabilities of k and of the mode, written without cancellation.
        log_ratio = (
            (mode + 0.5) * self.log1p((mode - k_safe) / (k_safe + 1.0))
            + (n - mode + 0.5) * self.log1p((k_safe - mode) / (n - k_safe + 1.0))
            + (k_safe - mode) * self.log(p / (1.0 - p) * (n - k_safe + 1.0) / (k_safe + 1.0))
            + self._stirling_rest(mode)
            + self._stirling_rest(n - mode)
            - self._stirling_rest(k_safe)
            - self._stirling_rest(n - k_safe)
        )
        likely = self.log(v * alpha / (a / (us * us) + b)) <= log_ratio
        accepted = self.logical_and(inside, self.logical_or(at_once, likely))
        return self._first(k_safe, accepted)

    def _stirling_rest(self, k: Array) -> Array:
        """Return `log(k!) - (log(2 pi) / 2 + (k + 1 / 2) * log(k + 1) - (k + 1))`, by table up to 9."""
        start = 0.5 * math.log(2 * math.pi)
        table = [math.lgamma(i) - (start + (i - 0.5) * math.log(i) - i) for i in range(1, 11)]
        listed = self.take(self.host_constant(table, self.dtype(k)), self.cast(self.minimum(k, 9.0), "int32"), 0)
        inverse = 1.0 / (k + 1.0)
        square = inverse * inverse
        return self.where(k < 10, listed, inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260))))

    def _dtypes(self, dtype: str | None) -> tuple[str, str]:
        """Return the dtype of the result, and the dtype of the computation."""
        dtype = dtypes.standardize_dtype(dtype)
        return dtype, "float64" if dtype == "float64" else "float32"

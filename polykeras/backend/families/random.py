"""Counter-based random numbers: the same bits on every backend.

An element's bits are a hash of its index and a two-word key, in 32-bit integer arithmetic that all frameworks share.
The hash is Christopher Wellons' `triple32` (https://github.com/skeeto/hash-prospector), a bijection of 32-bit words
with measured bias 0.0208. The second word of the key enters after its first round. So two keys give two permutations,
not two windows of one permutation, and two rounds still mix that word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from polykeras import dtypes
from polykeras.backend.job import drawn_for_all, shared_step
from polykeras.backend.shared_draws import note_draw
from polykeras.backend.spec import Array, Family, Shape, op
from polykeras.common.supplied import Supplied


def signed(word: int) -> int:
    """Return the low 32 bits of `word` as a signed integer."""
    return (word + (1 << 31)) % (1 << 32) - (1 << 31)


# The multipliers of triple32.
MULTIPLIERS = tuple(signed(m) for m in (0xED5AD4BB, 0xAC4C1B51, 0x31848BAB))
SHIFTS = (17, 11, 15, 14)

# 2**32 divided by the golden ratio: it turns consecutive counters into words that differ in many bits.
_GOLDEN = signed(0x9E3779B9)


key_of_seed: Supplied[Callable[[Any], Array]] = Supplied("key_of_seed", by="polykeras.seeds")
"""Returns a key for a seed that a user gives."""


class Random(Family):
    """Random words, and exact integer results. A key is int32 `(2,)`; `polykeras.random` has generators."""

    def _shift(self, x: Array, n: int) -> Array:
        return self.bitwise_and(self.right_shift(x, n), (1 << (32 - n)) - 1)  # logical shift of a signed word

    def _element_numbers(self, shape: Shape) -> Array:
        """Return the number of each element, int32 `(elements,)`, on which its bits depend.

        Where the workers of a run share a batch, what is drawn for a sample has the numbers that it has in the whole
        batch.
        """
        note_draw(shape)
        shared = shared_step.get()
        axis = None if shared is None else shared.sample_axis(shape)
        if shared is None or axis is None:
            return self.arange(prod(shape), dtype="int32")
        outer = prod(shape[:axis])
        of_sample = prod(shape[axis:]) // shared.rows
        samples = self.add(self.multiply(self.arange(shared.rows, dtype="int32"), shared.workers), self.worker_index())
        samples = self.multiply(samples, of_sample)[:, None] + self.arange(of_sample, dtype="int32")
        if outer > 1:
            batch = shared.rows * shared.workers * of_sample
            samples = self.multiply(self.arange(outer, dtype="int32"), batch)[:, None, None] + samples
        return self.reshape(samples, (-1,))

    @op(others="key")
    def random_bits(self, key: Array, shape: Shape) -> Array:
        """Return random 32-bit words as int32.

        Args:
            key: int32, shape `(2,)`.
            shape: the sizes of the axes, at most 2**31 elements in all.

        An override must give the same bits, the hashes of `_element_numbers(shape)`.
        """
        x = self._element_numbers(shape)
        x = self.bitwise_xor(x, key[0])
        x = self.multiply(self.bitwise_xor(x, self._shift(x, SHIFTS[0])), MULTIPLIERS[0])
        x = self.add(x, key[1])
        x = self.multiply(self.bitwise_xor(x, self._shift(x, SHIFTS[1])), MULTIPLIERS[1])
        x = self.multiply(self.bitwise_xor(x, self._shift(x, SHIFTS[2])), MULTIPLIERS[2])
        x = self.bitwise_xor(x, self._shift(x, SHIFTS[3]))
        return self.reshape(x, tuple(shape))

    @op(others="key")
    def random_fold(self, key: Array, data: Any) -> Array:
        """Return a new key, int32 `(2,)`, from a key and one more word (an int, or an int32 scalar array)."""
        word = self.reshape(self.asarray(signed(data) if isinstance(data, int) else data, "int32"), (1,))
        word = self.multiply(word, _GOLDEN)
        mixed = self.concatenate([self.bitwise_xor(key[0:1], word), self.add(key[1:2], word)])
        with drawn_for_all():  # two words are no samples, even if a worker has two
            return self.random_bits(mixed, (2,))

    @op(others="key")
    def random_keep(self, key: Array, shape: Shape, rate: float) -> Array:
        """Return a bool mask in which each element is False with probability `rate`, for dropout.

        Words are compared as integers, so that masks are bit-identical on all backends.

        Args:
            key: int32, shape `(2,)`.
            shape: the sizes of the axes.
            rate: a number in [0, 1].
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"random_keep: `rate` must lie in [0, 1]; received {rate}.")
        threshold = round(rate * 2**32) - 2**31
        if threshold >= 2**31:
            return self.full(tuple(shape), False, "bool")
        return self.random_bits(key, shape) >= threshold

    @op("inputs", "float", others="key")
    def random_dropout(
        self, inputs: Array, key: Array, rate: float, noise_shape: Sequence[int | None] | None = None
    ) -> Array:
        """Return `inputs` with a fraction `rate` of its elements set to 0 and the others divided by `1 - rate`.

        Args:
            inputs: an array.
            key: int32, shape `(2,)`.
            rate: a number in [0, 1].
            noise_shape: the shape of the mask, which broadcasts to that of `inputs`; by default the same. None in
                it stands for the size of the inputs.
        """
        if rate == 0:
            return inputs
        shape = self.shape(inputs)
        if noise_shape is not None:
            shape = tuple(n if m is None else m for n, m in zip(shape, noise_shape, strict=True))
        keep = self.random_keep(key, shape, rate)
        return self.where(keep, inputs * (1.0 / (1.0 - rate) if rate < 1 else 0.0), 0.0)

    @op(others="key minval maxval")
    def random_integers(self, key: Array, shape: Shape, minval: Any, maxval: Any) -> Array:
        """Return int32 numbers in `[minval, maxval)`, with probabilities that differ by at most 2**-32.

        The result is the upper word of the product of a random word and the length of the range (D. Lemire, "Fast
        Random Integer Generation in an Interval", 2019, without its rejection step), computed from half words.

        Args:
            key: int32, shape `(2,)`.
            shape: the sizes of the axes.
            minval: an int32 array that broadcasts to `shape`.
            maxval: like `minval`, and larger.
        """
        low = self.cast(minval, "int32")
        span = self.subtract(self.cast(maxval, "int32"), low)
        bits = self.random_bits(key, shape)
        a1, a0 = self._shift(bits, 16), self.bitwise_and(bits, 0xFFFF)
        b1, b0 = self._shift(span, 16), self.bitwise_and(span, 0xFFFF)
        cross1, cross2 = self.multiply(a1, b0), self.multiply(a0, b1)
        middle = self._shift(self.multiply(a0, b0), 16) + self.bitwise_and(cross1, 0xFFFF)
        middle = middle + self.bitwise_and(cross2, 0xFFFF)
        upper = self.multiply(a1, b1) + self._shift(cross1, 16) + self._shift(cross2, 16)
        return low + (upper + self._shift(middle, 16))

    @op(others="key")
    def random_permutation(self, key: Array, n: int) -> Array:
        """Return the numbers from 0 to `n - 1`, int32, in random order.

        Raises:
            ValueError: they are the numbers of the samples of a batch that workers share.
        """
        shared = shared_step.get()
        if shared is not None and shared.sample_axis((n,)) is not None:
            raise ValueError(
                f"The samples of a batch cannot be shuffled or mixed with one another here: {shared.workers} workers "
                f"share the batch, and this one has {n} samples of it. Do it where the data are read (`Dataset.map`, a "
                "`PyDataset`), or train on one worker."
            )
        return self.argsort(self.random_bits(key, (n,)))

    @op("x", others="key")
    def random_shuffle(self, x: Array, key: Array, axis: int = 0) -> Array:
        """Return `x` with its slices along `axis` in random order."""
        return self.take(x, self.random_permutation(key, self.shape(x)[axis]), axis)

    @op(others="key")
    def random_uniform(self, key: Array, shape: Shape, dtype: str | None = None) -> Array:
        """Return floats in [0, 1): multiples of 2**-24 (of 2**-8 or 2**-11 for the 16-bit floats).

        Args:
            key: int32, shape `(2,)`.
            shape: the sizes of the axes; an int gives one axis.
            dtype: a float dtype; by default, the default float dtype.
        """
        dtype = dtypes.standardize_dtype(dtype)
        digits = {"bfloat16": 8, "float16": 11}.get(dtype, 24)
        bits = self._shift(self.random_bits(key, shape), 32 - digits)
        return self.multiply(self.cast(bits, dtype), 2.0**-digits)  # not `*`: NumPy's bfloat16 would become float32

    def _uniform_inside(self, key: Array, shape: Shape, dtype: str, symmetric: bool = False) -> Array:
        """Return floats in (0, 1), or (-1, 1): odd multiples of 2**-24 (2**-23), exact in float32, never an end."""
        odd = self.bitwise_or(self.left_shift(self._shift(self.random_bits(key, shape), 9), 1), 1)
        if symmetric:
            return self.cast(odd - 2**23, dtype) * 2.0**-23
        return self.cast(odd, dtype) * 2.0**-24

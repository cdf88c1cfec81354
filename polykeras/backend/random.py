"""Counter-based random numbers: the same bits on every backend.

An element's bits are a hash of its index and a two-word key, in 32-bit integer arithmetic that all frameworks share.
The hash is Christopher Wellons' `triple32` (https://github.com/skeeto/hash-prospector), a bijection of 32-bit words
with measured bias 0.0208; the second word of the key enters between its rounds, so that two keys give two
permutations, not two windows of one.
"""

from __future__ import annotations

from abc import ABC
from math import prod
from typing import Any

from polykeras import dtypes
from polykeras.backend.nn import NeuralMethods
from polykeras.backend.spec import Array, Shape, op

# The multipliers of triple32, as signed 32-bit integers.
MULTIPLIERS = tuple(m - (1 << 32) if m >= 1 << 31 else m for m in (0xED5AD4BB, 0xAC4C1B51, 0x31848BAB))
SHIFTS = (17, 11, 15, 14)


class RandomMethods(NeuralMethods, ABC):
    """Random arrays as pure functions of a key: int32, shape `(2,)`. Generators with state are in `polykeras.random`."""

    def _shift(self, x: Array, n: int) -> Array:
        return self.bitwise_and(self.right_shift(x, n), (1 << (32 - n)) - 1)  # logical shift of a signed word

    @op(others="key")
    def random_bits(self, key: Array, shape: Shape) -> Array:
        """Return random 32-bit words as int32.

        Args:
            key: int32, shape `(2,)`.
            shape: ints, at most 2**32 elements in all.

        An override must give the same bits.
        """
        x = self.arange(prod(shape), dtype="int32")
        x = self.bitwise_xor(x, key[0])
        x = self.multiply(self.bitwise_xor(x, self._shift(x, SHIFTS[0])), MULTIPLIERS[0])
        x = self.multiply(self.bitwise_xor(x, self._shift(x, SHIFTS[1])), MULTIPLIERS[1])
        x = self.add(x, key[1])
        x = self.multiply(self.bitwise_xor(x, self._shift(x, SHIFTS[2])), MULTIPLIERS[2])
        x = self.bitwise_xor(x, self._shift(x, SHIFTS[3]))
        return self.reshape(x, tuple(shape))

    @op(others="key")
    def random_fold(self, key: Array, data: Any) -> Array:
        """Return a new key, int32 `(2,)`, from a key and one more word (an int, or an int32 scalar array)."""
        word = self.reshape(self.asarray(data, "int32"), (1,))
        mixed = self.concatenate([self.bitwise_xor(key[0:1], word), self.add(key[1:2], word)])
        return self.random_bits(mixed, (2,))

    @op(others="key")
    def random_uniform(self, key: Array, shape: Shape, dtype: str | None = None) -> Array:
        """Return floats in [0, 1): multiples of 2**-24 (of 2**-8 or 2**-11 for the 16-bit floats)."""
        dtype = dtypes.standardize_dtype(dtype)
        digits = {"bfloat16": 8, "float16": 11}.get(dtype, 24)
        bits = self._shift(self.random_bits(key, shape), 32 - digits)
        return self.cast(bits, dtype) * 2.0**-digits

"""Operations on the bits of integers. A bool has one bit."""

from __future__ import annotations

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op, required


class Bitwise(Family):
    """Bitwise operations. Two operands broadcast as in NumPy."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x y", "common")
    def bitwise_and(self, x: Array, y: Array) -> Array:
        """Return the bits set in both operands: integers, or bools.

        Args:
            x: integers or bools of any shape.
            y: integers or bools, of a shape that broadcasts with that of `x`.
        """
        raise NotImplementedError

    @required("x y", "common")
    def bitwise_or(self, x: Array, y: Array) -> Array:
        """Return the bits set in either operand: integers, or bools.

        Args:
            x: integers or bools of any shape.
            y: of a shape that broadcasts with that of `x`.
        """
        raise NotImplementedError

    @required("x y", "common")
    def bitwise_xor(self, x: Array, y: Array) -> Array:
        """Return the bits set in one operand only: integers, or bools.

        Args:
            x: integers or bools of any shape.
            y: of a shape that broadcasts with that of `x`.
        """
        raise NotImplementedError

    @required("x y", "common")
    def left_shift(self, x: Array, y: Array) -> Array:
        """Return `x` shifted left by `y` bits; integers.

        Args:
            x: integers of any shape.
            y: how many bits: not negative, below the width of the dtype.
        """
        raise NotImplementedError

    @required("x y", "common")
    def right_shift(self, x: Array, y: Array) -> Array:
        """Return `x` shifted right by `y` bits; a signed operand keeps its sign (arithmetic shift).

        Args:
            x: integers of any shape.
            y: how many bits: not negative, below the width of the dtype.
        """
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x")
    def bitwise_invert(self, x: Array) -> Array:
        """Return integers with every bit flipped; for bools, the logical "not"."""
        dtype = self.dtype(x)
        if dtype == "bool":
            return self.logical_not(x)
        ones = self.full((), dtypes.limits(dtype)[1] if dtype in dtypes.UNSIGNED else -1, dtype)
        return self.bitwise_xor(x, ones)

    @op("x")
    def bitwise_not(self, x: Array) -> Array:
        """Return integers with every bit flipped: another name of `bitwise_invert`."""
        return self.bitwise_invert(x)

    @op("x y", "common")
    def bitwise_left_shift(self, x: Array, y: Array) -> Array:
        """Return `x` shifted left by `y` bits: another name of `left_shift`.

        Args:
            x: integers of any shape.
            y: how many bits: not negative, below the width of the dtype.
        """
        return self.left_shift(x, y)

    @op("x y", "common")
    def bitwise_right_shift(self, x: Array, y: Array) -> Array:
        """Return `x` shifted right by `y` bits: another name of `right_shift`.

        Args:
            x: integers of any shape.
            y: how many bits: not negative, below the width of the dtype.
        """
        return self.right_shift(x, y)

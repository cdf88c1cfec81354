"""Sizes of axes, and the rules by which shapes combine. There are no arrays here.

A size is an int. An `UnknownDim` is an int that stands in for a size that is not known yet, such as a batch size or a
sequence length. Arithmetic on one gives another, so the functional graph can tell which sizes of a result are real.
So no rule may call `int()` on a size.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from math import gcd, prod
from types import EllipsisType
from typing import Any, TypeAlias

Dims: TypeAlias = tuple[int, ...]
Key: TypeAlias = int | slice | EllipsisType | None


class UnknownDim(int):
    """A number in place of an unknown size; its representation is `None`.

    Sums, differences, products, quotients and remainders with one are unknown too. If it must agree with a known size,
    it is assumed to: `broadcast` and the checks of concatenation and products then take the known size. It counts as
    divisible by everything (`n % k` is 0), so that a check for equal parts passes.

    Example:
        >>> n = UnknownDim(7)
        >>> (n // 2 + 1, 4 * n)
        (None, None)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "None"

    __str__ = __repr__

    def __add__(self, other: int) -> UnknownDim:
        return _tainted(int.__add__(self, other))

    def __sub__(self, other: int) -> UnknownDim:
        return _tainted(int.__sub__(self, other))

    def __rsub__(self, other: int) -> UnknownDim:
        return _tainted(int.__rsub__(self, other))

    def __mul__(self, other: int) -> UnknownDim:
        return _tainted(int.__mul__(self, other))

    def __floordiv__(self, other: int) -> UnknownDim:
        return _tainted(int.__floordiv__(self, other))

    def __rfloordiv__(self, other: int) -> UnknownDim:
        return _tainted(int.__rfloordiv__(self, other))

    def __mod__(self, other: int) -> UnknownDim:
        return UnknownDim(0) if isinstance(other, int) else NotImplemented

    def __rmod__(self, other: int) -> UnknownDim:
        return _tainted(int.__rmod__(self, other))

    def __neg__(self) -> UnknownDim:
        return _tainted(int.__neg__(self))

    __radd__ = __add__
    __rmul__ = __mul__


stand_in: ContextVar[int] = ContextVar("stand_in", default=2520)
"""The number that stands for sizes that depend on values. It changes if shapes are inferred a second time."""


def _tainted(value: Any) -> Any:
    """Return an int as an unknown size, and anything else (such as `NotImplemented` for a float) unchanged."""
    return UnknownDim(value) if isinstance(value, int) else value


def is_known(dim: int) -> bool:
    """Return whether a size is known."""
    return not isinstance(dim, UnknownDim)


def as_dims(shape: int | Iterable[Any]) -> Dims:
    """Return a shape as a tuple that keeps its int objects, so that unknown sizes stay unknown.

    Raises:
        TypeError: if a size is not an integer.
    """
    if isinstance(shape, int):
        return (shape,)
    sizes = shape if isinstance(shape, (tuple, Iterable)) else (shape,)
    return tuple([n if isinstance(n, int) else operator.index(n) for n in sizes])


def agree(a: int, b: int) -> bool:
    """Return whether two sizes are, or may be, equal."""
    return a == b or not (is_known(a) and is_known(b))


def meet(a: int, b: int) -> int:
    """Return the known size of two sizes that agree."""
    return b if not is_known(a) else a


def broadcast(*shapes: Dims, where: str = "broadcast") -> Dims:
    """Return the broadcast shape of several shapes.

    Args:
        *shapes: the shapes of the operands.
        where: the op, for the message.

    Raises:
        ValueError: if two sizes differ and neither is 1.
    """
    first = shapes[0] if shapes else ()
    if all(shape is first for shape in shapes):
        return first
    result: list[int] = [1] * max(map(len, shapes))
    for shape in shapes:
        for i, n in enumerate(shape, len(result) - len(shape)):
            m = result[i]
            if is_known(n) and n == 1:
                continue
            if is_known(m) and m == 1:
                result[i] = n
            elif agree(m, n):
                result[i] = meet(m, n)
            else:
                raise ValueError(
                    f"{where}: shapes {' and '.join(map(str, shapes))} do not broadcast: sizes {m} and {n} meet in "
                    f"axis {i - len(result)}; they must be equal, or one of them 1."
                )
    return tuple(result)


def merge(shapes: Sequence[Dims], skip: int | None, where: str) -> Dims:
    """Return the common shape of arrays that must agree in all axes but one.

    Args:
        shapes: at least one.
        skip: the axis that may differ; the result has the first shape's size there.
        where: the op, for the message.

    Raises:
        ValueError: if the ranks or the sizes differ.
    """
    first = shapes[0]
    result = list(first)
    for shape in shapes[1:]:
        if len(shape) != len(first) or not all(
            agree(m, n) for i, (m, n) in enumerate(zip(result, shape, strict=True)) if i != skip
        ):
            but = "" if skip is None else f" in every axis but {skip}"
            raise ValueError(f"{where}: expected shapes that agree{but}; received {', '.join(map(str, shapes))}.")
        result = [m if i == skip else meet(m, n) for i, (m, n) in enumerate(zip(result, shape, strict=True))]
    return tuple(result)


def _cancelled(above: Sequence[int], below: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return two lists of factors without the unknown ones that appear in both."""
    left, right = list(above), []
    for n in below:
        match = next((i for i, m in enumerate(left) if not is_known(n) and not is_known(m) and m == n), None)
        if match is None:
            right.append(n)
        else:
            del left[match]
    return left, right


def _is_real_ratio(above: list[int], below: list[int]) -> bool:
    """Return whether the unknown factors cancel in a quotient.

    They do if there are as many above as below, as in `n * 2` and `n`, or if one is the product of several. Then no
    factor of the stand-ins is left above.
    """
    over, under = int.__index__(prod(above)), int.__index__(prod(below)) or 1
    left = over // gcd(over, under)
    return len(above) == len(below) or all(gcd(left, n) == 1 for n in above)


def infer_reshape(shape: Dims, newshape: Dims) -> Dims:
    """Return `newshape` with its -1, if there is one, replaced by the remaining size.

    An unknown size on both sides cancels, so `(None, 4, 5)` to `(None, -1)` gives `(None, 20)`.

    Raises:
        ValueError: if the numbers of elements differ, or two sizes are -1.
    """
    message = f"reshape: an array of shape {shape} cannot become {newshape}"
    wild = [i for i, n in enumerate(newshape) if is_known(n) and n == -1]
    given = [n for i, n in enumerate(newshape) if i not in wild]
    if len(wild) > 1 or any(n < 0 for n in given):
        raise ValueError(f"{message}: sizes are non-negative, and one of them may be -1.")
    above, below = _cancelled(shape, given)
    unknown_above, unknown_below = ([n for n in side if not is_known(n)] for side in (above, below))
    known = not unknown_above and not unknown_below
    total, part = prod(above), prod(below)
    beside = "" if all(map(is_known, shape)) else "beside unknown sizes, "
    if not wild:
        if known and total != part:
            raise ValueError(f"{message}: {beside}{total} elements were received, {part} expected.")
        return newshape
    if known and (part == 0 or total % part):
        raise ValueError(f"{message}: {beside}{total} elements do not divide by {part}.")
    rest, left = divmod(int.__index__(total), int.__index__(part) or 1)
    if left or not _is_real_ratio(unknown_above, unknown_below):
        rest = UnknownDim(max(1, rest))
    return tuple(rest if i in wild else n for i, n in enumerate(newshape))


def _slice_length(n: int, key: slice) -> int:
    step = 1 if key.step is None else operator.index(key.step)
    if step == 0:
        raise ValueError("A slice's step cannot be 0.")
    if is_known(n) and all(v is None or is_known(v) for v in (key.start, key.stop)):
        return len(range(*key.indices(n)))
    first, last = (0, n) if step > 0 else (n - 1, -1)

    def place(value: int | None, default: int) -> int:
        if value is None:
            return default
        value = value if isinstance(value, int) else operator.index(value)
        return value + n if value < 0 else value

    start, stop = place(key.start, first), place(key.stop, last)
    return max(0, -((start - stop) // step))


def index_shape(shape: Dims, key: Key | tuple[Key, ...]) -> Dims:
    """Return the shape of `x[key]` for an `x` of that shape.

    Args:
        shape: the shape of `x`.
        key: ints, slices, `None` and one `...`, or a tuple of them.

    Raises:
        IndexError: if there are more indices than axes, or an int is out of range.
        TypeError: if an index is of another kind.
    """
    keys = key if isinstance(key, tuple) else (key,)
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > len(shape):
        raise IndexError(f"{used} indices were received for an array of shape {shape}.")
    if not any(k is Ellipsis for k in keys):
        keys = (*keys, Ellipsis)
    result: list[int] = []
    axis = 0
    for k in keys:
        if k is None:
            result.append(1)
        elif isinstance(k, EllipsisType):
            skipped = len(shape) - used
            result.extend(shape[axis : axis + skipped])
            axis, used = axis + skipped, len(shape)
        elif isinstance(k, slice):
            result.append(_slice_length(shape[axis], k))
            axis += 1
        else:
            n = shape[axis]
            if is_known(n) and not -n <= operator.index(k) < n:
                raise IndexError(f"Index {k} is out of range for axis {axis} of shape {shape}.")
            axis += 1
    return tuple(result)

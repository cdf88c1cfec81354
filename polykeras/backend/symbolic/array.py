"""The array of the symbolic backend."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dis import opname
from types import EllipsisType, NoneType
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend.symbolic.dims import Dims, UnknownDim, broadcast, index_shape, is_known
from polykeras.backend.symbolic.products import matmul_shape
from polykeras.common import budget
from polykeras.dtypes import SCALARS

MOST_SIZES = 16  # values that are kept of a vector: more than a shape has axes


class NeedsValues(TypeError):
    """Raised if code asks a symbolic array for its values, as functions of NumPy and TensorFlow do."""


def cannot_run_on_shapes(error: Exception) -> bool:
    """Return whether an error says that code needs real arrays, as native code of a framework does.

    Such errors are: a `NeedsValues`, or an error that a framework raised in its place; an error that `note_failure`
    marked; an attribute that symbolic arrays lack and framework arrays may have; and a complaint of other code about
    the type. Errors that polykeras itself raises about a symbolic array, and all others, are mistakes in the code that
    ran.
    """
    if (
        isinstance(error, NeedsValues)
        or isinstance(error.__context__, NeedsValues)
        or getattr(error, "_came_of_shapes", False)
    ):
        return True
    if isinstance(error, AttributeError):
        return isinstance(error.obj, SymbolicArray)
    if not isinstance(error, (TypeError, ValueError, RuntimeError)) or SymbolicArray.__name__ not in str(error):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return True
    if last.tb_frame.f_globals.get("__name__", "").partition(".")[0] != __name__.partition(".")[0]:
        return True
    # The called function has no frames: it is written in C, or belongs to JAX, which removes its frames.
    called = opname[last.tb_frame.f_code.co_code[last.tb_lasti]].startswith("CALL")
    return called and isinstance(error, TypeError)


def note_failure(error: Exception) -> None:
    """Mark an error as raised by native code on arrays without values, where real values might have caused none."""
    error._came_of_shapes = True  # type: ignore[attr-defined]


_numbers = itertools.count(1)
_last_size_read = 0


def last_size_read() -> int:
    """Return a number that changes each time that code asks an array for unknown sizes."""
    return _last_size_read


class SymbolicArray:
    """A shape and a dtype in place of values.

    The operators promote dtypes as the public ops do, so a user's own layer may mix arrays and numbers freely.

    Args:
        shape: ints, some of which may be `UnknownDim`.
        dtype: a name of `polykeras.dtypes`.
        sizes: the values of an integer or a vector of integers, where they are known: sizes made into an array may come
            back as sizes (`ops.tile(mask, ops.stack([batch, 1, 1]))`).

    Attributes:
        dims: the shape, for the rules of this package, which preserve unknown sizes.
        dtype: the dtype.
        sizes: as given.

    Example:
        >>> 2.0 * SymbolicArray((3, 1), "int32")[..., None] + SymbolicArray((4,), "float32")
        SymbolicArray(shape=(3, 1, 4), dtype='float32')
    """

    __slots__ = ("dims", "dtype", "sizes")

    def __init__(self, shape: Dims, dtype: str, sizes: Dims | None = None) -> None:
        self.dims = shape
        self.dtype = dtype
        self.sizes = sizes
        if budget.left.get() is not None:
            budget.check_size(shape, UnknownDim)

    def __repr__(self) -> str:
        return f"SymbolicArray(shape={self.dims}, dtype={self.dtype!r})"

    @property
    def shape(self) -> Dims:
        """The shape, for other code. That may lose track of unknown sizes, so reads are recorded (`last_size_read`)."""
        global _last_size_read
        if not all(map(is_known, self.dims)):
            _last_size_read = next(_numbers)
        return self.dims

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.dims)

    def __getitem__(self, key: Any) -> SymbolicArray:
        if type(key) is list and any(isinstance(k, (slice, EllipsisType, NoneType)) for k in key):
            return self[tuple(key)]  # as PyTorch and TensorFlow take it
        keys: Any = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, SymbolicArray) for k in keys):
            raise NeedsValues(f"Expected ints, slices, None or ... as indices; received {key!r}. Use ops.take.")
        shape = index_shape(self.dims, keys)
        if self.sizes is None or len(self.dims) != 1 or not isinstance(key, int | slice):
            return SymbolicArray(shape, self.dtype)
        bounds = (key.start, key.stop, key.step) if isinstance(key, slice) else (key,)
        if any(isinstance(bound, UnknownDim) for bound in bounds):
            return SymbolicArray(shape, self.dtype)
        return SymbolicArray(shape, self.dtype, self.sizes[key] if isinstance(key, slice) else (self.sizes[key],))

    def __len__(self) -> int:
        if not self.dims:
            raise NeedsValues(f"A scalar has no length; received {self}.")  # torch.tensor tries this to find numbers
        return self.shape[0]

    def __iter__(self) -> Iterator[SymbolicArray]:
        length = len(self)
        if not is_known(self.dims[0]):
            raise ValueError(f"Cannot iterate over an axis of unknown size (shape {self.dims}).")
        return iter([self[i] for i in range(length)])

    def _no_value(self, *_: Any, **__: Any) -> Any:
        raise NeedsValues(
            f"{self} has no value: it stands for an array while shapes are inferred. Use ops (`where`, `cond`, ...) "
            "in place of Python's `if`, `bool()`, `float()` or NumPy functions on it."
        )

    __array_priority__ = 1000  # NumPy then leaves `ndarray * SymbolicArray` to this class
    __array__ = __bool__ = __int__ = __float__ = __index__ = __complex__ = _no_value

    def __neg__(self) -> SymbolicArray:
        return self

    def __add__(self, other: Any) -> SymbolicArray:
        return combine("+", self, other)

    def __truediv__(self, other: Any) -> SymbolicArray:
        result = combine("/", self, other)
        return SymbolicArray(result.dims, dtypes.float_type(result.dtype))

    def __lt__(self, other: Any) -> SymbolicArray:
        return SymbolicArray(combine("comparison", self, other).dims, "bool")

    # As in frameworks, a comparison is an array, and dicts and sets find an array by its identity.
    def __eq__(self, other: Any) -> Any:
        return False if other is None else self < other

    def __ne__(self, other: Any) -> Any:
        return True if other is None else self < other

    __hash__ = object.__hash__

    def __matmul__(self, other: Any) -> SymbolicArray:
        return _product(self, from_value(other))

    def __rmatmul__(self, other: Any) -> SymbolicArray:
        return _product(from_value(other), self)

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __pow__ = __rpow__ = __add__
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __add__
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __add__
    __rtruediv__ = __truediv__
    __le__ = __gt__ = __ge__ = __lt__

    def __invert__(self) -> SymbolicArray:
        return self


def _product(x1: SymbolicArray, x2: SymbolicArray) -> SymbolicArray:
    return SymbolicArray(matmul_shape(x1.dims, x2.dims), dtypes.result_type(x1.dtype, x2.dtype))


def is_scalar(x: Any) -> bool:
    """Return whether `x` is a Python number, whose dtype is weak."""
    return type(x) in SCALARS or (isinstance(x, SCALARS) and not hasattr(x, "dtype"))


def from_value(x: Any) -> SymbolicArray:
    """Return the shape and dtype of a scalar, an array of any framework, or a (nested) list of them.

    Raises:
        TypeError: if `x` is not numeric.
        ValueError: if the parts of a list differ in shape.
    """
    if isinstance(x, SymbolicArray):
        return x
    if hasattr(x, "shape") and hasattr(x, "dtype"):  # NumPy's scalars too, some of which are Python floats
        try:
            return SymbolicArray(tuple(x.shape), dtypes.standardize_dtype(x.dtype), _sizes_of(x))
        except ValueError:
            pass  # strings and objects: refused below
    elif isinstance(x, SCALARS):
        return SymbolicArray((), dtypes.result_type(dtypes.weak(x)), _sizes_of(x))
    elif isinstance(x, (list, tuple)):
        shape, names = _measure(x)
        dtype = dtypes.result_type(*names) if names else dtypes.standardize_dtype(None)
        return SymbolicArray(shape, dtype, _sizes_of(x))
    raise TypeError(f"Expected a number, an array or a list of them; received {x!r} of type {type(x).__name__}.")


def _sizes_of(x: Any) -> Dims | None:
    """Return the values of an int, or of a short vector of ints of which some may be symbolic; None for all else."""
    if isinstance(x, SymbolicArray):
        return x.sizes if not x.dims else None
    if isinstance(x, int) and not isinstance(x, bool):
        return (x,)
    if isinstance(x, np.ndarray | np.integer):
        return tuple(x.reshape(-1).tolist()) if x.dtype.kind in "iu" and x.ndim < 2 and x.size <= MOST_SIZES else None
    if not isinstance(x, list | tuple) or not 0 < len(x) <= MOST_SIZES:
        return None
    parts = [_sizes_of(part) if isinstance(part, int) or getattr(part, "shape", None) == () else None for part in x]
    return None if None in parts else tuple(part[0] for part in parts if part)


def _measure(x: Any) -> tuple[Dims, set[str]]:
    """Return the shape of a nested list and the dtypes (or weak kinds) of its leaves."""
    if is_scalar(x):
        return (), {dtypes.weak(x)}
    if not isinstance(x, (list, tuple)):
        leaf = from_value(x)
        return leaf.dims, {leaf.dtype}
    parts = [_measure(part) for part in x]
    shapes = {shape for shape, _ in parts}
    if len(shapes) > 1:
        raise ValueError(f"Expected parts of one shape in a list; received {', '.join(map(str, sorted(shapes)))}.")
    inner = parts[0][0] if parts else ()
    return (len(x), *inner), set().union(*(names for _, names in parts))


def combine(where: str, *operands: Any) -> SymbolicArray:
    """Return the broadcast shape and the common dtype of operands. Python numbers are weak."""
    names: list[str] = []
    shapes: list[Dims] = []
    for x in operands:
        if is_scalar(x):
            names.append(dtypes.weak(x))
        else:
            array = from_value(x)
            names.append(array.dtype)
            shapes.append(array.dims)
    return SymbolicArray(broadcast(*shapes, where=where), dtypes.result_type(*names))

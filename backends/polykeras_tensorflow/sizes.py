"""Sizes that are unknown while a user's graph is made, such as the batch size of an `input_signature` with None.

Layers compute with sizes as ints and, on the symbolic backend, as `UnknownDim`s, which are stand-in ints. Here, an
`UnknownDim` carries its tensor along, and TensorFlow's operations take it for that tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf

from polykeras import config
from polykeras.backend.spec import Array
from polykeras.backend.symbolic import UnknownDim
from polykeras_tensorflow.private import TensorType

_SIZES = "_polykeras_sizes"
_STAND_IN = 2520 << 1100  # too large for a float, so `1.0 / size`, which bypasses the class, raises


class GraphSize(UnknownDim, TensorType):
    """A size that is known only when a graph runs.

    Attributes:
        tensor: the size as an int32 tensor.
    """

    tensor: Array
    dtype = tf.int32
    shape = tf.TensorShape(())

    def __new__(cls, number: int, tensor: Array) -> GraphSize:
        """Return a size with a tensor, and the number that stands in for it meanwhile."""
        size = super().__new__(cls, number)
        size.tensor = tensor
        return size

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Array:
        return self.tensor if dtype is None else tf.cast(self.tensor, dtype)

    def _number(self, *_: Any) -> NoReturn:
        raise TypeError(
            "A size that is unknown while the graph is made is not a Python number: it cannot be compared or decide a "
            "branch. Compute with it by functions of TensorFlow or `polykeras.ops`, or give the surrounding "
            "tf.function an input_signature without None."
        )

    __float__ = __int__ = __complex__ = __bool__ = __abs__ = __pow__ = __rpow__ = _number  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _number

    def __eq__(self, other: object) -> bool:
        """Return whether two sizes may be equal. An unknown size is assumed to differ from 0 and 1."""
        if isinstance(other, GraphSize):
            return self is other or int.__eq__(self, other)
        if isinstance(other, int) and other not in (0, 1, -1):
            self._number()
        return False

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    __hash__ = UnknownDim.__hash__


def _method(name: str) -> Callable[[GraphSize, Any], Any]:
    """Return an arithmetic operator for sizes. The result is a size if it is a whole number, else a tensor."""
    of_numbers = getattr(UnknownDim, name)
    of_tensors = getattr(tf.Tensor, name)

    def method(self: GraphSize, other: Any) -> Any:
        if isinstance(other, int) and "truediv" not in name:
            number = int.__index__(of_numbers(self, other))
            return GraphSize(number, of_tensors(self.tensor, tf.convert_to_tensor(other)))
        dtype: Any = getattr(other, "dtype", None) if isinstance(other, tf.Tensor) else None
        if dtype is None or (dtype.is_integer and "truediv" in name):
            dtype = config.floatx()
        return of_tensors(tf.cast(self.tensor, dtype), tf.cast(other, dtype))

    return method


for _operation in ("add", "sub", "mul", "floordiv", "mod", "truediv"):
    for _name in (f"__{_operation}__", f"__r{_operation}__"):
        setattr(GraphSize, _name, _method(_name))
GraphSize.__neg__ = lambda self: 0 - self  # type: ignore[method-assign]


def sizes_of(x: Array) -> tuple[int, ...]:
    """Return the shape of a tensor, with a `GraphSize` for each size that the graph does not know."""
    known = tuple(x.shape.as_list())
    if None not in known:
        return known
    found = getattr(x, _SIZES, None)
    if found is None:
        whole = tf.shape(x)
        found = tuple([GraphSize(_STAND_IN, whole[axis]) if n is None else n for axis, n in enumerate(known)])
        setattr(x, _SIZES, found)  # the same objects each time, so that a slice can recognize the end of an axis
    return found

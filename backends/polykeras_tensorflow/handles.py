"""Lets TensorFlow's own functions accept objects that stand for an array, such as polykeras's variables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras.backend.dispatch import Handle

_BINARY = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lt", "le", "gt", "ge",
    "eq", "ne",
)  # fmt: skip


def accept_handles() -> None:
    """Make TensorFlow accept variables as their values.

    Otherwise its operators and functions would convert a variable to NumPy: a constant, without a gradient. Binary
    operators of tensors give way to those of variables, which promote dtypes. TensorFlow's own refuse a float beside
    an int, some of them without trying `__radd__`.
    """
    tf.register_tensor_conversion_function(Handle, _convert)
    for name in _BINARY:
        setattr(tf.Tensor, f"__{name}__", _giving_way(getattr(tf.Tensor, f"__{name}__")))


def _convert(handle: Handle, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> tf.Tensor:
    return tf.convert_to_tensor(handle.value, dtype, name=name)


def _giving_way(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a binary operator of tensors that leaves polykeras's variables to the variables' own operators."""

    @functools.wraps(operator)
    def method(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, Handle) else operator(self, other)

    return method

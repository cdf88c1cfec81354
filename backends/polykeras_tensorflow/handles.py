"""What stands for an array, as our variables do, given to TensorFlow's own functions."""

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
    """Have TensorFlow take variables for their values.

    Without this its operators and functions would take a variable for a NumPy array: a constant, without a gradient.
    Binary operators of tensors give way to those of variables, which promote dtypes: TensorFlow's refuse a float beside
    an int, some of them in a way that no `__radd__` is asked.
    """
    tf.register_tensor_conversion_function(Handle, _convert)
    for name in _BINARY:
        setattr(tf.Tensor, f"__{name}__", _giving_way(getattr(tf.Tensor, f"__{name}__")))


def _convert(handle: Handle, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> tf.Tensor:
    return tf.convert_to_tensor(handle.value, dtype, name=name)


def _giving_way(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a binary operator of tensors that leaves polykeras's variables to their own operators."""

    @functools.wraps(operator)
    def method(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, Handle) else operator(self, other)

    return method

"""Handles, which stand for an array as our variables do, given to TensorFlow's own functions and tapes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras.backend.handles import Handle
from polykeras.common import nested
from polykeras_tensorflow.native.location import LOCATION

_BINARY = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lt", "le", "gt", "ge",
    "eq", "ne",
)  # fmt: skip


def accept_handles() -> None:
    """Let TensorFlow take variables for their values, and tapes watch them.

    Without this its operators and functions would take a variable for a NumPy array: a constant, without a gradient.
    Binary operators of tensors give way to those of variables, which promote dtypes. TensorFlow's refuse a float beside
    an int, some of them in a way that no `__radd__` is asked.
    """
    cls: Any = Handle
    cls._should_act_as_resource_variable = property(_acts_as_variable)
    # `tf.is_tensor` says yes, as of Keras's variables: `tf.experimental.numpy` asks it for a dtype.
    cls.is_tensor_like = property(_acts_as_variable)
    cls.handle = property(_handle)
    cls._id = property(lambda self: self.handle._id)
    tf.GradientTape.watch = _for_handles(tf.GradientTape.watch)
    tf.register_tensor_conversion_function(Handle, _convert)
    for name in _BINARY:
        setattr(tf.Tensor, f"__{name}__", _giving_way(getattr(tf.Tensor, f"__{name}__")))


def _acts_as_variable(self: Any) -> bool:
    """Whether it is a variable, whose value TensorFlow's functions take."""
    if not hasattr(type(self), "assign"):
        raise AttributeError("only variables act as resource variables")
    return True


def _handle(self: Any) -> tf.Tensor:
    """The handle by which TensorFlow's own code knows the variable; a `tf.Variable` stores it from now on."""
    return LOCATION.get_stored(self).handle


def _for_handles(watch: Any) -> Any:
    """Return `GradientTape.watch` such that it takes variables of polykeras."""

    @functools.wraps(watch)
    def method(self: Any, tensor: Any) -> None:
        watch(self, nested.map_structure(lambda x: LOCATION.get_stored(x) if isinstance(x, Handle) else x, tensor))

    return method


def _convert(handle: Handle, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> tf.Tensor:
    return tf.convert_to_tensor(handle.value, dtype, name=name)


def _giving_way(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a binary operator of tensors that leaves polykeras's variables to their own operators."""

    @functools.wraps(operator)
    def method(self: Any, other: Any) -> Any:
        return NotImplemented if isinstance(other, Handle) else operator(self, other)

    return method

"""How variables appear to a `tf.GradientTape` and in a `tf.function` of a user's.

A variable is a plain tensor until TensorFlow's own code looks at it: a tape that watches what is read, somebody who
asks for its `handle` (`tape.gradient`, `tape.watch`), or a graph that reads or assigns it outside of our scopes. From
then on a `tf.Variable` stores it, which tapes and graphs know by its handle. What happens in graphs and under tapes
that we make ourselves reads from scopes and makes none.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend import registry
from polykeras.backend.dispatch import Handle
from polykeras.backend.native import Native
from polykeras.backend.native_location import (
    Adoption,
    NativeLocation,
    in_turn,
    leaf_name,
    on_host,
    other_framework,
    value_on,
)
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras_tensorflow.graphs import inlined_functions
from polykeras_tensorflow.private import ResourceVariable, are_tapes_open, is_recorded, note_accessed, read_from


class TensorflowLocation(NativeLocation):
    """Variables stored in a `tf.Variable`."""

    name = "tensorflow"

    def looks(self) -> bool:
        return are_tapes_open() or not tf.executing_eagerly()

    def note(self, variable: Any, assigned: bool = False) -> None:
        if not tf.executing_eagerly():
            self.stored(variable)
        location, stored = variable._location
        if location is self and stored.trainable is not variable.trainable:
            stored._trainable = variable.trainable  # which its reads ask for
        if not assigned and variable.trainable and are_tapes_open():
            note_accessed(variable)

    def read_in_scope(self, variable: Any, value: Array) -> Array:
        if not are_tapes_open():
            return value
        if variable.trainable:
            note_accessed(variable)
        location, stored = variable._location
        if location is not self or not is_recorded([stored.handle]):
            return value
        if tf.executing_eagerly() or value.graph is tf.compat.v1.get_default_graph():
            return read_from(value, stored.handle)
        with value.graph.as_default():  # a branch or the body of a loop takes what it reads from outside
            return read_from(value, stored.handle)

    def in_step(self) -> AbstractContextManager[None]:
        return inlined_functions()

    def stored(self, variable: Any) -> tf.Variable:
        """Return the `tf.Variable` that stores a variable, from now on where none did so far."""
        location, stored = variable._location
        if location is self:
            return stored
        with in_turn():
            return self._made(variable)

    def _made(self, variable: Any) -> tf.Variable:
        location, stored = variable._location
        if location is self:  # another thread was first
            return stored
        other = leaf_name(variable)
        if other is not None:
            raise other_framework(variable, other, self.name)
        with tf.init_scope():
            array = value_on(variable, _backend())
            # Of memory of its own: others may hold the array.
            stored = ResourceVariable(array, trainable=variable.trainable, name=variable.name.replace("/", "_"))
        variable._location, variable._lent = (self, stored), False
        return stored

    def read(self, stored: tf.Variable, backend: Any) -> Any:
        if backend.name == self.name:
            return getattr(stored, "own_value", stored.value)()
        return backend.place(self.to_numpy(stored))

    def write(self, stored: tf.Variable, backend: Any, value: Any) -> None:
        if backend is None:
            value = on_host(value)
        elif backend.name != self.name:
            value = backend.to_numpy(value)
        getattr(stored, "own_assign", stored.assign)(value, read_value=False)

    def to_numpy(self, stored: tf.Variable) -> np.ndarray:
        with tf.init_scope():
            return _backend().to_numpy(getattr(stored, "own_value", stored.value)())


LOCATION = TensorflowLocation()


class TensorflowNative(Native):
    """TensorFlow's own code looks at variables by tapes and graphs."""

    location = LOCATION

    def __init__(self, adoption: Adoption) -> None:
        self.adoption = adoption

    def distribute_strategy(self) -> tf.distribute.Strategy:
        return tf.distribute.get_strategy()


def _backend() -> Any:
    return registry.load("tensorflow")


# ---- what TensorFlow asks of what is a variable ------------------------------------------------------------------


def _acts_as_variable(self: Any) -> bool:
    if not hasattr(type(self), "assign"):
        raise AttributeError("only variables act as resource variables")
    return True


def _handle(self: Any) -> tf.Tensor:
    """The handle by which TensorFlow's own code knows the variable; from now on a `tf.Variable` stores it."""
    return LOCATION.stored(self).handle


Handle._should_act_as_resource_variable = property(_acts_as_variable)  # type: ignore[attr-defined]
Handle.is_tensor_like = property(  # type: ignore[attr-defined]
    _acts_as_variable,
    doc="Whether `tf.is_tensor` says yes, as of Keras's variables: `tf.experimental.numpy` asks it for a dtype.",
)
Handle.handle = property(_handle)  # type: ignore[attr-defined]
Handle._id = property(lambda self: self.handle._id)  # type: ignore[attr-defined]


def _for_watching(watch: Any) -> Any:
    """Return `GradientTape.watch` such that it takes variables of polykeras."""

    @wraps(watch)
    def method(self: Any, tensor: Any) -> None:
        watch(self, nested.map_structure(lambda x: LOCATION.stored(x) if isinstance(x, Handle) else x, tensor))

    return method


tf.GradientTape.watch = _for_watching(tf.GradientTape.watch)


# ---- numbers that are known while a graph is made ----------------------------------------------------------------


def _known(x: tf.Tensor) -> Any:
    """Return the value of a tensor of a graph as a NumPy array where it is known, as it is of `tf.shape(x)[0]`."""
    if not tf.is_symbolic_tensor(x):
        return None
    value = tf.get_static_value(x)
    if value is None and x.op.type == "StridedSlice" and x.op.get_attr("shrink_axis_mask") == 1:
        sizes, place = x.op.inputs[0], tf.get_static_value(x.op.inputs[1])
        if place is not None and place.shape == (1,):
            whole = tf.get_static_value(sizes)
            if whole is None and sizes.op.type == "Shape":
                whole = sizes.op.inputs[0].shape
            size = None if whole is None else whole[int(place[0])]
            return None if size is None else np.asarray(size)
    return None if value is None else np.asarray(value)


def _index(self: tf.Tensor) -> int:
    value = _known(self)
    if value is None or value.ndim or value.dtype.kind not in "iu":
        raise TypeError(
            f"{self.name!r} is computed when the graph runs: it is no int of Python's, by which a loop could run or a "
            "list be indexed, while the graph is made."
        )
    return int(value)


def _iterating(iterate: Any) -> Any:
    """Return `Tensor.__iter__` such that the sizes in a `tf.shape(x)` may be looped over, where they are known."""

    @wraps(iterate)
    def method(self: Any) -> Any:
        value = _known(self)
        return iterate(self) if value is None or value.ndim != 1 else iter(value.tolist())

    return method


_Tensor: Any = tf.Tensor
_Tensor.__index__ = _index
_Tensor.__iter__ = _iterating(_Tensor.__iter__)

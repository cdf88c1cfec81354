"""Variables stored in a `tf.Variable`, as tapes and graphs of a user's see them.

A variable is a plain tensor until TensorFlow's own code looks at it: a tape that watches what is read, somebody who
asks for its `handle` (`tape.gradient`, `tape.watch`), or a graph that reads or assigns it outside of our scopes. From
then on a `tf.Variable` stores it, which tapes and graphs know by its handle. Code in graphs and under tapes of our own
reads from scopes and makes no `tf.Variable`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend import registry, value_lock
from polykeras.backend.native import NativeLocation
from polykeras.backend.native.location import on_host, two_frameworks_error
from polykeras.backend.spec import Array
from polykeras_tensorflow.graphs import inlined_functions
from polykeras_tensorflow.private import ResourceVariable, are_tapes_open, is_recorded, note_accessed, read_from


class TensorflowLocation(NativeLocation):
    """Variables stored in a `tf.Variable`."""

    name = "tensorflow"

    def is_watching(self) -> bool:
        return are_tapes_open() or not tf.executing_eagerly()

    def note_access(self, variable: Any, assigned: bool = False) -> None:
        if not tf.executing_eagerly():
            self.get_stored(variable)
        stored = variable.native_object
        if stored is not None and stored.trainable is not variable.trainable:
            stored._trainable = variable.trainable  # which its reads ask for
        if not assigned and variable.trainable and are_tapes_open():
            note_accessed(variable)

    def read_in_scope(self, variable: Any, value: Array) -> Array:
        if not are_tapes_open():
            return value
        if variable.trainable:
            note_accessed(variable)
        stored = variable.native_object
        if stored is None or not is_recorded([stored.handle]):
            return value
        if tf.executing_eagerly() or value.graph is tf.compat.v1.get_default_graph():
            return read_from(value, stored.handle)
        with value.graph.as_default():  # a branch or the body of a loop takes what it reads from outside
            return read_from(value, stored.handle)

    def eager_step(self) -> AbstractContextManager[None]:
        return inlined_functions()

    def get_stored(self, variable: Any) -> tf.Variable:
        """Return the `tf.Variable` that stores a variable. It is made if there is none."""
        stored = variable.native_object
        if stored is not None:
            return stored
        with value_lock.lock:
            return self._make_stored(variable)

    def _make_stored(self, variable: Any) -> tf.Variable:
        stored = variable.native_object
        if stored is not None:  # another thread was first
            return stored
        if variable.native_parameter is not None:
            raise two_frameworks_error(variable, variable.native_parameter.backend.name, self.name)
        with tf.init_scope():
            array = variable.stored_value(_backend())
            # Of memory of its own: others may hold the array.
            stored = ResourceVariable(array, trainable=variable.trainable, name=variable.name.replace("/", "_"))
        variable.store_in(self, stored)
        return stored

    def read(self, stored: tf.Variable, backend: Any) -> Any:
        if backend.name == self.name:
            return getattr(stored, "value_outside", stored.value)()
        return backend.place(self.to_numpy(stored))

    def write(self, stored: tf.Variable, backend: Any, value: Any) -> None:
        if backend is None:
            value = on_host(value)
        elif backend.name != self.name:
            value = backend.to_numpy(value)
        getattr(stored, "assign_outside", stored.assign)(value, read_value=False)

    def to_numpy(self, stored: tf.Variable) -> np.ndarray:
        with tf.init_scope():
            return _backend().to_numpy(getattr(stored, "value_outside", stored.value)())


LOCATION = TensorflowLocation()
"""The one of this process."""


def _backend() -> Any:
    return registry.load("tensorflow")

"""A `tf.Variable` or `tf.Module` of a user's as a part of our layers.

A variable of ours stands for each `tf.Variable`, and is stored in it. The object itself stays what and where it is, for
the user's code and the module's. Inside our scopes, where steps and gradients run, it gives the scope's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import tensorflow as tf

from polykeras.backend.native import VariableAdapter
from polykeras.backend.spec import Array
from polykeras_tensorflow.native.location import LOCATION
from polykeras_tensorflow.private import ResourceVariable, assigned_to


class _Scoped:
    """Mixin of a `tf.Variable` that is part of a layer: inside scopes it reads and writes the scope's value."""

    _bound: Any  # the `polykeras.Variable` that stands for it
    _scope_value: Callable[[Any], Any]
    _in_scope: Callable[[], bool]
    _substitute: tuple[Any, Any, Any] = (None, None, None)  # a value, a variable that has it, and its handle

    def _value_in_scope(self) -> Array | None:
        value = self._scope_value(self._bound)
        return None if value is None else LOCATION.read_in_scope(self._bound, value)

    def value_outside(self) -> Array:
        """Return the value outside of scopes."""
        return super().value()  # type: ignore[misc]

    def assign_outside(self, *args: Any, **kwargs: Any) -> Any:
        """Assign outside of scopes."""
        return super().assign(*args, **kwargs)  # type: ignore[misc]

    @property
    def handle(self) -> Array:
        """The handle, by which eager operations read. In a scope it is that of a variable with the scope's value."""
        value = self._scope_value(self._bound) if tf.executing_eagerly() else None
        if value is None:
            return super().handle  # type: ignore[misc]
        if self._substitute[0] is not value:
            with tf.init_scope():
                variable = ResourceVariable(value)
            self._substitute = value, variable, assigned_to(value, variable.handle)
        return self._substitute[2]

    def value(self) -> Array:
        value = self._value_in_scope()
        return self.value_outside() if value is None else value

    def read_value(self) -> Array:
        value = self._value_in_scope()
        return super().read_value() if value is None else value  # type: ignore[misc]

    def sparse_read(self, indices: Any, name: str | None = None) -> Array:
        value = self._value_in_scope()
        if value is None:
            return super().sparse_read(indices, name=name)  # type: ignore[misc]
        return tf.gather(value, indices, name=name)

    def gather_nd(self, indices: Any, name: str | None = None) -> Array:
        value = self._value_in_scope()
        if value is None:
            return super().gather_nd(indices, name=name)  # type: ignore[misc]
        return tf.gather_nd(value, indices, name=name)

    def assign(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._in_scope():
            return self.assign_outside(value, *args, **kwargs)
        self._bound.assign(tf.convert_to_tensor(value, self._bound.dtype))
        return self

    def assign_add(self, delta: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._in_scope():
            return super().assign_add(delta, *args, **kwargs)  # type: ignore[misc]
        return self.assign(self.value() + delta)

    def assign_sub(self, delta: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._in_scope():
            return super().assign_sub(delta, *args, **kwargs)  # type: ignore[misc]
        return self.assign(self.value() - delta)


@cache
def _scoped_class(cls: type) -> type:
    return type(cls)(cls.__name__, (_Scoped, cls), {})


def _get_variables(part: Any) -> Iterable[tf.Variable]:
    return [part] if isinstance(part, tf.Variable) else part.variables


def _describe(stored: Any) -> tuple[str, tuple[int, ...], str, bool]:
    return stored.name.split(":")[0].replace("/", "_"), tuple(stored.shape), stored.dtype.name, stored.trainable


def _bind(stored: Any, variable: Any, scope_value: Callable[[Any], Any], in_scope: Callable[[], bool]) -> None:
    stored.__class__ = _scoped_class(type(stored))
    stored._bound = variable
    stored._scope_value, stored._in_scope = scope_value, in_scope


VARIABLE_ADAPTER = VariableAdapter(
    location=LOCATION,
    types=(tf.Variable, tf.Module),
    get_variables=_get_variables,
    describe=_describe,
    find_bound=lambda stored: getattr(stored, "_bound", None),
    bind=_bind,
)

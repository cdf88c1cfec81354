"""A `tf.Variable` or `tf.Module` of a user's as a part of our layers.

A variable of ours stands for each `tf.Variable`, stored in it. The object itself stays what and where it is, for the
user's code and for the module's; inside our scopes, where steps and gradients run, it gives the scope's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import tensorflow as tf

from polykeras.backend.native_location import Adoption
from polykeras.backend.spec import Array
from polykeras_tensorflow.native import LOCATION
from polykeras_tensorflow.private import ResourceVariable, assigned_to


class _Scoped:
    """What a `tf.Variable` that a layer holds does otherwise than others."""

    _of_layer: Any  # the variable of ours
    _scope_value: Callable[[Any], Any]
    _in_scope: Callable[[], bool]
    _stand_in: tuple[Any, Any, Any] = (None, None, None)  # a value, a variable that has it, and its handle

    def _held(self) -> Array | None:
        value = self._scope_value(self._of_layer)
        return None if value is None else LOCATION.read_in_scope(self._of_layer, value)

    def own_value(self) -> Array:
        """Return the value outside of scopes."""
        return super().value()  # type: ignore[misc]

    def own_assign(self, *args: Any, **kwargs: Any) -> Any:
        """Assign outside of scopes."""
        return super().assign(*args, **kwargs)  # type: ignore[misc]

    @property
    def handle(self) -> Array:
        """The handle; in eager code of a scope, whose operations read by it, that of a variable with its value."""
        value = self._scope_value(self._of_layer) if tf.executing_eagerly() else None
        if value is None:
            return super().handle  # type: ignore[misc]
        if self._stand_in[0] is not value:
            with tf.init_scope():
                variable = ResourceVariable(value)
            self._stand_in = value, variable, assigned_to(value, variable.handle)
        return self._stand_in[2]

    def value(self) -> Array:
        value = self._held()
        return self.own_value() if value is None else value

    def read_value(self) -> Array:
        value = self._held()
        return super().read_value() if value is None else value  # type: ignore[misc]

    def sparse_read(self, indices: Any, name: str | None = None) -> Array:
        value = self._held()
        if value is None:
            return super().sparse_read(indices, name=name)  # type: ignore[misc]
        return tf.gather(value, indices, name=name)

    def gather_nd(self, indices: Any, name: str | None = None) -> Array:
        value = self._held()
        if value is None:
            return super().gather_nd(indices, name=name)  # type: ignore[misc]
        return tf.gather_nd(value, indices, name=name)

    def assign(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._in_scope():
            return self.own_assign(value, *args, **kwargs)
        self._of_layer.assign(tf.convert_to_tensor(value, self._of_layer.dtype))
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
def _scoped(kind: type) -> type:
    return type(kind)(kind.__name__, (_Scoped, kind), {})


def _parts(part: Any) -> Iterable[tf.Variable]:
    return [part] if isinstance(part, tf.Variable) else part.variables


def _describe(stored: Any) -> tuple[str, tuple[int, ...], str, bool]:
    return stored.name.split(":")[0].replace("/", "_"), tuple(stored.shape), stored.dtype.name, stored.trainable


def _bind(stored: Any, variable: Any, scope_value: Callable[[Any], Any], in_scope: Callable[[], bool]) -> None:
    stored.__class__ = _scoped(type(stored))
    stored._of_layer = variable
    stored._scope_value, stored._in_scope = scope_value, in_scope


ADOPTION = Adoption(
    LOCATION,
    (tf.Variable, tf.Module),
    _parts,
    _describe,
    known=lambda stored: getattr(stored, "_of_layer", None),
    bind=_bind,
)

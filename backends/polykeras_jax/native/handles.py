"""Lets JAX's own functions take variables and other handles of arrays."""

from __future__ import annotations

from typing import Any

import jax

from polykeras.backend.handles import for_each_handle


def accept_handles() -> None:
    """Make JAX accept variables as their values.

    Functions on arrays use `__jax_array__`. Transformations (`jit`, `grad`, `device_put`, ...) and `jax.tree` see a
    variable as a tree with one leaf, its value, and return arrays. Without this, JAX refuses such objects since 0.8,
    but Keras's guides pass variables to functions compiled with `jax.jit`.
    """
    for_each_handle(_accept)


def _accept(kind: type) -> None:
    if "__jax_array__" not in vars(kind):
        setattr(kind, "__jax_array__", _value)  # noqa: B010  (a name of JAX, which the class does not declare)
        jax.tree_util.register_pytree_node(kind, lambda handle: ((_value(handle),), None), _only)


def _value(handle: Any) -> Any:
    return handle.value


def _only(_: None, children: Any) -> Any:
    return children[0]

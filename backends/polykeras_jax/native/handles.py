"""Handles, which stand for an array as our variables do, given to JAX's own functions."""

from __future__ import annotations

from typing import Any

import jax

from polykeras.backend.dispatch import for_each_handle


def accept_handles() -> None:
    """Let JAX take variables for their values.

    JAX's functions of arrays ask for `__jax_array__`. Transformations (`jit`, `grad`, `device_put`, ...) and `jax.tree`
    take a variable for a tree with one leaf, its value, and return an array. Since jax 0.8 they refuse other objects,
    though Keras's guides give variables to functions compiled by `jax.jit`.
    """
    for_each_handle(_accept)


def _accept(kind: type) -> None:
    if "__jax_array__" not in vars(kind):
        setattr(kind, "__jax_array__", _value)  # noqa: B010  (JAX's name, of which the class knows nothing)
        jax.tree_util.register_pytree_node(kind, lambda handle: ((_value(handle),), None), _only)


def _value(handle: Any) -> Any:
    return handle.value


def _only(_: None, children: Any) -> Any:
    return children[0]

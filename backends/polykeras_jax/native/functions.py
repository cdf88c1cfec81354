"""Helpers for layers that wrap JAX functions: JAX's trees and its random keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras_jax.arrays import name_of


def tree_map(fn: Callable[..., Any], first: Any, *rest: Any) -> Any:
    """Map a function over the leaves of JAX trees, including classes registered with JAX."""
    return jax.tree_util.tree_map(fn, first, *rest)


def values(tree: Any) -> Any:
    """Return a tree with each variable replaced by its value."""
    return jax.tree_util.tree_map(lambda leaf: leaf, tree)


def is_array(leaf: Any) -> bool:
    """Return whether a leaf is a JAX or NumPy array."""
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic))


def dtype_of(array: Any) -> str:
    """Return the name of an array's dtype."""
    return name_of(array.dtype)


def key(words: Any) -> Any:
    """Return a JAX key, uint32 `(2,)`, made from one of polykeras, int32 `(2,)`."""
    return lax.bitcast_convert_type(jnp.asarray(words), jnp.uint32)


def ones(shape: Sequence[int]) -> Any:
    """Return an array of ones in JAX's default float dtype."""
    return jnp.ones(tuple(shape))


def concretely() -> AbstractContextManager[Any]:
    """Return a context in which JAX computes immediately, even while it traces the code around it."""
    return jax.ensure_compile_time_eval()


def flax_without_params() -> Any:
    """Return a Flax filter for all collections of variables except the parameters.

    Raises:
        ImportError: Flax is not installed.
    """
    try:
        from flax.linen import DenyList  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError('FlaxLayer needs Flax, which is not installed: `pip install "polykeras[flax]"`.') from error
    return DenyList(["params"])

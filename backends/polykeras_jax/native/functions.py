"""What layers around functions of JAX need: its trees and its keys for random numbers."""

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
    """Return the tree of the results of a function on the leaves. Trees are JAX's, with the classes that JAX knows."""
    return jax.tree_util.tree_map(fn, first, *rest)


def values(tree: Any) -> Any:
    """Return a tree with the values of variables in their places."""
    return jax.tree_util.tree_map(lambda leaf: leaf, tree)


def is_array(leaf: Any) -> bool:
    """Return whether a leaf is an array, of JAX or of NumPy."""
    return isinstance(leaf, (jax.Array, np.ndarray, np.generic))


def dtype_of(array: Any) -> str:
    """Return the name of an array's dtype."""
    return name_of(array.dtype)


def key(words: Any) -> Any:
    """Return one of our keys, int32 `(2,)`, as a key of JAX, uint32 `(2,)`."""
    return lax.bitcast_convert_type(jnp.asarray(words), jnp.uint32)


def ones(shape: Sequence[int]) -> Any:
    """Return an array of ones in JAX's default float dtype."""
    return jnp.ones(tuple(shape))


def concretely() -> AbstractContextManager[Any]:
    """Return a context in which JAX computes at once, also while it traces the code around."""
    return jax.ensure_compile_time_eval()


def flax_without_params() -> Any:
    """Return Flax's filter for all collections of variables except the parameters.

    Raises:
        ImportError: Flax is not installed.
    """
    try:
        from flax.linen import DenyList  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError('FlaxLayer needs Flax, which is not installed: `pip install "polykeras[flax]"`.') from error
    return DenyList(["params"])

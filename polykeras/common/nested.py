"""Nested structures (dicts, lists, tuples, named tuples) of arrays for our own code: a thin layer over `optree`.

`None` is a structure without leaves, as in JAX; users have `tree`, where it is a leaf, as in Keras. Our own code takes
`tree` only where a None stands for something, such as an unknown size. The two share no functions: those here know
leaves by their type, which takes a fraction of the time and holds only while None is none; those of `tree` check what
they are given. The leaves of a dict come in the order of its sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

NAMESPACE = "polykeras"
_leaf_types: dict[type, bool] = {}


def _is_leaf(x: Any) -> bool:
    """Return whether `x` is no container, which depends on its type alone; a look at optree takes longer."""
    kind = type(x)
    known = _leaf_types.get(kind)
    if known is None:
        known = _leaf_types[kind] = x is not None and optree.all_leaves([x], namespace=NAMESPACE)
    return known


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of `structure` as a flat list."""
    if _is_leaf(structure):
        return [structure]
    return optree.tree_leaves(structure, namespace=NAMESPACE)


def flatten_with_def(structure: Any) -> tuple[list[Any], Any]:
    """Return the leaves and a definition from which `unflatten` rebuilds the structure."""
    return optree.tree_flatten(structure, namespace=NAMESPACE)


def unflatten(definition: Any, leaves: Iterable[Any]) -> Any:
    """Rebuild a structure from the definition that `flatten_with_def` gave."""
    return optree.tree_unflatten(definition, leaves)


def interleave(leaves: Iterable[Any], fixed: dict[int, Any]) -> list[Any]:
    """Return one list of leaves: those of `fixed` at their places, the others around them in their order."""
    leaves = list(leaves)
    rest = iter(leaves)
    return [fixed[i] if i in fixed else next(rest) for i in range(len(leaves) + len(fixed))]


def map_structure(func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to the leaves of a structure, and what other structures have in the same places.

    Args:
        func: takes a leaf of the first structure, and what the others have in its place: leaves, or whole containers.
        *structures: nested dicts, lists and tuples. The others have the containers of the first one.

    Returns:
        A structure of the shape of the first one, of what `func` returned.

    Raises:
        ValueError: if another structure lacks a container of the first one, or has a different one in its place.
    """
    if structures and all(map(_is_leaf, structures)):
        return func(*structures)
    return optree.tree_map(func, *structures, namespace=NAMESPACE)


def is_nested(structure: Any) -> bool:
    """Return whether `structure` is a container rather than a leaf."""
    return not _is_leaf(structure)


def paths(structure: Any) -> list[str]:
    """Return one readable path a leaf, such as `"['image'][0]"`, for messages."""
    if _is_leaf(structure):
        return [""]
    accessors = optree.tree_accessors(structure, namespace=NAMESPACE)
    return [accessor.codify("") for accessor in accessors]


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise `ValueError`, showing both, when two structures differ; a list and a tuple do.

    Args:
        a: nested dicts, lists and tuples.
        b: another structure.

    Raises:
        ValueError: if they differ.
    """
    left, right = (optree.tree_structure(s, namespace=NAMESPACE) for s in (a, b))
    if left != right:
        raise ValueError(f"Expected two structures of one shape; received {left} and {right}.")

"""Nested structures (dicts, lists, tuples, named tuples) of arrays: a thin layer over `optree`.

`None` is a structure without leaves, as in JAX. A dict's leaves come in the order of its sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

_NAMESPACE = "polykeras"
_leaf_types: dict[type, bool] = {}


def _is_leaf(x: Any) -> bool:
    """Return whether `x` is no container, which depends on its type alone; a look at optree takes longer."""
    kind = type(x)
    known = _leaf_types.get(kind)
    if known is None:
        known = _leaf_types[kind] = x is not None and optree.all_leaves([x], namespace=_NAMESPACE)
    return known


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of `structure` as a flat list."""
    if _is_leaf(structure):
        return [structure]
    return optree.tree_leaves(structure, namespace=_NAMESPACE)


def flatten_with_def(structure: Any) -> tuple[list[Any], Any]:
    """Return the leaves and a definition from which `unflatten` rebuilds the structure."""
    return optree.tree_flatten(structure, namespace=_NAMESPACE)


def unflatten(definition: Any, leaves: Iterable[Any]) -> Any:
    """Rebuild a structure from the definition that `flatten_with_def` gave."""
    return optree.tree_unflatten(definition, leaves)


def interleave(leaves: Iterable[Any], fixed: dict[int, Any]) -> list[Any]:
    """Return one list of leaves: those of `fixed` at their places, the others around them in their order."""
    leaves = list(leaves)
    rest = iter(leaves)
    return [fixed[i] if i in fixed else next(rest) for i in range(len(leaves) + len(fixed))]


def map_structure(fn: Callable[..., Any], *structures: Any) -> Any:
    """Apply `fn` to the matching leaves of one or more structures of one shape.

    Raises:
        ValueError: the structures differ.
    """
    if structures and all(map(_is_leaf, structures)):
        return fn(*structures)
    return optree.tree_map(fn, *structures, namespace=_NAMESPACE)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Call `func` on a structure and on all parts of it, and return the structure with what `func` replaced.

    Args:
        func: takes a part; returns its replacement, or None to leave it.
        structure: nested dicts, lists and tuples.
        top_down: whether a container comes before its parts, which are not visited where it is replaced.

    Example:
        >>> traverse(lambda part: part * 10 if isinstance(part, int) else None, {"a": [1, 2], "b": 3})
        {'a': [10, 20], 'b': 30}
    """
    if top_down:
        replacement = func(structure)
        if replacement is not None:
            return replacement
    whole = structure
    if structure is not None and is_nested(structure):
        parts, metadata, _, rebuild = optree.tree_flatten_one_level(structure, namespace=_NAMESPACE)
        whole = rebuild(metadata, [traverse(func, part, top_down) for part in parts])
    replacement = None if top_down else func(structure)
    return whole if replacement is None else replacement


def is_nested(structure: Any) -> bool:
    """Return whether `structure` is a container rather than a leaf."""
    return not _is_leaf(structure)


def paths(structure: Any) -> list[str]:
    """Return one readable path a leaf, such as `"['image'][0]"`, for messages."""
    if _is_leaf(structure):
        return [""]
    accessors = optree.tree_accessors(structure, namespace=_NAMESPACE)
    return [accessor.codify("") for accessor in accessors]


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise `ValueError`, showing both, when two structures differ."""
    left, right = (optree.tree_structure(s, namespace=_NAMESPACE) for s in (a, b))
    if left != right:
        raise ValueError(f"Expected two structures of one shape; received {left} and {right}.")


def pack_sequence_as(structure: Any, flat: Iterable[Any]) -> Any:
    """Return `flat` packed in the shape of `structure`."""
    return unflatten(optree.tree_structure(structure, namespace=_NAMESPACE), list(flat))

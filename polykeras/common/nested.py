"""Nested structures (dicts, lists, tuples, named tuples) of arrays for our own code: a thin layer over `optree`.

`None` is a structure without leaves, as in JAX. Users have `tree`, where it is a leaf, as in Keras. Our own code uses
`tree` only if a None stands for something, such as an unknown size. The two modules share no functions. Those here
recognize leaves by their type, which is several times faster but holds only if None is not a leaf; those of `tree`
check their arguments. The leaves of a dict come in the order of its sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import optree

C = TypeVar("C")

NAMESPACE = "polykeras"
_leaf_types: dict[type, bool] = {}


def container(cls: type[C]) -> type[C]:
    """Register a subclass of `list` or `dict`, which trees take for a leaf otherwise. They give a plain one back."""
    collection: Any = cls
    if issubclass(cls, list):
        optree.register_pytree_node(collection, lambda x: (x, None), lambda _, parts: list(parts), namespace=NAMESPACE)
    else:
        optree.register_pytree_node(collection, _parts_of_dict, _dict_of, namespace=NAMESPACE)
    return cls


def _dict_of(keys: Any, parts: Iterable[Any]) -> dict[Any, Any]:
    return dict(zip(keys, parts, strict=True))


def _parts_of_dict(x: Any) -> tuple[list[Any], tuple[Any, ...]]:
    keys = tuple(sorted(x))
    return [x[key] for key in keys], keys


def _is_leaf(x: Any) -> bool:
    """Return whether `x` is not a container. The answer depends on the type alone, and is cached: optree is slower."""
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
    """Rebuild a structure from the definition that `flatten_with_def` returned."""
    return optree.tree_unflatten(definition, leaves)


def interleave(leaves: Iterable[Any], fixed: dict[int, Any]) -> list[Any]:
    """Return one list of leaves: those of `fixed` at their indices, the others around them in order."""
    leaves = list(leaves)
    rest = iter(leaves)
    return [fixed[i] if i in fixed else next(rest) for i in range(len(leaves) + len(fixed))]


def map_structure(func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to each leaf of a structure, and to the parts of other structures at the same places.

    Args:
        func: takes a leaf of the first structure, and the parts of the others at its place: leaves or containers.
        *structures: nested dicts, lists and tuples. The others have the containers of the first one.

    Returns:
        A structure like the first one, with the results of `func` as leaves.

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
    """Return one readable path for each leaf, such as `"['image'][0]"`, for messages."""
    if _is_leaf(structure):
        return [""]
    accessors = optree.tree_accessors(structure, namespace=NAMESPACE)
    return [accessor.codify("") for accessor in accessors]


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise a `ValueError` that shows both structures if they differ. A list differs from a tuple.

    Args:
        a: nested dicts, lists and tuples.
        b: another structure.

    Raises:
        ValueError: if they differ.
    """
    left, right = (optree.tree_structure(s, namespace=NAMESPACE) for s in (a, b))
    if left != right:
        raise ValueError(f"Expected two structures of one shape; received {left} and {right}.")

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


class MAP_TO_NONE:
    """What a function given to `traverse` returns to have None in a part's place."""


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = False) -> Any:
    """Apply `func` to the matching leaves of one or more structures of one shape.

    Args:
        func: takes a leaf of each.
        *structures: nested dicts, lists and tuples.
        none_is_leaf: whether None is a leaf too; else it stays.

    Raises:
        ValueError: the structures differ.
    """
    if structures and all(map(_is_leaf, structures)):
        return func(*structures)
    return optree.tree_map(func, *structures, none_is_leaf=none_is_leaf, namespace=_NAMESPACE)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to the parts of structures that lie where `shallow_structure` has its leaves.

    Raises:
        ValueError: a structure does not begin like `shallow_structure`.
    """
    definition = optree.tree_structure(shallow_structure, namespace=_NAMESPACE)
    lists = [definition.flatten_up_to(structure) for structure in structures]
    return unflatten(definition, [func(*parts) for parts in zip(*lists, strict=True)])


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Apply `func` to the shapes (tuples or lists of ints and None) in a structure."""
    if is_shape(structure):
        return func(structure)
    if isinstance(structure, dict):
        return {key: map_shape_structure(func, part) for key, part in structure.items()}
    if isinstance(structure, (list, tuple)):
        parts = [map_shape_structure(func, part) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    raise ValueError(f"Expected a structure of shapes; received {structure!r} ({type(structure).__name__}).")


def is_shape(part: Any) -> bool:
    """Return whether something is a shape: a tuple or list of ints and None."""
    return isinstance(part, (list, tuple)) and all(isinstance(n, (int, type(None))) for n in part)


def lists_to_tuples(structure: Any) -> Any:
    """Return a structure with tuples in place of its lists."""
    return traverse(lambda part: tuple(part) if type(part) is list else None, structure, top_down=False)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the leaves of `structure` with their paths: tuples of indices and keys."""
    found, leaves, _ = optree.tree_flatten_with_path(structure, namespace=_NAMESPACE)
    return [(tuple(path), leaf) for path, leaf in zip(found, leaves, strict=True)]


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Call `func` on a structure and on all parts of it, and return the structure with what `func` replaced.

    Args:
        func: takes a part; returns its replacement, None to leave it, or `MAP_TO_NONE` to have None there.
        structure: nested dicts, lists and tuples.
        top_down: whether a container comes before its parts, which are not visited where it is replaced.

    Example:
        >>> traverse(lambda part: part * 10 if isinstance(part, int) else None, {"a": [1, 2], "b": 3})
        {'a': [10, 20], 'b': 30}
    """
    if top_down:
        replacement = func(structure)
        if replacement is not None:
            return _unless_none(replacement)
    whole = structure
    if structure is not None and is_nested(structure):
        parts, metadata, _, rebuild = optree.tree_flatten_one_level(structure, namespace=_NAMESPACE)
        whole = rebuild(metadata, [traverse(func, part, top_down) for part in parts])
    replacement = None if top_down else func(whole)
    return whole if replacement is None else _unless_none(replacement)


def _unless_none(replacement: Any) -> Any:
    return None if replacement is MAP_TO_NONE or isinstance(replacement, MAP_TO_NONE) else replacement


def is_nested(structure: Any) -> bool:
    """Return whether `structure` is a container rather than a leaf."""
    return not _is_leaf(structure)


def paths(structure: Any) -> list[str]:
    """Return one readable path a leaf, such as `"['image'][0]"`, for messages."""
    if _is_leaf(structure):
        return [""]
    accessors = optree.tree_accessors(structure, namespace=_NAMESPACE)
    return [accessor.codify("") for accessor in accessors]


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise `ValueError`, showing both, when two structures differ.

    Args:
        a: a structure.
        b: another one.
        check_types: kept for Keras code; lists and tuples differ in any case, see `assert_same_paths`.
    """
    left, right = (optree.tree_structure(s, namespace=_NAMESPACE) for s in (a, b))
    if left != right:
        raise ValueError(f"Expected two structures of one shape; received {left} and {right}.")


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise `ValueError` when the leaves of two structures have other paths; a list may be a tuple."""
    left, right = ({path for path, _ in flatten_with_path(structure)} for structure in (a, b))
    if left != right:
        raise ValueError(f"Expected leaves at the same paths; only one structure has {sorted(left ^ right, key=repr)}.")


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """Return `flat_sequence` packed in the shape of `structure`."""
    return unflatten(optree.tree_structure(structure, namespace=_NAMESPACE), list(flat_sequence))

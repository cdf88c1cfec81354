"""Nested structures as users of Keras know them: `None` is a leaf.

Our own code uses `nested`, where `None` is a structure without leaves, unless a None stands for something.
Containers are dicts (whose leaves come in the order of their sorted keys), lists, tuples, named tuples and deques.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

from polykeras.common.nested import NAMESPACE

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


class MAP_TO_NONE:
    """What a function given to `traverse` returns to have None in a part's place."""


def is_nested(structure: Any) -> bool:
    """Return whether `structure` is a container; None is not."""
    return not optree.tree_is_leaf(structure, none_is_leaf=True, namespace=NAMESPACE)


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of `structure` as a flat list.

    Example:
        >>> flatten({"b": [1, None], "a": 2})
        [2, 1, None]
    """
    return optree.tree_leaves(structure, none_is_leaf=True, namespace=NAMESPACE)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the leaves of `structure` with their paths: tuples of indices and keys."""
    paths, leaves, _ = optree.tree_flatten_with_path(structure, none_is_leaf=True, namespace=NAMESPACE)
    return list(zip(paths, leaves, strict=True))


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """Return `flat_sequence` packed in the shape of `structure`.

    Args:
        structure: nested dicts, lists and tuples.
        flat_sequence: a leaf for each of its leaves, in the order of `flatten`.

    Raises:
        ValueError: there are more or fewer leaves than places.
    """
    return optree.tree_unflatten(_definition(structure), flat_sequence)


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply `func` to the matching leaves of one or more structures of one shape.

    Args:
        func: takes a leaf of each.
        *structures: nested dicts, lists and tuples.
        none_is_leaf: whether `func` is applied to None too; else it stays.

    Returns:
        A structure of that shape, of what `func` returned.

    Raises:
        ValueError: there are no structures, or they differ.
    """
    if not structures:
        raise ValueError("map_structure: expected at least one structure after the function; received none.")

    def checked(*leaves: Any) -> Any:
        for leaf in leaves:
            if not optree.tree_is_leaf(leaf, none_is_leaf=none_is_leaf, namespace=NAMESPACE):
                raise ValueError(f"map_structure: expected structures of one shape; received {leaf!r} beside a leaf.")
        return func(*leaves)

    apply = func if len(structures) == 1 else checked
    return optree.tree_map(apply, *structures, none_is_leaf=none_is_leaf, namespace=NAMESPACE)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to the parts of structures that lie where `shallow_structure` has its leaves.

    Args:
        shallow_structure: says how deep to go.
        func: takes a part of each structure.
        *structures: begin like `shallow_structure`, and may go deeper.

    Returns:
        A structure of the shape of `shallow_structure`, of what `func` returned.

    Raises:
        ValueError: there are no structures, or one does not begin like `shallow_structure`.
    """
    if not structures:
        raise ValueError("map_structure_up_to: expected at least one structure after the function; received none.")
    definition = _definition(shallow_structure)
    parts = zip(*(definition.flatten_up_to(structure) for structure in structures), strict=True)
    return optree.tree_unflatten(definition, [func(*those) for those in parts])


def is_shape(part: Any) -> bool:
    """Return whether something is a shape: a tuple or list of ints and None."""
    return isinstance(part, (list, tuple)) and all(isinstance(n, (int, type(None))) for n in part)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Apply `func` to the shapes (tuples or lists of ints and None) in a structure, and to what is no container.

    Args:
        func: takes a shape.
        structure: nested dicts, lists and tuples of shapes.

    Returns:
        The structure, of what `func` returned.
    """
    return optree.tree_map(func, structure, is_leaf=is_shape, none_is_leaf=True, namespace=NAMESPACE)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise `ValueError` when two structures differ; a list and a tuple do.

    Args:
        a: a structure.
        b: another one.
        check_types: kept for Keras code.
    """
    map_structure(lambda *_: None, a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise `ValueError` when the leaves of two structures have other paths; a list may be a tuple.

    Args:
        a: nested dicts, lists and tuples.
        b: another structure.

    Raises:
        ValueError: the paths differ; the message names those that only one structure has.
    """
    left, right = ({path for path, _ in flatten_with_path(structure)} for structure in (a, b))
    if left != right:
        raise ValueError(f"Expected leaves at the same paths; only one structure has {sorted(left ^ right, key=repr)}.")


def _definition(structure: Any) -> Any:
    return optree.tree_structure(structure, none_is_leaf=True, namespace=NAMESPACE)


def lists_to_tuples(structure: Any) -> Any:
    """Return a structure with tuples in place of its lists."""
    return traverse(lambda part: tuple(part) if type(part) is list else None, structure, top_down=False)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Call `func` on a structure and on all parts of it, and return the structure with what `func` replaced.

    Args:
        func: takes a part; returns its replacement, None to leave it, or `MAP_TO_NONE` to have None there.
        structure: nested dicts, lists and tuples.
        top_down: whether a container comes before its parts, which are not visited where it is replaced.

    Returns:
        A new structure; what was not replaced is in it as it was.

    Example:
        >>> traverse(lambda part: part * 10 if isinstance(part, int) else None, {"a": [1, 2], "b": 3})
        {'a': [10, 20], 'b': 30}
    """
    if top_down:
        replacement = func(structure)
        if replacement is not None:
            return _unless_none(replacement)
    whole = structure
    if is_nested(structure):
        parts, metadata, _, rebuild = optree.tree_flatten_one_level(structure, namespace=NAMESPACE)
        whole = rebuild(metadata, [traverse(func, part, top_down) for part in parts])
    replacement = None if top_down else func(whole)
    return whole if replacement is None else _unless_none(replacement)


def _unless_none(replacement: Any) -> Any:
    return None if replacement is MAP_TO_NONE or isinstance(replacement, MAP_TO_NONE) else replacement

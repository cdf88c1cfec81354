"""`polykeras.tree`: nested structures of which None is a leaf, and of which our own `nested` has the other view."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest

from polykeras import tree
from polykeras.common import nested

Pair = namedtuple("Pair", ["x", "y"])
STRUCTURE: Any = {"b": [1, None, (2,)], "a": Pair(None, 3), "c": OrderedDict(z=[], y=4)}


def test_none_is_a_leaf() -> None:
    assert tree.flatten(STRUCTURE) == [None, 3, 1, None, 2, 4]
    assert nested.flatten(STRUCTURE) == [3, 1, 2, 4]
    assert tree.flatten(None) == [None]
    assert not tree.is_nested(None)
    assert tree.is_nested([])
    assert tree.map_structure(lambda x: x is None, [None, 1]) == [True, False]
    assert tree.map_structure(lambda x: x * 2, [None, 1], none_is_leaf=False) == [None, 2]
    assert tree.pack_sequence_as([None, (1, None)], "abc") == ["a", ("b", "c")]
    assert tree.flatten_with_path({"a": [None, 1]}) == [(("a", 0), None), (("a", 1), 1)]


def test_parts_of_structures() -> None:
    assert tree.map_structure_up_to([None, 1], lambda a, b: (a, b), [[1, 2], 3], [4, None]) == [([1, 2], 4), (3, None)]
    assert tree.lists_to_tuples([1, [None, {"a": [2]}]]) == (1, (None, {"a": (2,)}))
    assert tree.map_shape_structure(len, {"a": (None, 3), "b": [(1,), [2, 3, 4]]}) == {"a": 2, "b": [1, 3]}
    assert tree.traverse(lambda x: tree.MAP_TO_NONE if x == 1 else None, [1, [2]]) == [None, [2]]
    tree.assert_same_paths([1, (None,)], (2, [3]))


@pytest.mark.parametrize(
    ("a", "b"), [([1], (1,)), ([1, 2], [1]), ([None], [[1]]), ([1], [[1]]), ({"a": 1}, {"b": 1}), (None, [])]
)
def test_what_differs_is_told(a: Any, b: Any) -> None:
    with pytest.raises(ValueError, match=r"\S{3}"):
        tree.assert_same_structure(a, b)
    with pytest.raises(ValueError, match=r"\S{3}"):
        tree.map_structure(lambda *_: 0, a, b)


def test_no_structures_are_told() -> None:
    for call in (lambda: tree.map_structure(len), lambda: tree.map_structure_up_to([1], len)):
        with pytest.raises(ValueError, match="at least one structure"):
            call()
    with pytest.raises(ValueError, match=r"leaves|elements"):
        tree.pack_sequence_as([1, 2], [1])


def test_ours_goes_by_the_first_structure() -> None:
    assert nested.map_structure(lambda a, b: (a, b), [1, (2,)], [[3, 4], (None,)]) == [(1, [3, 4]), ((2, None),)]
    for first, other in (([1, 2], [1]), ([[1]], [1]), ([1], (1,)), ({"a": 1}, {"b": 1}), (None, 1), ([None], [[]])):
        with pytest.raises(ValueError, match=r"\S{3}"):
            nested.map_structure(lambda *_: 0, first, other)

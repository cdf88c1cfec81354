"""`polykeras.tree` against `keras.tree` on nested structures that are drawn at random, with None among their leaves."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from differential import opponent
from polykeras import tree

pytestmark = pytest.mark.keras

Pair = namedtuple("Pair", ["x", "y"])
leaves = st.none() | st.integers(0, 3) | st.sampled_from(["a", 1.5, True])


def within(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return containers of parts."""
    dicts = st.dictionaries(st.sampled_from("dcab"), parts, max_size=3)
    lists = st.lists(parts, max_size=3)
    return lists | lists.map(tuple) | dicts | dicts.map(OrderedDict) | st.builds(Pair, parts, parts)


structures = st.recursive(leaves, within, max_leaves=8)
shapes = st.recursive(
    st.lists(st.none() | st.integers(0, 3), max_size=3) | st.lists(st.integers(1, 2)).map(tuple), within
)


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return opponent.keras().tree


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call gives, with the types of the containers, or that it refuses."""
    try:
        return repr(call())
    except ValueError:
        return ValueError


def note(x: Any) -> tuple[str, Any]:
    return "seen", x


def both(theirs: Any, name: str, *args: Any) -> None:
    """Raise unless Keras's function and ours give the same."""
    ours = outcome(lambda: getattr(tree, name)(*args))
    assert ours == outcome(lambda: getattr(theirs, name)(*args)), (name, args)


def test_one_structure(theirs: Any) -> None:
    @given(structures)
    def law(x: Any) -> None:
        for name in ("flatten", "is_nested", "flatten_with_path", "lists_to_tuples"):
            both(theirs, name, x)
        both(theirs, "map_structure", note, x)
        both(theirs, "pack_sequence_as", x, list(range(len(tree.flatten(x)))))
        both(theirs, "pack_sequence_as", x, [0, 1])
        for top_down in (True, False):
            for change in (
                lambda part: "list" if isinstance(part, list) else None,
                lambda part: 7 if part is None else None,
            ):
                both(theirs, "traverse", change, x, top_down)
        for none_is_leaf in (True, False):
            ours = tree.map_structure(note, x, none_is_leaf=none_is_leaf)
            assert repr(ours) == repr(theirs.map_structure(note, x, none_is_leaf=none_is_leaf))

    law()


def test_two_structures(theirs: Any) -> None:
    @given(structures, structures)
    def law(x: Any, y: Any) -> None:
        like = tree.map_structure(lambda leaf: 2 if leaf is None else None, x)
        wide = tree.map_structure(lambda leaf: [leaf, None], x)
        for other in (y, x, like, wide):
            both(theirs, "assert_same_structure", x, other)
            both(theirs, "assert_same_paths", x, other)
            both(theirs, "map_structure", lambda a, b: (a, b), x, other)
            if None not in tree.flatten(x):  # which Keras takes for a mistake in a shallow structure, on some backends
                both(theirs, "map_structure_up_to", x, lambda a: [a], other)

    law()


def test_shapes(theirs: Any) -> None:
    @given(shapes)
    def law(x: Any) -> None:
        both(theirs, "map_shape_structure", note, x)

    law()


def test_none_stays_none(theirs: Any) -> None:
    ours = tree.traverse(lambda x: tree.MAP_TO_NONE if x == 1 else None, [1, 2])
    assert ours == theirs.traverse(lambda x: theirs.MAP_TO_NONE if x == 1 else None, [1, 2]) == [None, 2]

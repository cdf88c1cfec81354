"""Batches like one that was looked through are only held against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras.common import nested
from polykeras.training.data.familiar import Familiar
from polykeras.training.data.packs import Pack, Packing
from polykeras.training.data.preparation import Preparation
from polykeras.training.data.sources import make_source
from training.numbered_batches import numbered, values

X = np.ones((4, 3), "float32")
Y = np.zeros((4, 1), "float64")
W = np.ones(4, "float32")


def known(*parts: Any) -> Familiar:
    """Return what is known of a batch whose labels become float32."""
    found = Familiar.of(parts, tuple(part.astype("float32") for part in parts))
    assert found is not None
    return found


def test_a_batch_like_the_first_one_becomes_what_that_became() -> None:
    arrays = known(X, Y).arrays((2 * X, Y + 3))
    assert arrays is not None
    assert [array.dtype for array in arrays] == [np.float32, np.float32]
    np.testing.assert_array_equal(arrays[0], 2 * X)
    np.testing.assert_array_equal(arrays[1], Y + 3)


@pytest.mark.parametrize(
    "batch",
    [[X, Y], (X,), (X, Y, W), (X[:3], Y[:3]), (X.astype("int8"), Y), (X, None), (X.tolist(), Y), X],
    ids=["a list", "a part less", "a part more", "rows", "dtype", "no labels", "a list of numbers", "an array"],
)
def test_another_batch_is_not_known(batch: Any) -> None:
    assert known(X, Y).arrays(batch) is None


def test_what_a_packing_does_not_hold_is_not_known_to_it() -> None:
    """It is known by a batch that fitted, whatever came besides."""
    y = Y.astype("float32")
    for parts, fits in [((X, Y), True), ((X,), False), ((X, Y, W), False), ((X[:3], Y[:3]), False), ((Y, X), False)]:
        packing = Packing((X, y), 2)
        assert packing.familiar_leaves(parts) is None
        packing.note((X, Y), (X, y))
        assert (packing.familiar_leaves(parts) is not None) == fits
    structured = Packing(({"a": X}, y), 2)
    structured.note(({"a": X}, Y), ({"a": X}, y))
    assert structured.familiar_leaves((X, Y)) is None
    weighted = Packing((X, None, W), 2)
    weighted.note((X, None, W), (X, None, W))
    assert weighted.familiar_leaves((X, W)) is None


def test_a_batch_of_which_more_is_made_does_not_tell_enough() -> None:
    """Weights that come of the labels' classes."""
    assert Familiar.of((X, Y), (X, Y, W)) is None


def test_batches_of_all_kinds_come_as_they_are_and_in_order() -> None:
    kinds: list[Any] = [
        lambda i: (np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32")),
        lambda i: (np.full((3, 2), i, "float64"), np.full((3, 1), -i, "int64")),
        lambda i: [np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32")],
        lambda i: (np.full((2, 2), i, "float32"), np.full((2, 1), -i, "float32")),
        lambda i: (np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32"), np.ones(3, "float32")),
    ]
    items = [kinds[(i // 30) % 2 if i < 200 else i % len(kinds)](i) for i in range(400)]
    found: list[Any] = []
    for item in make_source(iter(items)).packs():
        if isinstance(item, Pack):
            found += [nested.map_structure(np.array, item.batch(i)) for i in range(item.count)]
            item.release()
        else:
            found.append(item)
    assert len(found) == len(items)
    for ours, item in zip(found, items, strict=True):
        np.testing.assert_array_equal(ours[0], item[0])
        np.testing.assert_array_equal(ours[1], item[1])
        assert type(ours) is tuple
        assert len(ours) == len(item)
        assert ours[0].dtype == np.float32


def test_of_many_batches_few_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come before packing begins: a few, as the thread fetches ahead."""
    prepared: list[Any] = []
    prepare = Preparation.__call__

    def counted(self: Any, batch: Any) -> Any:
        prepared.append(batch)
        return prepare(self, batch)

    monkeypatch.setattr(Preparation, "__call__", counted)
    assert values(make_source(iter(numbered(300))))[0] == list(range(300))
    assert 1 <= len(prepared) < 10


def test_an_error_of_a_batch_that_is_not_known_is_the_readers() -> None:
    def batches() -> Iterator[Any]:
        yield from numbered(100)
        yield np.array(["a"]), np.zeros((1, 1), "float32")

    with pytest.raises(ValueError, match="expected numbers"):
        values(make_source(batches()))


def test_an_error_of_a_batch_that_is_known_is_the_readers() -> None:
    def batches() -> Iterator[Any]:
        for i in range(200):
            yield np.full((3, 2), i, "float32"), np.full((3, 1), 2**40 if i == 150 else i, "int64")

    found: list[int] = []
    with pytest.raises(ValueError, match="y: integers beyond 32 bits"):
        for item in make_source(batches()).packs():
            found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)]
            item.release()
    assert found == list(range(150))


def test_weights_of_classes_come_with_each_packed_batch() -> None:
    items = [(np.full((2, 1), i, "float32"), np.array([i % 2, 0], "int32")) for i in range(200)]
    count = 0
    for item in make_source(iter(items), class_weight={0: 1.0, 1: 3.0}).packs():
        assert isinstance(item, Pack)
        for i in range(item.count):
            np.testing.assert_array_equal(item.batch(i)[2], [3.0 if (count + i) % 2 else 1.0, 1.0])
        count += item.count
        item.release()
    assert count == 200

"""What becomes of a batch of a stream before a step gets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras.training.data.batches import prepared
from polykeras.training.data.sources import make_source
from training.numbered_batches import batches_in

X = np.ones((4, 3), "float32")
Y = np.zeros((4, 1), "float64")
W = np.ones(4, "float32")


@pytest.mark.parametrize(
    ("batch", "expected"),
    [(X, X), ([X, Y], (X, Y)), ((X,), (X,)), (({"a": X}, Y), ({"a": X}, Y)), ((X, None, W), (X, None, W))],
    ids=["an array", "a list", "one part", "a dict", "no labels"],
)
def test_a_batch_keeps_its_parts(batch: Any, expected: Any) -> None:
    found = prepared(batch)
    assert type(found.data) is type(expected)
    assert repr(found.data) == repr(prepared(expected).data)
    assert all(leaf.dtype == np.float32 for leaf in found.leaves)


def test_arrays_of_the_right_dtype_are_not_copied() -> None:
    x, y = prepared((X, Y)).data
    assert np.shares_memory(x, X)
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    "other",
    [(X,), (X, Y, W), (X[:3], Y[:3]), (X.astype("int8"), Y), (X, None), ({"a": X}, Y), ((X,), Y), X],
    ids=["a part less", "a part more", "rows", "dtype", "no labels", "a dict", "a tuple", "an array"],
)
def test_signatures_tell_batches_apart(other: Any) -> None:
    known = prepared((X, Y)).signature
    assert prepared(other).signature != known
    assert prepared([2 * X, Y.astype("float32")]).signature == known  # what becomes the same is the same


def test_lengths_are_compared_where_a_signature_is_new() -> None:
    known = prepared((X, Y)).signature
    with pytest.raises(ValueError, match=r"same number of samples; received x: 4, y: 3"):
        prepared((X, Y[:3]), known=known)


def test_batches_of_all_kinds_come_as_they_are_and_in_order() -> None:
    kinds: list[Any] = [
        lambda i: (np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32")),
        lambda i: (np.full((3, 2), i, "float64"), np.full((3, 1), -i, "int64")),
        lambda i: [np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32")],
        lambda i: (np.full((2, 2), i, "float32"), np.full((2, 1), -i, "float32")),
        lambda i: (np.full((3, 2), i, "float32"), np.full((3, 1), -i, "float32"), np.ones(3, "float32")),
    ]
    items = [kinds[(i // 30) % 2 if i < 200 else i % len(kinds)](i) for i in range(400)]
    source = make_source(iter(items))
    found = [tuple(map(np.array, batch)) for part in source.read_epoch(1) for batch in batches_in(part)]  # type: ignore[union-attr]
    source.close()
    assert len(found) == len(items)
    for ours, item in zip(found, items, strict=True):
        np.testing.assert_array_equal(ours[0], item[0])
        np.testing.assert_array_equal(ours[1], item[1])
        assert len(ours) == len(item)
        assert ours[0].dtype == np.float32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((np.array(["a"]), np.zeros((1, 1), "float32")), "expected numbers"),
        ((np.ones((3, 2), "float32"), np.full((3, 1), 2**40)), "y: integers beyond 32 bits"),
        ((np.ones((3, 2), "float32"), np.zeros((2, 1), "float32")), "same number of samples"),
        ((np.full((3, 2), np.nan, "float32"), np.zeros((3, 1), "int64")), "x contains nan in 3 of 3"),
    ],
)
def test_an_error_of_a_batch_comes_in_its_place(wrong: Any, message: str) -> None:
    def batches() -> Iterator[Any]:
        for i in range(200):
            yield wrong if i == 150 else (np.full((3, 2), i, "float32"), np.full((3, 1), i, "int64"))

    found: list[int] = []
    source = make_source(batches())
    with pytest.raises(ValueError, match=message):
        for part in source.read_epoch(1):  # type: ignore[union-attr]
            found += [int(x[0, 0]) for x, _ in batches_in(part)]
    source.close()
    assert found == list(range(150))


def test_weights_of_classes_come_with_each_batch() -> None:
    items = [(np.full((2, 1), i, "float32"), np.array([i % 2, 0], "int32")) for i in range(200)]
    source = make_source(iter(items), class_weight={0: 1.0, 1: 3.0})
    found = [np.array(batch[2]) for part in source.read_epoch(1) for batch in batches_in(part)]  # type: ignore[union-attr]
    source.close()
    assert [weights.tolist() for weights in found] == [[3.0 if i % 2 else 1.0, 1.0] for i in range(200)]

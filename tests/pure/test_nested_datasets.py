"""Data sets of data sets, and reading one to its end. Expected values are those of `tf.data` for the same calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras.utils.data.pipeline import Dataset


def numbers(count: int) -> Dataset:
    return Dataset.from_tensor_slices(np.arange(count))


def listed(dataset: Dataset) -> list[Any]:
    return [np.asarray(element).tolist() for element in dataset]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"size": 3}, [[0, 1, 2], [3, 4, 5], [6]]),
        ({"size": 3, "drop_remainder": True}, [[0, 1, 2], [3, 4, 5]]),
        ({"size": 3, "shift": 1}, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6], [6]]),
        ({"size": 3, "shift": 2, "drop_remainder": True}, [[0, 1, 2], [2, 3, 4], [4, 5, 6]]),
        ({"size": 2, "shift": 1, "stride": 3}, [[0, 3], [1, 4], [2, 5], [3, 6], [4], [5], [6]]),
        ({"size": 2, "shift": 4}, [[0, 1], [4, 5]]),
        ({"size": 9, "drop_remainder": True}, []),
    ],
)
def test_windows(arguments: dict[str, Any], expected: list[Any]) -> None:
    windows = numbers(7).window(**arguments)
    assert len(windows) == len(expected)
    assert [listed(window) for window in windows] == expected
    assert listed(windows.flat_map(lambda window: window)) == [x for window in expected for x in window]


def test_windows_of_pairs_become_batches() -> None:
    pairs = Dataset.from_tensor_slices((np.arange(4), np.arange(4) * 10)).window(2, shift=1, drop_remainder=True)
    batches = pairs.flat_map(lambda x, y: Dataset.zip(x.batch(2), y.batch(2)))
    assert [(x.tolist(), y.tolist()) for x, y in batches] == [([i, i + 1], [10 * i, 10 * i + 10]) for i in range(3)]


def test_interleave() -> None:
    def repeated(x: Any) -> Dataset:
        return Dataset.from_tensor_slices(np.array([x])).repeat(6)

    one_to_five = numbers(6).skip(1)
    assert listed(one_to_five.interleave(repeated, cycle_length=2, block_length=4)) == [
        *(1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5)
    ]
    assert sorted(listed(one_to_five.interleave(repeated))) == sorted([1, 2, 3, 4, 5] * 6)


def test_rebatch_and_reduce() -> None:
    assert listed(numbers(7).batch(3).rebatch(2)) == [[0, 1], [2, 3], [4, 5], [6]]
    assert listed(numbers(7).batch(3).rebatch(2, drop_remainder=True)) == [[0, 1], [2, 3], [4, 5]]
    assert numbers(5).reduce(np.int64(0), lambda state, x: state + x).numpy() == 10
    pairs = Dataset.from_tensor_slices((np.arange(3), np.arange(3)))
    total, count = pairs.reduce((0, 0), lambda state, pair: (state[0] + pair[0] * pair[1], state[1] + 1))
    assert (int(total), int(count)) == (5, 3)


def test_element_spec() -> None:
    data = Dataset.from_tensor_slices({"x": np.zeros((5, 2), "float32"), "y": np.arange(5)})
    assert data.element_spec == {"x": ((2,), np.float32), "y": ((), np.int64)}
    spec = data.batch(2).element_spec["x"]
    assert spec.shape == (None, 2)
    assert spec.dtype.name == "float32"
    assert data.batch(2).unbatch().element_spec["x"].shape == (2,)
    with pytest.raises(ValueError, match="no elements"):
        _ = data.take(0).element_spec

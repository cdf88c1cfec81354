"""The data sets that builders return: their methods, their lengths, their orders."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from polykeras.backend import registry, use_backend
from polykeras.utils import split_dataset, timeseries_dataset_from_array
from polykeras.utils.data.pipeline import INFINITE, UNKNOWN, Dataset


def numbers(count: int) -> Dataset:
    return Dataset.from_tensor_slices(np.arange(count))


def listed(dataset: Dataset) -> list[Any]:
    return [np.asarray(element).tolist() for element in dataset]


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (numbers(3), [0, 1, 2]),
        (numbers(3).map(lambda x: x + 1), [1, 2, 3]),
        (numbers(5).batch(2), [[0, 1], [2, 3], [4]]),
        (numbers(5).batch(2, drop_remainder=True), [[0, 1], [2, 3]]),
        (numbers(5).batch(2).unbatch(), [0, 1, 2, 3, 4]),
        (numbers(4).take(2), [0, 1]),
        (numbers(4).take(-1), [0, 1, 2, 3]),
        (numbers(4).take(9), [0, 1, 2, 3]),
        (numbers(4).skip(3), [3]),
        (numbers(4).skip(9), []),
        (numbers(4).skip(-1), []),
        (numbers(2).repeat(2), [0, 1, 0, 1]),
        (numbers(2).repeat(0), []),
        (numbers(2).repeat().take(5), [0, 1, 0, 1, 0]),
        (numbers(2).concatenate(numbers(1)), [0, 1, 0]),
        (numbers(2).cache().prefetch(-1), [0, 1]),
        (numbers(5).filter(lambda x: x % 2), [1, 3]),
        (numbers(2).enumerate(5).map(lambda i, x: i * 10 + x), [50, 61]),
        (Dataset.zip(numbers(3), numbers(2).repeat()).map(lambda a, b: a * 10 + b), [0, 11, 20]),
        (Dataset.zip((numbers(3), numbers(2))).map(lambda a, b: a + b), [0, 2]),
    ],
)
def test_methods(dataset: Dataset, expected: list[Any]) -> None:
    assert listed(dataset) == expected
    assert listed(dataset) == expected
    assert dataset.cardinality() in (len(expected), UNKNOWN)
    if dataset.cardinality() != UNKNOWN:
        assert len(dataset) == len(expected)
    assert dataset


def test_unknown_lengths() -> None:
    assert numbers(3).repeat().cardinality() == INFINITE
    with pytest.raises(TypeError, match="no end"):
        len(numbers(3).repeat())
    with pytest.raises(TypeError, match="no known length"):
        len(numbers(3).filter(bool))


def test_trees_and_texts() -> None:
    rows = {"a": np.arange(3), "b": (np.ones((3, 2)), ["x", "yy", "z"])}
    batches = list(Dataset.from_tensor_slices(rows | {"b": (rows["b"][0], np.array(rows["b"][1]))}).batch(2))
    assert batches[0]["a"].tolist() == [0, 1]
    assert batches[0]["b"][0].shape == (2, 2)
    assert batches[1]["b"][1].tolist() == ["z"]
    with pytest.raises(ValueError, match="one length"):
        Dataset.from_tensor_slices((np.ones(2), np.ones(3)))


def test_arrays_answer_as_those_of_tf_data() -> None:
    (image, label), *_ = Dataset.from_tensor_slices((np.ones((2, 4)), np.arange(2))).batch(2)
    assert type(image.numpy()) is np.ndarray
    assert type(image[0].numpy()) is np.ndarray
    assert label.numpy().tolist() == [0, 1]


def test_batches_of_unequal_arrays() -> None:
    rows = Dataset(lambda: iter([np.ones((2, 1)), np.ones((3, 1)), np.ones((1, 1))]), 3)
    assert [batch[..., 0].tolist() for batch in rows.padded_batch(2)] == [[[1, 1, 0], [1, 1, 1]], [[1]]]
    ragged = list(rows.ragged_batch(2))
    assert [part.shape for part in ragged[0]] == [(2, 1), (3, 1)]


def test_orders() -> None:
    shuffled = numbers(50).shuffle(50, seed=3)
    first, second = listed(shuffled), listed(shuffled)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert listed(numbers(50).shuffle(50, seed=3)) == first
    assert listed(numbers(50).shuffle(50, seed=4)) != first
    fixed = numbers(50).shuffle(50, seed=3, reshuffle_each_iteration=False)
    assert listed(fixed) == listed(fixed)
    near = listed(numbers(50).shuffle(5))
    assert sorted(near) == list(range(50))
    assert all(i - value <= 45 and value - i <= 4 for i, value in enumerate(near))


def test_nothing_is_computed_twice_behind_a_cache() -> None:
    calls: list[int] = []
    cached = numbers(3).map(lambda x: calls.append(int(x)) or x).cache("somewhere")
    assert listed(cached.take(1)) == [0]  # which does not read it to its end
    assert listed(cached) == listed(cached) == [0, 1, 2]
    assert calls == [0, 0, 1, 2]


def test_threads_keep_the_order_and_the_backend() -> None:
    seen: set[int] = set()
    barrier = threading.Barrier(2, timeout=20)

    def slow(x: Any) -> Any:
        seen.add(threading.get_ident())
        barrier.wait()
        return x, registry.current().name == "numpy"

    with use_backend("numpy"):
        result = list(numbers(6).map(slow, num_parallel_calls=2))
    assert [int(x) for x, _ in result] == list(range(6))
    assert all(same for _, same in result)
    assert len(seen) == 2


def test_errors_in_threads_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        list(numbers(6).map(lambda x: 1 // int(x), num_parallel_calls=-1))


# ---- windows and parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling_rate": 0}, "`sampling_rate` must be above 0"),
        ({"sequence_stride": 10}, "`sequence_stride` must be above 0"),
        ({"start_index": 10}, "`start_index`"),
        ({"start_index": 5, "end_index": 5}, "`end_index`"),
        ({"end_index": 10}, "`end_index`"),
        ({"format": "torch"}, "`format`"),
    ],
)
def test_what_is_wrong_with_windows(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(np.arange(10), None, 3, **options)


def test_windows_are_shuffled_with_their_targets() -> None:
    windows = timeseries_dataset_from_array(np.arange(100), np.arange(100), 5, shuffle=True, seed=1, batch_size=None)
    first = [(x.tolist(), int(y)) for x, y in windows]
    assert all(x == list(range(y, y + 5)) for x, y in first)
    places = [y for _, y in first]
    assert sorted(places) == list(range(96)) != places
    assert [int(y) for _, y in windows] != places


def test_parts_hold_what_they_should() -> None:
    left, right = split_dataset(numbers(10).batch(4), left_size=7)
    assert (listed(left), listed(right)) == ([[0, 1, 2, 3], [4, 5, 6]], [[7, 8, 9]])
    left, right = split_dataset([np.arange(4), np.arange(4) * 2], right_size=0.25)
    assert [(int(a), int(b)) for a, b in right] == [(3, 6)]
    assert len(left) == 3
    left, right = split_dataset(np.arange(10), left_size=0.3, right_size=0.3)
    assert (listed(left), listed(right)) == ([0, 1, 2], [7, 8, 9])
    left, right = split_dataset(np.arange(30), left_size=10, shuffle=True, seed=2)
    assert sorted(listed(left) + listed(right)) == list(range(30))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.arange(4),), ValueError, "pass `left_size`"),
        ((np.arange(4), 4), ValueError, "`left_size` must be an int above 0"),
        ((np.arange(4), None, 1.0), ValueError, "`right_size` must be"),
        ((np.arange(4), "2"), TypeError, "`left_size` must be an int, a float"),
        ((np.arange(4), 3, 2), ValueError, "parts of 3 and 2"),
        ((np.arange(4), 0.1), ValueError, "parts of 0 and 4"),
        (((np.arange(4), np.arange(3)), 2), ValueError, "one length"),
        ((np.arange(0), 2), ValueError, "empty"),
        (({1, 2}, 1), TypeError, "must be arrays, a Dataset"),
    ],
)
def test_what_is_wrong_with_parts(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        split_dataset(*arguments)

"""Datasets and loaders of grain as data: the package itself where it is installed, and what it promises where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers as L
from polykeras.backend import Backend

X = np.random.default_rng(0).standard_normal((20, 3)).astype("float32")
Y = X @ np.array([[1.0], [-1.0], [0.5]], "float32")


class Rows:
    """What grain calls a random access data source."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, place: int) -> Any:
        return X[place], Y[place]


class MapDataset:
    """What a `grain.MapDataset` of batches has: a length, batches by their number, and iteration."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, place: int) -> Any:
        if place >= len(self):
            raise IndexError(place)
        rows = slice(4 * place, 4 * place + 4)
        return X[rows], Y[rows]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


class IterDataset:
    """What a `grain.IterDataset` and a `grain.DataLoader` have: iteration from the start, as often as asked."""

    def __iter__(self) -> Iterator[Any]:
        return iter(MapDataset())


def grain_map() -> Any:
    return pytest.importorskip("grain").MapDataset.source(Rows()).batch(4)


def grain_loader() -> Any:
    grain = pytest.importorskip("grain.python")
    sampler = grain.SequentialSampler(len(X), grain.NoSharding())
    return grain.DataLoader(data_source=Rows(), sampler=sampler, operations=[grain.Batch(4)], worker_count=0)


SOURCES: dict[str, Callable[[], Any]] = {
    "like a map": MapDataset,
    "like an iterable": IterDataset,
    "grain map": grain_map,
    "grain iterable": lambda: grain_map().to_iter_dataset(),
    "grain loader": grain_loader,
}


def model() -> Any:
    made = keras.Sequential([L.Input((3,)), L.Dense(1, kernel_initializer="ones")])
    made.compile(keras.optimizers.SGD(0.1), "mse")
    return made


@pytest.mark.parametrize("kind", SOURCES)
def test_it_trains_as_arrays_do(kind: str, backend: Backend) -> None:
    data, ours, other = SOURCES[kind](), model(), model()
    expected = other.fit(X, Y, batch_size=4, epochs=3, shuffle=False, validation_data=(X, Y), verbose=0).history
    found = ours.fit(data, epochs=3, validation_data=data, verbose=0).history
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4)
    assert ours.evaluate(data, verbose=0) == pytest.approx(other.evaluate(X, Y, verbose=0), rel=1e-4)
    np.testing.assert_allclose(ours.predict(data, verbose=0), other.predict(X, verbose=0), rtol=1e-4, atol=1e-5)

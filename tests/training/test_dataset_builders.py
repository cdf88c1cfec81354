"""Data sets that builders return, on each backend: `fit`, `evaluate` and `predict` take them."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.preprocessing.image import ImageDataGenerator
from polykeras.utils import timeseries_dataset_from_array

SERIES = np.sin(np.arange(60) / 3).astype("float32")


def test_windows_train_as_arrays_do(backend: Backend) -> None:
    windows = timeseries_dataset_from_array(SERIES, SERIES[5:], 5, batch_size=8)
    rows = np.stack([SERIES[i : i + 5] for i in range(55)])
    losses = []
    for data in ((windows,), (rows, SERIES[5:])):
        model = Sequential([layers.Input((5,)), layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        history = model.fit(*data, epochs=2, batch_size=None if len(data) == 1 else 8, shuffle=False, verbose=0)
        losses.append([*history.history["loss"], model.evaluate(*data, verbose=0)])
        assert model.predict(data[0], verbose=0).shape == (55, 1)
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_functions_of_the_backend_map_over_them(backend: Backend) -> None:
    windows = timeseries_dataset_from_array(SERIES, SERIES[5:], 5, batch_size=8)
    layer = layers.Rescaling(2.0)
    mapped = windows.map(lambda x, y: (layer(x), ops.square(y)), num_parallel_calls=2)
    for (x, y), (twice, square) in zip(windows, mapped, strict=True):
        assert isinstance(twice, np.ndarray)
        np.testing.assert_allclose(twice, 2 * x)
        np.testing.assert_allclose(square, y**2, rtol=1e-6)


def test_data_without_end_need_a_number_of_steps(backend: Backend) -> None:
    model = Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    endless = timeseries_dataset_from_array(SERIES, SERIES[5:], 5, batch_size=8, shuffle=True).repeat()
    assert len(model.fit(endless, steps_per_epoch=9, epochs=2, verbose=0).history["loss"]) == 2
    with pytest.raises(TypeError, match="no end"):
        len(endless)


@pytest.mark.parametrize("shuffle", [False, True])
def test_images_changed_at_random_train(backend: Backend, shuffle: bool) -> None:
    flow = ImageDataGenerator(rescale=0.1, horizontal_flip=True).flow(
        np.random.default_rng(0).normal(size=(10, 4, 4, 1)), np.arange(10.0), batch_size=4, shuffle=shuffle, seed=1
    )
    model = Sequential([layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(flow, epochs=2, verbose=0).history["loss"]) == 2
    assert model.predict(flow, verbose=0).shape == (10, 1)
    assert np.isfinite(model.evaluate(flow, verbose=0))

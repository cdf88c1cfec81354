"""Layers that draw: the same bits on every backend, eagerly and compiled, step after step and epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import polykeras
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import Backend, use_backend
from polykeras.utils import set_random_seed

ONES = np.ones((4, 6, 5), "float32")
DRAWING: dict[str, Callable[[], L.Layer]] = {
    "dropout": lambda: L.Dropout(0.3),
    "shared": lambda: L.Dropout(0.3, noise_shape=(None, 1, None)),
    "spatial": lambda: L.SpatialDropout1D(0.5),
    "alpha": lambda: L.AlphaDropout(0.3),
    "recurrent": lambda: L.SimpleRNN(
        5, "linear", False, "identity", "identity", dropout=0.4, recurrent_dropout=0.4, return_sequences=True
    ),
}
"""Layers whose results on ones are exact: sums of few masks."""


def draw(make: Callable[[], L.Layer], backend: Backend, times: int, compiled: bool) -> list[np.ndarray]:
    """Return what a layer of the seed 5 gives in its first calls."""
    set_random_seed(5)
    with use_backend(backend):
        layer = make()
        layer(ONES)

        def call(x: Any) -> Any:
            return layer(x, training=True)

        run = polykeras.function(call) if compiled else call
        return [ops.convert_to_numpy(run(ONES)) for _ in range(times)]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", DRAWING)
def test_masks_are_the_same_bits(name: str, compiled: bool, all_backends: list[Backend]) -> None:
    reference = draw(DRAWING[name], all_backends[0], 3, compiled=False)
    assert len({array.tobytes() for array in reference}) == 3, "each step draws a mask of its own"
    for backend in all_backends:
        for actual, expected in zip(draw(DRAWING[name], backend, 3, compiled), reference, strict=True):
            if name == "recurrent":
                assert_array_equal(actual == 0, expected == 0)
                assert_allclose(actual, expected, rtol=1e-6)
            else:
                assert_array_equal(actual, expected)


def test_normal_noise_is_close(all_backends: list[Backend]) -> None:
    for make in (lambda: L.GaussianNoise(0.5), lambda: L.GaussianDropout(0.3)):
        reference = draw(make, all_backends[0], 2, compiled=False)
        assert np.abs(reference[0] - reference[1]).max() > 0.1
        for backend in all_backends:
            for actual, expected in zip(draw(make, backend, 2, compiled=True), reference, strict=True):
                assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_epochs_draw_the_same_masks(all_backends: list[Backend]) -> None:
    results = []
    for backend in all_backends:
        set_random_seed(6)
        with use_backend(backend):
            layers = [L.Dropout(0.4), L.LSTM(3, dropout=0.3), L.GaussianNoise(0.1), L.Dense(1)]
            model = polykeras.Sequential([L.Input((6, 5)), *layers])
            model.compile("sgd", "mse")
            x = np.linspace(-1, 1, 16 * 30, dtype="float32").reshape(16, 6, 5)
            model.fit(x, x[:, 0, :1], batch_size=4, epochs=2, shuffle=False, verbose=0)
            seeds = [layer.seed_generator.state.numpy() for layer in (layers[0], layers[1].cell, layers[2])]
            results.append((seeds, model.get_weights()))
    for seeds, weights in results:
        assert [int(seed[2]) for seed in seeds] == [8, 8, 8], "one key for each of 2 x 4 steps"
        for actual, expected in zip(seeds, results[0][0], strict=True):
            assert_array_equal(actual, expected)
        for actual, expected in zip(weights, results[0][1], strict=True):
            assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_dropout_keeps_the_expected_sum() -> None:
    ones = np.ones((500, 200), "float32")
    for make in (lambda: L.Dropout(0.3, seed=1), lambda: L.GaussianDropout(0.3, seed=1)):
        y = ops.convert_to_numpy(make()(ones, training=True))
        assert abs(y.mean() - 1) < 0.01
        assert abs(y.var() - 0.3 / 0.7) < 0.01
    values = np.unique(ops.convert_to_numpy(L.Dropout(0.3, seed=1)(ones, training=True)))
    assert_allclose(values, [0, 1 / 0.7], rtol=1e-6)


def test_nothing_is_drawn_unless_training() -> None:
    for layer in (
        L.Dropout(0.5),
        L.SpatialDropout1D(0.5),
        L.GaussianNoise(1.0),
        L.GaussianDropout(0.5),
        L.AlphaDropout(0.5),
    ):
        assert_array_equal(ops.convert_to_numpy(layer(ONES)), ONES)
        assert_array_equal(ops.convert_to_numpy(layer(ONES, training=False)), ONES)
        assert int(layer.seed_generator.state.numpy()[2]) == 0
    assert_array_equal(ops.convert_to_numpy(L.Dropout(0.0)(ONES, training=True)), ONES)
    for layer in (L.Dropout(1.0), L.AlphaDropout(1.0)):
        assert_array_equal(ops.convert_to_numpy(layer(ONES, training=True)), 0 * ONES)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(0).standard_normal((500, 400)).astype("float32")
    y = ops.convert_to_numpy(L.AlphaDropout(0.3, seed=1)(x, training=True))
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02
    # Klambauer et al.: dropped are those that came to the value of selu's limit, -1.7580993, before scale and shift.
    a = (0.7 * (1 + 0.3 * 1.7580993**2)) ** -0.5
    dropped = a * -1.7580993 * 0.7
    assert abs(np.isclose(y, dropped, rtol=1e-5).mean() - 0.3) < 0.01
    kept = ~np.isclose(y, dropped, rtol=1e-5)
    assert_allclose(y[kept], a * x[kept] + a * 1.7580993 * 0.3, rtol=1e-4, atol=1e-5)


def test_spatial_dropout_drops_whole_channels() -> None:
    for make, axes in (
        (lambda: L.SpatialDropout1D(0.5), (1,)),
        (lambda: L.SpatialDropout2D(0.5), (1, 2)),
        (lambda: L.SpatialDropout2D(0.5, "channels_first"), (2, 3)),
        (lambda: L.SpatialDropout3D(0.5), (1, 2, 3)),
        (lambda: L.SpatialDropout3D(0.5, "channels_first"), (2, 3, 4)),
    ):
        layer = make()
        y = ops.convert_to_numpy(layer(np.ones((6, 4, 5, 4, 5)[: layer.input_spec.ndim], "float32"), training=True))
        assert_array_equal(y.min(axes), y.max(axes))
        assert sorted(np.unique(y)) == [0, 2]

"""Weights of -1, 0 and 1: `TernaryDense`, and `quantize("ternary")`. Numbers are those of Keras 3.16's nightly of 2026-10-27."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import polykeras as keras
from polykeras import autodiff, ops, quantizers
from polykeras import layers as L
from polykeras.backend import Backend

X = np.float32([[1, 2, -1], [0.5, -1, 3]])
KERNEL = np.float32([[0.9, -0.1, 0.3, -0.6], [-0.2, 0.7, 0.05, 0.4], [0.35, -0.8, -0.45, 0.15]])
BIAS = np.float32([0.1, 0, -0.2, 0.3])

RECORDED: dict[float | None, Any] = {
    None: {
        "outputs": [[0.1, 1.25, 0.6333334, 0.7166667], [1.5583334, -1.6666667, -1.2416668, -0.325]],
        "gradient": [
            [4.306945, -3.2270837, 3.5847225, -3.1125002],
            [-4.70625, 7.0465283, 5.664584, 5.0395837],
            [7.3868065, -8.7826395, -7.2062507, 2.1645834],
        ],
        "packed": [[104], [151], [110]],
        "scale": 0.4166667,
    },
    0.4: {
        "outputs": [[1.1, 3, 0.8, -0.7], [0.6, -4, -3.2, -0.2]],
        "gradient": [[2.8, 2, -1.6, -1.6], [3.2, 20, 9.6, -2.4], [1.4, -30, -20.8, 0.2]],
        "packed": [[95], [124], [109]],
        "scale": 1,
    },
}


def made(threshold: float | None = None, **kwargs: Any) -> L.TernaryDense:
    layer = L.TernaryDense(4, threshold, **kwargs)
    layer.build((None, 3))
    layer.set_weights([KERNEL, BIAS])
    return layer


@pytest.mark.parametrize("threshold", RECORDED)
def test_numbers_and_gradients(threshold: float | None, backend: Backend) -> None:
    layer, recorded = made(threshold), RECORDED[threshold]
    outputs = backend.to_numpy(layer(X))
    assert_allclose(outputs, recorded["outputs"], rtol=1e-5, atol=1e-6)
    _, (gradient,) = autodiff.value_and_grad(lambda: ops.sum(layer(X) ** 2), [layer._kernel])()
    assert_allclose(backend.to_numpy(gradient), recorded["gradient"], rtol=1e-5, atol=1e-5)
    # The formulas of the docstring.
    signs = np.sign(KERNEL) * (np.abs(KERNEL) > (np.abs(KERNEL).mean() / 2 if threshold is None else threshold))
    scale = np.abs(KERNEL).mean() if threshold is None else 1
    g = 2 * (scale * (X @ signs) + BIAS)
    by_formula = scale * X.T @ g
    if threshold is None:
        by_formula += np.sum(g * (X @ signs)) * np.sign(KERNEL) / KERNEL.size
    assert_allclose(backend.to_numpy(gradient), by_formula, rtol=1e-5, atol=1e-5)
    layer.quantize("ternary")
    assert_allclose(backend.to_numpy(layer(X)), outputs, rtol=1e-6, atol=1e-6)
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    packed, bias, scale = (np.asarray(store[str(i)]) for i in range(3))
    assert (packed.dtype, scale.shape) == (np.uint8, ())
    assert_array_equal(packed, recorded["packed"])
    assert_array_equal(bias, BIAS)
    assert_allclose(scale, recorded["scale"], rtol=1e-6)


@pytest.mark.parametrize("threshold", [np.float32(0.5), np.float64(0.5), np.int64(1), 1, 0])
def test_a_threshold_is_any_number(threshold: Any, backend: Backend) -> None:
    layer = made(threshold)
    assert_allclose(
        backend.to_numpy(layer(X)), X @ (np.sign(KERNEL) * (np.abs(KERNEL) > threshold)) + BIAS, rtol=1e-5, atol=1e-6
    )
    assert json.loads(json.dumps(layer.get_config()))["threshold"] == threshold


def test_a_dense_layer_that_is_rounded_later(backend: Backend) -> None:
    layer = L.Dense(4)
    layer.build((None, 3))
    layer.set_weights([KERNEL, BIAS])
    layer.quantize("ternary")
    assert_allclose(backend.to_numpy(layer(X)), RECORDED[None]["outputs"], rtol=1e-5, atol=1e-6)
    assert_array_equal(ops.convert_to_numpy(layer.kernel), [[1, 0, 1, -1], [0, 1, 0, 1], [1, -1, -1, 0]])
    assert [(w.name, w.shape, w.dtype, w.trainable) for w in layer.weights] == [
        ("bias", (4,), "float32", True),
        ("kernel", (3, 1), "uint8", False),
        ("kernel_scale", (), "float32", False),
    ]
    assert (layer.quantization_mode, layer.dtype_policy.name) == ("ternary", "ternary_from_float32")
    assert layer.get_config()["quantization_config"]["class_name"] == "TernaryQuantizationConfig"


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_in_16_bits_the_kernel_decides(dtype: str, backend: Backend) -> None:
    # In bfloat16 the largest number is no larger than the threshold.
    layer = L.TernaryDense(1, 0.5, dtype=dtype, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.float32([[0.5001], [-0.25]])])
    assert_array_equal(ops.convert_to_numpy(layer(np.float32([[1, 1]]))).astype("float32"), [[1]])
    layer.quantize("ternary")
    assert_array_equal(ops.convert_to_numpy(layer(np.float32([[1, 1]]))).astype("float32"), [[1]])


def test_it_learns_and_is_kept(backend: Backend, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(7)
    x = rng.standard_normal((64, 6)).astype("float32")
    y = x @ rng.integers(-1, 2, (6, 5)).astype("float32")
    model = keras.Sequential([L.Input((6,)), L.TernaryDense(5, name="signs")])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    losses = model.fit(x, y, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4
    before = model.predict(x, verbose=0)
    assert model.quantize("ternary", verbose=False).num_quantized == 1
    model.compile("adam", "mse")
    after = model.predict(x, verbose=0)
    assert_allclose(after, before, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "m.keras")
    twin = keras.models.load_model(tmp_path / "m.keras")
    assert_array_equal(twin.predict(x, verbose=0), after)
    assert twin.get_layer("signs").kernel.shape == (6, 5)


def test_what_is_refused(backend: Backend) -> None:
    for threshold in (-1.0, "a", float("nan"), True, np.True_, np.float32(-1), [0.5]):
        with pytest.raises(ValueError, match="TernaryDense: `threshold` must be a number of 0 or more"):
            L.TernaryDense(2, threshold)  # type: ignore[arg-type]
    layer = made()
    with pytest.raises(NotImplementedError, match="no mode 'int8'; it has 'ternary'"):
        layer.quantize("int8")
    with pytest.raises(NotImplementedError, match="LoRA is not available"):
        layer.enable_lora(2)
    heads, dense = L.EinsumDense("ab,bc->ac", 2), L.Dense(2, lora_rank=1)
    for other in (heads, dense):
        other.build((None, 3))
    with pytest.raises(NotImplementedError, match="no mode 'ternary'"):
        heads.quantize("ternary")
    with pytest.raises(NotImplementedError, match="has LoRA, which the mode 'ternary' does not support"):
        dense.quantize("ternary")
    assert dense.quantization_mode is None
    layer.quantize(config=quantizers.TernaryQuantizationConfig())
    with pytest.raises(NotImplementedError, match="quantized in the mode 'ternary'|cannot hold the sum"):
        layer.enable_lora(2)

"""Quantized layers and models against Keras 3.15 itself: numbers, outputs, files, and training with 8-bit floats."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import polykeras as ours
from differential import opponent
from polykeras.backend import Backend

pytestmark = [
    pytest.mark.keras,
    pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method.*"),
    pytest.mark.filterwarnings("ignore:__array__ implementation.*:DeprecationWarning"),
]

RNG = np.random.default_rng(31)
X = RNG.standard_normal((4, 5, 7)).astype("float32")
INDICES = np.array([[0, 4, 5], [1, 2, 0]], "int32")
VECTORS = RNG.standard_normal((2, 5)).astype("float32")

Make = Callable[[Any], Any]
PRODUCTS: dict[str, Make] = {
    "dense": lambda L: L.Dense(3, "tanh"),
    "dense without bias": lambda L: L.Dense(4, use_bias=False),
    "dense wide": lambda L: L.Dense(4, dtype="mixed_bfloat16"),
    "heads": lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
    "sum of two axes": lambda L: L.EinsumDense("abc,bcd->ad", 3),
    "turned": lambda L: L.EinsumDense("abc,dc->abd", (None, 3)),
}
TABLES: dict[str, Make] = {
    "embedding": lambda L: L.Embedding(6, 5),
    "reversible": lambda L: L.ReversibleEmbedding(6, 5),
    "reversible apart": lambda L: L.ReversibleEmbedding(6, 5, tie_weights=False, logit_soft_cap=2.0),
}
WHOLE = {
    "int8": lambda quantizers: quantizers.Int8QuantizationConfig(),
    "int8 weights": lambda quantizers: quantizers.Int8QuantizationConfig(activation_quantizer=None),
    "int4": lambda quantizers: quantizers.Int4QuantizationConfig(block_size=None),
    "int4 inputs": lambda quantizers: quantizers.Int4QuantizationConfig(
        activation_quantizer=quantizers.AbsMaxQuantizer(), block_size=-1
    ),
    "int4 blocks": lambda quantizers: quantizers.Int4QuantizationConfig(block_size=3),
    "int4 a block": lambda quantizers: quantizers.Int4QuantizationConfig(),
}
FLOAT8 = {"float8": lambda quantizers: quantizers.Float8QuantizationConfig()}
CASES = [(name, mode) for name in PRODUCTS for mode in (*WHOLE, *FLOAT8)] + [(n, m) for n in TABLES for m in WHOLE]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    module = opponent.keras()
    gc.freeze()  # Keras collects garbage at each attribute that it deletes, which takes longer the more there is
    yield module
    gc.unfreeze()


def quantized(module: Any, name: str, mode: str) -> tuple[Any, Any]:
    layer = (PRODUCTS | TABLES)[name](module.layers)
    inputs = X if name in PRODUCTS else INDICES
    layer(inputs)
    rng = np.random.default_rng(5)
    layer.set_weights([rng.standard_normal(w.shape).astype("float32") for w in layer.weights])
    layer.quantize(config=(WHOLE | FLOAT8)[mode](module.quantizers))
    return layer, inputs


def host(module: Any, x: Any) -> np.ndarray:
    return module.ops.convert_to_numpy(x).astype("float32")


def arrays(store: dict[str, Any]) -> dict[str, np.ndarray]:
    return {place: np.asarray(value) for place, value in store.items()}


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_layer(name: str, mode: str, theirs: Any, backend: Backend) -> None:
    (other, inputs), (layer, _) = quantized(theirs, name, mode), quantized(ours, name, mode)
    # Of numbers in bfloat16 some are rounded to the next step, of which there are few.
    tolerance = {"rtol": 2e-2, "atol": 8e-2} if "wide" in name else {"rtol": 1e-5, "atol": 1e-5}
    expected = host(theirs, other(inputs))
    assert_allclose(host(ours, layer(inputs)), expected, **tolerance)
    if "reversible" in name:
        assert_allclose(
            host(ours, layer(VECTORS, reverse=True)), host(theirs, other(VECTORS, reverse=True)), **tolerance
        )
    assert [(w.name, w.shape, w.dtype, w.trainable) for w in layer.weights] == [
        (w.name, tuple(w.shape), w.dtype, w.trainable) for w in other.weights
    ]
    assert (layer.dtype_policy.name, layer.quantization_mode) == (other.dtype_policy.name, other.quantization_mode)
    config, theirs_config = layer.get_config(), other.get_config()
    for key in ("dtype", "quantization_config"):
        assert json.dumps(config[key]) == json.dumps(theirs_config[key])
    # What files hold of it goes both ways.
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    fresh = type(other).from_config(theirs_config)
    fresh.build(inputs.shape)
    fresh.load_own_variables(store)
    assert_allclose(host(theirs, fresh(inputs)), expected, **tolerance)
    kept: dict[str, Any] = {}
    other.save_own_variables(kept)
    twin = type(layer).from_config(json.loads(json.dumps(theirs_config)))
    twin.build(inputs.shape)
    twin.load_own_variables(arrays(kept))
    assert_allclose(host(ours, twin(inputs)), expected, **tolerance)


@pytest.mark.parametrize("mode", ["int8 weights", "int4", "int4 blocks"])
@pytest.mark.parametrize("name", ["dense", "heads", "embedding"])
def test_lora_over_whole_numbers(name: str, mode: str, theirs: Any, backend: Backend) -> None:
    stores = []
    for module in (theirs, ours):
        layer, inputs = quantized(module, name, mode)
        layer.enable_lora(2, lora_alpha=3.0)
        rng = np.random.default_rng(6)
        for weight in layer.weights:
            if "lora" in weight.name:
                weight.assign(rng.standard_normal(tuple(weight.shape)).astype("float32"))
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        stores.append((host(module, layer(inputs)), arrays(store)))
    (expected, kept), (found, store) = stores
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert kept.keys() == store.keys()
    for place in kept:
        assert kept[place].dtype == store[place].dtype
        assert_allclose(store[place].astype("float32"), kept[place].astype("float32"), rtol=1e-5, atol=1e-5)


def _model(module: Any, attends: bool) -> Any:
    L = module.layers
    x = L.Input((3,), dtype="int32")
    y = L.Embedding(6, 5)(x)
    y = L.MultiHeadAttention(2, 4)(y, y) if attends else L.EinsumDense("abc,cd->abd", (3, 5))(y)
    return module.Model(x, L.Dense(2)(L.Flatten()(L.Dense(4, "relu")(y))))


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("attends", [False, True])
def test_files_of_a_model_go_both_ways(mode: str, attends: bool, theirs: Any, backend: Backend, tmp_path: Path) -> None:
    other, model = _model(theirs, attends), _model(ours, attends)
    rng = np.random.default_rng(2)
    weights = [rng.standard_normal(w.shape).astype("float32") for w in model.weights]
    other.set_weights(weights)
    model.set_weights(weights)
    other.quantize(mode)
    model.quantize(mode)
    expected = host(theirs, other(INDICES))
    # A value near the middle of two whole numbers may be rounded to either.
    close = {"rtol": 2e-2, "atol": 5e-2} if mode == "int8" else {"rtol": 1e-4, "atol": 1e-4}
    assert_allclose(host(ours, model(INDICES)), expected, **close)
    other.save_weights(tmp_path / "w.weights.h5")
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(tmp_path / "w.weights.h5")
    assert_allclose(host(ours, model(INDICES)), expected, **close)
    model.save_weights(tmp_path / "w.weights.h5")
    other.set_weights([0 * w for w in other.get_weights()])
    other.load_weights(tmp_path / "w.weights.h5")
    assert_allclose(host(theirs, other(INDICES)), expected, **close)
    if attends:  # whose config says nothing of the layers within: Keras cannot read its own file
        return
    model.save(tmp_path / "ours.keras")
    other.save(tmp_path / "theirs.keras")
    read = theirs.saving.load_model(tmp_path / "ours.keras")
    assert_allclose(host(theirs, read(INDICES)), expected, **close)
    again = ours.models.load_model(tmp_path / "theirs.keras")
    assert [layer.quantization_mode for layer in again.layers] == [layer.quantization_mode for layer in other.layers]
    assert_allclose(host(ours, again(INDICES)), expected, **close)


def _trained(module: Any) -> Iterator[np.ndarray]:
    L = module.layers
    model = module.Sequential([L.Input((6,)), L.Dense(5, "tanh"), L.EinsumDense("ab,bc->ac", 2, bias_axes="c")])
    rng = np.random.default_rng(8)
    model.set_weights([rng.standard_normal(w.shape).astype("float32") for w in model.weights])
    x = rng.standard_normal((12, 6)).astype("float32")
    model.quantize("float8")
    model.compile(module.optimizers.SGD(0.05), "mse")
    history = model.fit(x, 2 * x[:, :2], batch_size=4, epochs=3, shuffle=False, verbose=0)
    yield np.asarray(history.history["loss"])
    yield from (np.asarray(w) for w in model.get_weights())
    yield model.predict(x, verbose=0)


def test_training_with_8_bit_floats(theirs: Any, backend: Backend) -> None:
    for found, expected in zip(_trained(ours), _trained(theirs), strict=True):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

"""Quantized layers in models: training, files, copies, and what is refused. Numbers are held in `test_quantized_by_keras`."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import polykeras as keras
from polykeras import autodiff, dtype_policies, ops, quantizers
from polykeras import layers as L
from polykeras.backend import Backend
from polykeras.utils import set_random_seed
from polykeras.variables import Variable

RNG = np.random.default_rng(4)
X = RNG.standard_normal((10, 6)).astype("float32")
Y = X[:, :2] * 2.0


def model_of(mode: str | None = None, **kwargs: Any) -> Any:
    set_random_seed(3)
    model = keras.Sequential([L.Input((6,)), L.Dense(16, "tanh", name="wide"), L.Dropout(0.0), L.Dense(2, name="out")])
    if mode:
        model.quantize(mode, **kwargs)
    return model


@pytest.mark.parametrize(("mode", "most"), [("int8", 0.03), ("int4", 0.3), ("float8", 0.15)])
def test_predictions_stay_near(backend: Backend, mode: str, most: float) -> None:
    before, after = model_of().predict(X, verbose=0), model_of(mode).predict(X, verbose=0)
    assert 0 < np.abs(before - after).max() < most


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_what_ran_before_is_quantized_too(backend: Backend, mode: str) -> None:
    model = model_of()
    model.compile("sgd", "mse")
    whole = model.predict(X, verbose=0), model.evaluate(X, Y, verbose=0)
    model.quantize(mode)
    predicted = model.predict(X, verbose=0)
    assert_array_equal(predicted, model_of(mode).predict(X, verbose=0))
    assert np.abs(predicted - whole[0]).max() > 0
    model.compile("sgd", "mse")
    assert_allclose(model.evaluate(X, Y, verbose=0), np.square(predicted - Y).mean(), rtol=1e-5)


def test_a_policy_set_after_a_prediction_counts(backend: Backend) -> None:
    model = model_of()
    before = model.predict(X, verbose=0)
    model.get_layer("wide").dtype_policy = "mixed_bfloat16"
    after = model.predict(X, verbose=0)
    assert 0 < np.abs(after - before).max() < 0.1
    assert_allclose(after, ops.convert_to_numpy(model(X)), atol=0.02)  # sums of halves go in other orders


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_files_copies_and_clones(backend: Backend, mode: str, tmp_path: Path) -> None:
    model = model_of(mode)
    expected = model.predict(X, verbose=0)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    for twin in (keras.models.load_model(tmp_path / "m.keras"), pickle.loads(pickle.dumps(model))):
        assert_array_equal(twin.predict(X, verbose=0), expected)
        assert twin.get_layer("out").quantization_mode == mode
        assert [(w.name, w.dtype) for w in twin.weights] == [(w.name, w.dtype) for w in model.weights]
    clone = keras.models.clone_model(model)
    clone.load_weights(tmp_path / "m.weights.h5")
    assert_array_equal(clone.predict(X, verbose=0), expected)


def attending(mode: str | None = None, dtype: Any = None) -> Any:
    inputs = L.Input((4, 6))
    x = L.MultiHeadAttention(2, 3, name="heads", dtype=dtype)(inputs, inputs)
    model = keras.Model(inputs, L.Dense(2, name="out")(x))
    if mode:
        model.quantize(mode)
    return model


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method.*")
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_file_that_could_not_be_read_is_not_written(mode: str, tmp_path: Path) -> None:
    """Keras writes it, and fails to read it: nothing in it says that the layers within are quantized."""
    x = np.random.default_rng(3).standard_normal((2, 4, 6)).astype("float32")
    keras.utils.set_random_seed(4)
    model = attending(mode)
    with pytest.raises(ValueError, match=r"within 'heads' \(MultiHeadAttention\) is quantized"):
        model.save(tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()
    model.save_weights(tmp_path / "m.weights.h5")
    twin = attending(mode)
    twin.load_weights(tmp_path / "m.weights.h5")
    assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    # A policy that the layer around gives on is in its config.
    made = attending(dtype=f"{mode}_from_float32") if mode != "int4" else attending(dtype="int4/-1_from_float32")
    assert made.layers[1]._query_dense.quantization_mode == mode
    made.save(tmp_path / "n.keras")
    assert_array_equal(keras.models.load_model(tmp_path / "n.keras").predict(x, verbose=0), made.predict(x, verbose=0))


@keras.saving.register_keras_serializable("hidden")
class Holds(L.Layer):
    """Makes a layer by itself, and says nothing of it, or gives its config where `told` says something."""

    def __init__(self, told: str = "", dense: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.told = told
        self.dense = L.Dense.from_config(dense) if dense else L.Dense(2, name="same")

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"told": self.told, "dense": None}
        return config | {"dense": self.dense.get_config()} if self.told else config


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method.*")
def test_a_namesake_does_not_say_that_a_layer_is_quantized(tmp_path: Path) -> None:
    for told in ("", "its config"):
        model = keras.Sequential([L.Input((6,)), L.Dense(3, name="same"), Holds(told)])
        model.quantize("int8")
        if told:
            model.save(tmp_path / "m.keras")
            twin = keras.models.load_model(tmp_path / "m.keras")
            assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
        else:
            with pytest.raises(ValueError, match=r"Layer 'same' \(Dense\) within 'holds.*' \(Holds\) is quantized"):
                model.save(tmp_path / "m.keras")


def test_gradients_of_inputs_are_those_of_the_floats(backend: Backend) -> None:
    layer = L.Dense(3)
    layer(X)
    layer.quantize("int8")
    x = Variable(X)
    _, (gradient,) = autodiff.value_and_grad(lambda: ops.sum(layer(x)), [x])()
    floats = layer.kernel.numpy() / layer.kernel_scale.numpy()
    assert_allclose(backend.to_numpy(gradient), np.broadcast_to(floats.sum(1), X.shape), rtol=1e-4)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_what_stays_a_float_is_trained(backend: Backend, mode: str) -> None:
    model = model_of(mode)
    model.get_layer("wide").enable_lora(2)
    assert {w.name for w in model.trainable_weights} == {"bias", "lora_kernel_a", "lora_kernel_b"}
    numbers = model.get_layer("out").kernel_scale.numpy()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(X, Y, batch_size=4, epochs=8, verbose=0).history["loss"]  # the last batch is a smaller one
    assert losses[-1] < 0.7 * losses[0]
    assert_array_equal(model.get_layer("out").kernel_scale.numpy(), numbers)


def test_training_with_8_bit_floats(backend: Backend) -> None:
    model = model_of("float8")
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(X, Y, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    layer = model.get_layer("wide")
    history = layer.inputs_amax_history.numpy()
    assert history.shape == (1024,)
    assert history[0] > 0
    # The scale comes from the history before: of a batch whose largest size is one of these.
    assert np.isclose(layer.inputs_scale.numpy(), np.abs(X).max(1) / 448, rtol=1e-5).any()


def test_a_model_may_be_quantized_in_part(backend: Backend) -> None:
    def modes(**kwargs: Any) -> list[Any]:
        model = model_of("int8", **kwargs)
        return [model.get_layer("wide").quantization_mode, model.get_layer("out").quantization_mode]

    assert modes() == ["int8", "int8"]
    assert modes(filters="wi") == ["int8", None]
    assert modes(filters=["^out$", "none"]) == [None, "int8"]
    assert modes(filters=lambda layer: layer.name == "wide") == ["int8", None]
    with pytest.raises(TypeError, match="filters"):
        modes(filters=3)
    config = quantizers.Int4QuantizationConfig(block_size=4)
    model = model_of()
    model.quantize(config=config)
    assert model.get_layer("wide").kernel_scale.shape == (2, 16)
    assert model.get_layer("wide").dtype_policy.name == "int4/4_from_float32"


def test_layers_that_stay_are_named_once(backend: Backend) -> None:
    class Mine(L.Dense):
        pass

    model = keras.Sequential([L.Input((6,)), Mine(3, name="mine"), L.BatchNormalization(name="norm"), L.Dense(2)])
    with pytest.warns(UserWarning, match=r"leaves 2 layers with weights unchanged") as seen:
        report = model.quantize("int8")
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert {path.rpartition("/")[2]: why for path, why in report.skipped} == {
        "mine": report.SKIP_SUBCLASS,
        "norm": report.SKIP_NO_SUPPORT,
    }
    assert all(f"{path!r} ({why})" in str(seen[0].message) for path, why in report.skipped)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = keras.Sequential([L.Input((6,)), Mine(3, name="mine"), L.Dense(2)])
        model.quantize("int8", type_check=False)
    assert model.layers[0].quantization_mode == "int8"


def test_policies_quantize_layers(backend: Backend) -> None:
    layer = L.Dense(3, dtype="int4/4_from_mixed_bfloat16")
    assert (layer.compute_dtype, layer.variable_dtype, layer.quantization_mode) == ("bfloat16", "float32", "int4")
    layer(X)
    assert (layer.kernel_zero.shape, layer.kernel_scale.shape, layer.kernel.shape) == ((2, 3), (2, 3), (6, 3))
    layer = L.Dense(3)
    layer(X)
    layer.dtype_policy = "int8_from_float32"
    assert layer.kernel.dtype == "int8"
    policy = dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", amax_history_length=8)
    layer = L.Dense(3, dtype=policy)
    layer(X)
    assert layer.inputs_amax_history.shape == (8,)
    maps = dtype_policies.DTypePolicyMap("float32")
    layers = [L.Dense(3, dtype=maps, name="one"), L.Dense(2, dtype=maps, name="two")]
    for one in layers:
        one(X)
    layers[0].quantize("int8")
    assert [one.quantization_mode for one in layers] == ["int8", None]
    assert maps["one"].name == "int8_from_float32"


def test_a_global_policy(backend: Backend) -> None:
    keras.config.set_dtype_policy("int8_from_float32")
    try:
        model = keras.Sequential([L.Input((6,)), L.Dense(3), L.LayerNormalization()])
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[0].kernel.dtype == "int8"
    assert model.predict(X, verbose=0).dtype == "float32"


def test_policies_as_data() -> None:
    for name, mode in (
        ("int8_from_float32", "int8"),
        ("int4/128_from_float32", "int4"),
        ("float8_from_mixed_bfloat16", "float8"),
    ):
        policy = dtype_policies.get(name)
        assert (policy.name, policy.quantization_mode) == (name, mode)
        twin = dtype_policies.deserialize(dtype_policies.serialize(policy))
        assert twin == policy
        assert twin != dtype_policies.get("float32")
        assert dtype_policies.serialize(policy)["module"] == "keras.dtype_policies"
    assert repr(dtype_policies.get("int4/-1_from_float32")) == '<Int4DTypePolicy "int4/-1_from_float32">'
    assert dtype_policies.QuantizedDTypePolicy("int8").name == "int8_from_float32"


def test_what_is_refused(backend: Backend) -> None:
    layer = L.Dense(3)
    with pytest.raises(ValueError, match="build it"):
        layer.quantize("int8")
    layer(X)
    with pytest.raises(ValueError, match="one of 'int8'"):
        layer.quantize("int3")
    with pytest.raises(ValueError, match="pass a mode"):
        layer.quantize()
    with pytest.raises(ValueError, match="differ"):
        layer.quantize("int8", config=quantizers.Int4QuantizationConfig())
    with pytest.raises(TypeError, match="QuantizationConfig"):
        layer.quantize(config=8)
    layer.quantize(config="int8")
    with pytest.raises(ValueError, match="quantized already: its dtype policy is 'int8_from_float32'"):
        layer.quantize("int4")
    table = L.Embedding(4, 3)
    table(np.array([1, 2]))
    with pytest.raises(NotImplementedError, match="no mode 'float8'"):
        table.quantize("float8")
    with pytest.raises(NotImplementedError, match="cannot be quantized"):
        L.LayerNormalization().quantize("int8")
    half = L.Dense(3, dtype="mixed_float16")
    half(X)
    with pytest.raises(ValueError, match="float16"):
        half.quantize("int8")
    for wrong in ({"block_size": 0}, {"block_size": 4, "weight_quantizer": quantizers.AbsMaxQuantizer()}):
        with pytest.raises(ValueError, match="block"):
            quantizers.Int4QuantizationConfig(**wrong)
    with pytest.raises(ValueError, match="value_range"):
        quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(axis=0), block_size=None)
    for mode in ("int4", "int4/0", "int4/x"):
        with pytest.raises(ValueError, match="int4/128"):
            dtype_policies.Int4DTypePolicy(mode)
    with pytest.raises(TypeError, match="amax_history_length"):
        dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", amax_history_length=1.5)  # type: ignore[arg-type]

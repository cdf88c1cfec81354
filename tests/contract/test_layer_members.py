"""What other people's code asks of layers, specs, operations and symbolic tensors besides calling them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import Backend

X = np.random.default_rng(0).standard_normal((2, 4, 3)).astype("float32")


class Counting(L.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen = keras.metrics.Mean(name="seen")
        self.inner = L.Dense(2)

    def call(self, x: Any, training: Any = None) -> Any:
        self.seen.update_state(x)
        return self.inner(x)


def test_members_of_a_layer(backend: Backend) -> None:
    layer = Counting(name="outer")
    assert layer.path is None
    layer(X)
    assert (layer.path, layer.inner.path) == ("outer", f"outer/{layer.inner.name}")
    assert [m.name for m in layer.metrics] == ["seen"]
    assert layer.metrics_variables == layer.seen.variables
    np.testing.assert_allclose(float(layer.seen.result()), X.mean(), rtol=1e-4, atol=1e-6)
    assert layer.call_signature_parameters == ["x", "training"]
    assert (layer._call_has_training_arg, layer._call_has_mask_arg) == (True, False)
    assert (layer.supports_jit, layer.quantization_mode, layer.input_dtype) == (True, None, "float32")
    assert L.Dense(1, dtype="mixed_bfloat16").input_dtype == "bfloat16"
    layer.add_metric(1.0, name="x")
    layer.add_metric(np.asarray([2.0, 4.0]), name="x", aggregation="mean")
    assert {m.name: float(m.result()) for m in layer.metrics}["x"] == pytest.approx(7 / 3)  # of (1, 2, 4)
    with pytest.raises(NotImplementedError, match=r"compile\(metrics"):
        layer.add_metric(keras.Input(()), name="x")
    with pytest.raises(ValueError, match="needs the name"):
        layer.add_metric(1.0)
    assert layer.add_variable(shape=(2,), initializer="ones", name="extra").shape == (2,)


def test_a_symbolic_call_becomes_part_of_a_graph() -> None:
    x = keras.Input((4,))
    model = keras.Model(x, L.Dense(2).symbolic_call(x))
    assert model.output_shape == (None, 2)


class Doubled(keras.Operation):
    def __init__(self, factor: float = 2.0, name: str | None = None) -> None:
        super().__init__(name)
        self.factor = factor

    def call(self, x: Any) -> Any:
        return ops.multiply(x, self.factor)


def test_an_operation_of_ones_own(backend: Backend) -> None:
    double = Doubled(3.0, name="triple")
    np.testing.assert_allclose(backend.to_numpy(double(ops.convert_to_tensor(X))), 3 * X, rtol=1e-6)
    x = keras.Input((4, 3))
    y = double(x)
    assert (y.shape, double.output.shape) == ((None, 4, 3), (None, 4, 3))
    np.testing.assert_allclose(backend.to_numpy(keras.Model(x, y)(X)), 3 * X, rtol=1e-6)
    assert double.get_config() == {"factor": 3.0, "name": "triple"}
    assert Doubled.from_config(double.get_config()).factor == 3.0
    with pytest.raises(NotImplementedError, match="does not implement `call`"):
        keras.Operation()(X)


def test_symbolic_tensors_say_what_they_are() -> None:
    x = keras.KerasTensor((None, 2), "int32", True, name="rows", ragged_rank=1, row_splits_dtype="int64")
    assert (x.dtype, x.sparse, x.ragged, x.name, x.ragged_rank, x.row_splits_dtype) == (
        *("int32", True, False, "rows", 1, "int64"),
    )
    assert keras.KerasTensor((2,)).dtype == "float32"
    with pytest.raises(ValueError, match="not both"):
        keras.KerasTensor((2,), sparse=True, ragged=True)
    free = keras.KerasTensor((None, 2), record_history=False)
    y = L.Dense(3)(free)
    assert (y.shape, y.history, y.record_history) == ((None, 3), None, False)


def test_a_spec_has_a_config() -> None:
    spec = L.InputSpec(dtype="float32", shape=(None, 3), axes={-1: 3}, optional=True)
    again = L.InputSpec.from_config(spec.get_config())
    assert again.get_config() == spec.get_config()
    assert spec.get_config()["shape"] == (None, 3)


class WithItsShape(L.Layer):
    def call(self, x: Any) -> Any:
        return x * 2

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@pytest.mark.parametrize("make", [WithItsShape, lambda: L.Dense(3), lambda: L.LSTM(3)])
def test_the_outputs_for_arrays_are_told_as_for_symbolic_tensors(make: Any, backend: Backend) -> None:
    for x in (X, ops.convert_to_tensor(X)):
        told = make().compute_output_spec(x)
        assert isinstance(told, keras.KerasTensor)
        assert told.shape == make().compute_output_spec(keras.KerasTensor(X.shape)).shape


@pytest.mark.parametrize("dtype", ["float64", "int64", "float16", "uint8"])
def test_an_array_of_numpy_is_copied_in_its_dtype(dtype: str, backend: Backend) -> None:
    given = np.ones((2,), dtype)
    found = ops.convert_to_numpy(given)
    found[0] = 2
    assert found.dtype == dtype
    assert given[0] == 1


@pytest.mark.keras
def test_a_spec_has_keras_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras as theirs

    given: dict[str, Any] = {"dtype": "int32", "ndim": 3, "max_ndim": 4, "min_ndim": 2, "axes": {-1: 3}}
    assert L.InputSpec(**given).get_config() == theirs.layers.InputSpec(**given).get_config()


@pytest.mark.parametrize("make", [L.SimpleRNN, L.LSTM, L.GRU])
def test_members_of_recurrent_layers(make: Any, backend: Backend) -> None:
    layer = make(2, return_sequences=True, return_state=True, go_backwards=True)
    outputs, *states = layer(X)
    assert layer.single_state == (len(states) == 1)
    last, every, left = layer.inner_loop(ops.convert_to_tensor(X), layer.get_initial_state(2), None)
    for a, b in zip([every, last, *left], [outputs, outputs[:, -1], *states], strict=True):
        np.testing.assert_allclose(backend.to_numpy(a), backend.to_numpy(b), rtol=1e-5, atol=1e-6)
    first = "sequence" if make is L.SimpleRNN else "inputs"
    output, _ = layer.cell(**{first: X[:, 0]}, states=layer.cell.get_initial_state(batch_size=2))
    assert output.shape == (2, 2)


def test_states_of_both_directions() -> None:
    plain, stateful = L.Bidirectional(L.LSTM(2)), L.Bidirectional(L.LSTM(2, stateful=True))
    plain(X)
    stateful(X)
    assert plain.states is None
    assert [tuple(state.shape) for state in stateful.states or ()] == [(2, 2)] * 4


def test_attention_is_made_of_layers_that_have_keras_names(backend: Backend) -> None:
    layer = L.MultiHeadAttention(2, 3, value_dim=4, dropout=0.1)
    layer(X, X)
    assert (layer._num_heads, layer._key_dim, layer._value_dim, layer._dropout) == (2, 3, 4, 0.1)
    assert layer._kernel_initializer is layer.kernel_initializer
    assert layer.query_dense is layer._query_dense
    assert layer.query_dense.kernel.shape == (3, 2, 3)
    query = backend.to_numpy(layer._query_dense(X))
    np.testing.assert_allclose(
        query, np.einsum("abc,cde->abde", X, layer.query_dense.kernel.numpy()), rtol=1e-4, atol=1e-5
    )
    assert [w.path.removeprefix(f"{layer.name}/") for w in layer.weights] == [
        f"{part}/{name}" for part in ("query", "key", "value", "attention_output") for name in ("kernel", "bias")
    ]
    key, value = layer._key_dense(X), layer._value_dense(X)
    heads, _ = layer._compute_attention(layer._query_dense(X), key, value)
    whole = backend.to_numpy(layer(X, X))
    np.testing.assert_allclose(backend.to_numpy(layer._output_dense(heads)), whole, rtol=1e-4, atol=1e-5)
    layer._num_heads = 7  # as a subclass of another library may
    assert layer.num_heads == 2

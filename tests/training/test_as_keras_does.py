"""What users' layers and models may do as in Keras: written shapes, arrays made in `build`, calls without arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import Input, KerasTensor, Layer, Model, Sequential, Variable, callbacks, layers, ops, optimizers
from polykeras.backend import Backend, floatx, result_type, standardize_dtype
from polykeras.common import nested
from polykeras.losses import mean_absolute_error
from polykeras.metrics import MeanAbsoluteError, MeanMetricWrapper
from polykeras.models import clone_model
from polykeras.ops import custom_gradient, remat
from polykeras.optimizers import SGD
from polykeras.random import SeedGenerator
from polykeras.saving import deserialize_keras_object, load_model, save_model, serialize_keras_object

X = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")


def test_a_list_of_one_output_gives_the_tensor(backend: Backend) -> None:
    x = Input((4,))
    model = Model([x], [layers.Dense(2)(x)])
    assert backend.is_tensor(model(X))
    assert backend.is_tensor(model([X]))
    assert model.predict(X, verbose=0).shape == (10, 2)
    assert model(Input((4,))).shape == (None, 2)
    assert isinstance(model.outputs, list)
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(X, [X[:, :2]], verbose=0).history["loss"][0])


class Pooled(Layer):
    """The mean over all rows."""

    def call(self, x: Any) -> Any:
        return ops.mean(x, axis=0, keepdims=True)


def test_inputs_of_a_stream_may_have_different_numbers_of_rows(backend: Backend) -> None:
    """As the nodes, the edges and the labels of graphs have."""
    nodes, edges = Input((4,)), Input((3,))
    model = Model([nodes, edges], layers.Add()([layers.Dense(1)(Pooled()(nodes)), layers.Dense(1)(Pooled()(edges))]))
    model.compile("sgd", "mse")
    rows = [(10, 5), (10, 5), (7, 9), (3, 3)]

    def graphs() -> Iterator[Any]:
        rng = np.random.default_rng(1)
        for n, m in rows:
            yield (rng.normal(size=(n, 4)), rng.normal(size=(m, 3))), np.ones((1, 1))

    losses = [np.square(1 - np.asarray(model(x))).item() for x, _ in graphs()]
    expected = np.average(losses, weights=[n for n, _ in rows])  # as in Keras, by the length of the first input
    np.testing.assert_allclose(model.evaluate(graphs(), verbose=0), expected, rtol=1e-5)
    before = model.get_weights()
    model.fit(graphs(), verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


class BuiltWithin(Model):
    """A model whose `build` calls that of its base class."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.inner, self.first = layers.Dense(2), first

    def build(self, input_shape: Any) -> None:
        if self.first:
            self.inner.build(input_shape)
        super().build(input_shape)

    def call(self, x: Any) -> Any:
        return self.inner(x)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("by_call", [True, False])
def test_a_models_build_may_call_its_base(backend: Backend, first: bool, by_call: bool) -> None:
    model = BuiltWithin(first)
    if by_call:
        model(X)
    else:
        model.build((None, 4))
    assert model.built
    assert [w.shape for w in model.weights] == [(4, 2), (2,)]
    assert model(X).shape == (10, 2)


def test_training_goes_to_layers_that_do_not_take_it(backend: Backend) -> None:
    class Twice(Layer):
        def call(self, x: Any) -> Any:
            return x * 2.0

    for training in (None, True, False):
        np.testing.assert_array_equal(np.asarray(Twice()(X, training=training)), 2 * X)


def test_calls_without_arrays(backend: Backend) -> None:
    class Maybe(Layer):
        def call(self, a: Any = None, b: Any = None) -> Any:
            return "nothing" if a is None else len(a)

    assert Maybe()() == "nothing"
    assert Maybe()(a=None) == "nothing"
    assert Maybe()(["ab", "c"]) == 2


def test_arguments_are_left_as_they_are_where_a_layer_says_so(backend: Backend) -> None:
    class Plain(Layer):
        def __init__(self) -> None:
            super().__init__()
            self._convert_input_args = False
            self._allow_non_tensor_positional_args = True

        def call(self, x: Any) -> Any:
            return x

    assert Plain()(X) is X


def test_arrays_made_in_build_have_values(backend: Backend) -> None:
    class Ramp(Layer):
        def build(self, input_shape: Any) -> None:
            self.ramp = ops.arange(input_shape[-1], dtype="float32")

        def call(self, x: Any) -> Any:
            return x * self.ramp

    model = Sequential([Input((4,)), Ramp()])
    assert backend.is_tensor(model.layers[0].ramp)
    np.testing.assert_array_equal(model.predict(X, verbose=0), X * np.arange(4, dtype="float32"))


def test_no_array_without_value_stays_in_a_layer(backend: Backend) -> None:
    class Keeps(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.before = None

        def call(self, x: Any) -> Any:
            self.before = x * 2.0
            self.constant = ops.convert_to_tensor(np.ones(4, "float32"))
            return x * self.constant

    layer = Keeps()
    x = Input((4,))
    model = Model(x, layer(x))
    assert layer.before is None
    assert not hasattr(layer, "constant")
    np.testing.assert_array_equal(np.asarray(model(X)), X)


class Written(Layer):
    """Notes what runs; its code runs on values alone."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def build(self, input_shape: Any) -> None:
        self.runs.append("build")
        self.kernel = self.add_weight(shape=(input_shape[-1], 2))

    def call(self, x: Any, scale: Any = 1.0) -> Any:
        self.runs.append("call")
        return ops.matmul(x, self.kernel)


class WithShape(Written):
    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], 2)


class WithSpec(Written):
    def compute_output_spec(self, inputs: Any, scale: Any = 1.0) -> Any:
        return KerasTensor((*inputs.shape[:-1], 2), inputs.dtype)


@pytest.mark.parametrize("cls", [WithShape, WithSpec])
def test_written_shapes_are_believed(backend: Backend, cls: type[Written]) -> None:
    layer = cls()
    x = Input((4,))
    y = layer(x, scale=2.0)
    assert y.shape == (None, 2)
    assert layer.runs == ["build"]
    assert Model(x, y)(X).shape == (10, 2)


def test_several_shapes_are_written_by_name(backend: Backend) -> None:
    class Two(Layer):
        def call(self, query: Any, value: Any, mode: str = "a") -> Any:
            raise AssertionError("runs on shapes")

        def compute_output_shape(self, query_shape: Any, value_shape: Any) -> Any:
            return {"q": query_shape, "v": value_shape}

    out = Two()(Input((4,)), Input((3,)), mode="b")
    assert {name: t.shape for name, t in out.items()} == {"q": (None, 4), "v": (None, 3)}


def test_layers_within_are_built_though_a_shape_is_written(backend: Backend) -> None:
    class Around(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.inner(x)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape[:-1], 2)

    x = Input((4,))
    model = Model(x, Around()(x))
    assert [w.shape for w in model.weights] == [(4, 2), (2,)]


def test_layers_of_models_within_are_cloned_by_the_users_function(backend: Backend) -> None:
    x, y = Input((4,)), Input((4,))
    within = Model(y, layers.Dense(3)(y))
    listed = Sequential([Input((3,)), layers.Dense(2)])
    model = Model(x, listed(within(x)))
    seen: list[str] = []

    def clone(layer: Any) -> Any:
        seen.append(type(layer).__name__)
        return type(layer).from_config(layer.get_config())

    clone_model(model, clone_function=clone)
    assert seen == ["Functional", "Sequential"]
    seen.clear()
    twin = clone_model(model, clone_function=clone, recursive=True)
    assert seen == ["Dense", "Dense"]
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(np.asarray(twin(X)), np.asarray(model(X)))


def test_a_function_calls_the_layers_of_a_clone(backend: Backend) -> None:
    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        return outputs * 2.0 if isinstance(layer, layers.Dense) else outputs

    x = Input((4,))
    model = Model(x, layers.Dense(3)(x))
    twin = clone_model(model, clone_function=lambda layer: layer, call_function=call)
    np.testing.assert_array_equal(np.asarray(twin(X)), 2.0 * np.asarray(model(X)))
    with pytest.raises(ValueError, match="leave out `call_function`"):
        clone_model(Sequential([Input((4,)), layers.Dense(1)]), call_function=call)


def test_masks_come_to_calls_on_symbolic_tensors(backend: Backend) -> None:
    class Needs(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.supports_masking = True

        def call(self, x: Any, mask: Any = None) -> Any:
            assert mask is not None
            return x * ops.expand_dims(ops.cast(mask, "float32"), -1)

    x = Input((None,), dtype="int32")
    model = Model(x, Needs()(layers.Dense(1)(layers.Embedding(10, 3, mask_zero=True)(x))))
    given = np.array([[1, 2, 0], [3, 0, 0]])
    assert ((model.predict(given, verbose=0)[..., 0] != 0) <= (given != 0)).all()


def test_a_written_shape_may_begin_with_that_of_the_base_class(backend: Backend) -> None:
    class Wider(layers.Dense):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return super().compute_output_shape(input_shape)

    assert Wider(3)(Input((4,))).shape == (None, 3)
    assert Wider(3).compute_output_shape((None, 4)) == (None, 3)


def test_metrics_of_one_batch_are_of_that_batch_alone(backend: Backend) -> None:
    """Keras 3.15 resets metrics at the start of `train_on_batch` and `test_on_batch`."""
    model = Sequential([Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(SGD(0.0), "mse", metrics=["mae"])
    for value in (1.0, 3.0):
        y = np.full((10, 1), value, "float32")
        for one_batch in (model.train_on_batch, model.test_on_batch):
            assert one_batch(X, y) == pytest.approx([value**2, value])
            assert one_batch(X, y, return_dict=True) == pytest.approx({"loss": value**2, "mae": value})
    assert float(model.get_metrics_result()["mae"]) == pytest.approx(3.0)
    model.reset_metrics()
    assert float(model.get_metrics_result()["mae"]) == 0.0


@pytest.mark.counts_runs
def test_a_reset_of_ones_own_is_called_before_each_batch(backend: Backend) -> None:
    class Counted(MeanAbsoluteError):
        resets = 0

        def reset_state(self) -> None:
            type(self).resets += 1
            super().reset_state()

    model = Sequential([Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(SGD(0.0), "mse", metrics=[Counted()])
    for number, value in enumerate((1.0, 3.0, 2.0), 1):
        assert model.train_on_batch(X, np.full((10, 1), value, "float32")) == pytest.approx([value**2, value])
        assert Counted.resets == number


def test_fit_and_single_batches_take_turns(backend: Backend) -> None:
    """Steps that begin metrics anew and those that do not are two programs over one state."""
    y = np.ones((10, 1), "float32")
    model = Sequential([Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(SGD(0.0), "mse", metrics=["mae"])
    for _ in range(2):
        assert model.train_on_batch(X, 3 * y) == pytest.approx([9.0, 3.0])
        history = model.fit(np.concatenate([X, X]), np.concatenate([y, 2 * y]), batch_size=10, verbose=0).history
        assert (history["loss"][0], history["mae"][0]) == (pytest.approx(2.5), pytest.approx(1.5))
        assert model.test_on_batch(X, 2 * y) == pytest.approx([4.0, 2.0])


def test_an_optimizer_is_built_with_a_list_of_variables(backend: Backend) -> None:
    variables = [Variable(np.ones(3, "float32"))]
    for name in ("adam", "adadelta", "nadam", "lamb", "lion", "ftrl", "rmsprop"):
        optimizer = optimizers.get(name)
        optimizer.build(var_list=variables)
        assert len(optimizer.variables) > 2


HAND_WRITTEN: dict[str, Any] = {
    "convert_to_tensor": ops.convert_to_tensor,
    "convert_to_tensor float16": lambda x: ops.convert_to_tensor(x, "float16"),
    "vectorized_map": lambda x: ops.vectorized_map(lambda row: row * 2, x),
    "map": lambda x: ops.map(lambda row: row * 2, x),
    "scan": lambda x: ops.scan(lambda carry, row: (carry + row, row), x[0], x),
    "associative_scan": lambda x: ops.associative_scan(ops.add, x),
    "fori_loop": lambda x: ops.fori_loop(0, 3, lambda i, total: total * 2, x),
    "while_loop": lambda x: ops.while_loop(lambda t: ops.sum(ops.abs(t)) < 1000.0, lambda t: (t * 2,), (x,)),
    "switch": lambda x: ops.switch(1, [lambda a: a, lambda a: -a], x),
    "jvp": lambda x: ops.jvp(ops.square, (x,), (x,)),
    "remat": lambda x: remat(ops.softmax)(x),
    "vectorize": lambda x: ops.vectorize(ops.dot, signature="(n),(n)->()")(x, x),
    "custom_gradient": lambda x: custom_gradient(lambda a: (a * 3, lambda upstream: upstream))(x),
}
"""Ops that take functions, and functions that are made of others."""


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_ops_written_by_hand_become_part_of_a_graph(name: str, backend: Backend) -> None:
    fn, x = HAND_WRITTEN[name], Input((4,))
    symbolic, expected = nested.flatten(fn(x)), nested.flatten(fn(ops.convert_to_tensor(X)))
    found = nested.flatten(Model(x, symbolic)(X))
    for tensor, value, array in zip(symbolic, expected, found, strict=True):
        assert tensor.dtype == backend.dtype(value)
        assert len(tensor.shape) == len(value.shape)
        np.testing.assert_array_equal(np.asarray(array), np.asarray(value))


def test_a_conversion_is_read_from_a_file(tmp_path: Path) -> None:
    x = Input((4,))
    model = Model(x, ops.convert_to_tensor(x, "float16"))
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").output.dtype == "float16"
    entry = model.get_config()["layers"][1]
    assert (entry["module"], entry["class_name"]) == ("keras.src.ops.core", "ConvertToTensor")
    assert entry["config"]["dtype"] == "float16"


def compiled() -> Any:
    model = Sequential(
        [Input((4,)), layers.Dense(2, name="one"), layers.Dropout(0.2), layers.Dense(1, name="two")], name="net"
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, X[:, :1], verbose=0)
    return model


def test_the_state_of_a_model_is_a_tree(backend: Backend) -> None:
    model = compiled()
    state = model.get_state_tree()
    assert list(state) == ["trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables"]
    host = model.get_state_tree("numpy_array")
    weights = host["trainable_variables"]["net"]
    np.testing.assert_array_equal(weights["one"]["kernel"], model.layers[0].kernel.numpy())
    assert set(host["metrics_variables"]) == {"loss", "mean_absolute_error"}
    assert host["optimizer_variables"]["adam"]["iteration"] == 1
    other = compiled()
    other.fit(X, X[:, :1], verbose=0)
    with pytest.warns(UserWarning, match="seed_generator"):  # a name that each generator has for itself
        other.set_state_tree({kind: tree for kind, tree in state.items() if kind != "optimizer_variables"})
    np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    assert int(other.optimizer.iterations) == 2
    before = other.get_weights()
    for wrong, message in (
        ({"weights": {}}, "expected the keys"),
        ({"metrics_variables": {"loss": {"total": np.ones(3)}}}, "has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            other.set_state_tree(wrong)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="'numpy_array'; received 'list'"):
        model.get_state_tree("list")


def test_the_loss_for_given_values(backend: Backend) -> None:
    model = compiled()
    doubled = [2 * v.numpy() for v in model.trainable_variables]
    rest, metrics = ([v.numpy() for v in found] for found in (model.non_trainable_variables, model.metrics_variables))
    y, weights = X[:, :1], model.get_weights()
    y_pred, _ = model.stateless_call(doubled, rest, X)
    loss, (first, second, third) = model.stateless_compute_loss(doubled, rest, metrics, X, y, y_pred)
    np.testing.assert_allclose(float(loss), np.mean((np.asarray(y_pred) - y) ** 2), rtol=1e-5)
    assert (len(first), len(second), len(third)) == (4, len(rest), len(metrics))
    np.testing.assert_array_equal(np.asarray(first[0]), doubled[0])
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])


class Stopping(callbacks.Callback):
    """Stops each kind of run after its first batch."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_evaluating = True

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_predicting = True


def test_evaluation_and_prediction_stop_when_they_are_told(backend: Backend) -> None:
    model = compiled()
    y = X[:, :1]
    first = model.evaluate(X[:3], y[:3], verbose=0)
    assert model.evaluate(X, y, batch_size=3, callbacks=[Stopping()], verbose=0) == pytest.approx(first, rel=1e-5)
    assert model.predict(X, batch_size=3, callbacks=[Stopping()], verbose=0).shape == (3, 1)
    assert model.predict(X, batch_size=3, verbose=0).shape == (10, 1)
    assert model.evaluate(X, y, batch_size=3, verbose=0) == pytest.approx(model.evaluate(X, y, verbose=0), rel=1e-5)


def test_a_written_config_says_what_its_base_cannot(backend: Backend) -> None:
    """As bayesflow's distributions do, which keep an argument as a tensor."""

    class Shifted(Layer):
        def __init__(self, by: Any, hidden: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.by = ops.convert_to_tensor(by)

        def call(self, x: Any) -> Any:
            return x + self.by

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "by": np.asarray(self.by).tolist()}

    layer = Shifted([1.0, 2.0, 3.0, 4.0], hidden=object(), name="shifted")
    config = layer.get_config()
    assert config["by"] == [1.0, 2.0, 3.0, 4.0]
    assert config["name"] == "shifted"
    assert "hidden" not in config
    np.testing.assert_array_equal(np.asarray(Shifted.from_config(config)(X)), np.asarray(layer(X)))


def test_labels_may_be_nested_as_the_outputs_are(backend: Backend) -> None:
    """As those of keras-rs's embeddings are; two outputs of the same name in different groups keep their own labels."""
    x = Input((4,))
    outputs = {"a": {"left": layers.Dense(1)(x), "right": layers.Dense(2)(x)}, "b": layers.Dense(3)(x)}
    model = Model(x, outputs)
    model.compile("sgd", "mse")
    y = {"a": {"left": np.ones((10, 1)), "right": np.zeros((10, 2))}, "b": np.full((10, 3), 2.0)}
    predicted = model.predict(X, verbose=0)
    pairs = [(predicted["a"]["left"], 1.0), (predicted["a"]["right"], 0.0), (predicted["b"], 2.0)]
    expected = sum(np.square(values - label).mean() for values, label in pairs)
    np.testing.assert_allclose(model.fit(X, y, batch_size=10, verbose=0).history["loss"], expected, rtol=1e-5)


def test_private_names_that_libraries_use(backend: Backend, tmp_path: Any) -> None:
    model = Sequential([Input((4,)), layers.Dense(2)])
    assert [type(layer).__name__ for layer in model._flatten_layers()[1:]] == ["InputLayer", "Dense"]
    head = layers.Dense(2)
    assert model._tracker.track(head) is head
    model.save(str(tmp_path / "model.keras"), save_format="keras_v3")
    assert (tmp_path / "model.keras").exists()


def test_result_type_takes_all_that_names_a_dtype(backend: Backend) -> None:
    x = ops.ones((2,), "float16")
    assert standardize_dtype(result_type(x.dtype, int)) == "float16"
    assert result_type(x.dtype, np.dtype("float32")) == "float32"
    assert result_type(int, "int8") == "int8"
    assert result_type(float) == floatx()
    assert result_type(None, "float16") == "float32"


class Offset(Layer):
    """Its config holds a tensor as it is."""

    def __init__(self, by: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = ops.convert_to_tensor(by, "float32")
        self.dense = layers.Dense(4)

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, x: Any) -> Any:
        return self.dense(x) + self.by

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "by": self.by}


def test_a_layer_alone_and_a_tensor_in_a_config_are_saved(backend: Backend, tmp_path: Any) -> None:
    """As bayesflow saves its networks, which are layers."""
    layer = Offset(np.arange(4.0))
    expected = np.asarray(layer(X))
    described = serialize_keras_object(layer)["config"]["by"]
    by = {"class_name": "__tensor__", "config": {"value": [0.0, 1.0, 2.0, 3.0], "dtype": "float32"}}  # as Keras 3.15
    if not isinstance(layer.by, np.ndarray):  # else it is written as NumPy's
        assert described == by
    save_model(layer, str(tmp_path / "layer.keras"))
    again = load_model(str(tmp_path / "layer.keras"), custom_objects={"Offset": Offset})
    assert type(again) is Offset
    np.testing.assert_array_equal(np.asarray(again(X)), expected)


def test_generators_of_seeds_are_described(backend: Backend) -> None:
    config = serialize_keras_object(SeedGenerator(3, name="mine"))
    assert (config["module"], config["class_name"], config["registered_name"]) == (
        "keras.random",
        "SeedGenerator",
        None,
    )  # as Keras 3.15
    again = deserialize_keras_object(config)
    assert type(again) is SeedGenerator
    assert (again.seed, again.name) == (3, "mine")


def test_a_metric_that_writes_its_config_finds_the_function(backend: Backend) -> None:
    """As bayesflow's metrics do, which take it out again."""

    class Distance(MeanMetricWrapper):
        def __init__(self, name: str = "distance", **kwargs: Any) -> None:
            super().__init__(mean_absolute_error, name=name, **kwargs)

        def get_config(self) -> dict[str, Any]:
            config = super().get_config()
            config.pop("fn")
            return config

    metric = Distance.from_config(Distance("far").get_config())
    assert metric.name == "far"
    np.testing.assert_allclose(metric(np.zeros((2, 2)), np.ones((2, 2))), 1.0)


@pytest.mark.parametrize("symbolic", [True, False])
def test_initial_weights_are_kept_however_a_layer_is_built(backend: Backend, symbolic: bool) -> None:
    table = np.arange(8.0).reshape(4, 2)
    layer = layers.Embedding(4, 2, weights=[table])
    model = Sequential([Input((1,), dtype="int32"), layer]) if symbolic else Sequential([layer])
    np.testing.assert_array_equal(np.asarray(model(np.array([[1], [3]])))[:, 0], table[[1, 3]])


def test_a_list_of_inputs_without_masks_comes_with_a_list_of_none(backend: Backend) -> None:
    seen: list[Any] = []

    class Sees(Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            seen.append(mask)
            return inputs[0]

    Sees()([X, X])
    assert seen == [[None, None]]
    Sees()(X)
    assert seen[1:] == [None]
    x = Input((4,))
    Model(x, Sees()([x, x]))
    assert seen[2] == [None, None]


class LooksAtShapes(Layer):
    """Its `build` tells one input from several by the type of the shape, as keras-multi-head does."""

    def build(self, input_shape: Any) -> None:
        first = input_shape[0] if isinstance(input_shape, list) else input_shape
        self.scale = self.add_weight((first[-1],), "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return self.scale * (inputs[0] if isinstance(inputs, list) else inputs)


def test_shapes_in_files_are_tuples_again(backend: Backend, tmp_path: Any) -> None:
    x = Input((4,))
    y = LooksAtShapes()([LooksAtShapes()(x), x])
    model = Model(x, y)
    for suffix in ("keras", "h5"):
        path = str(tmp_path / f"model.{suffix}")
        model.save(path)
        again = load_model(path, custom_objects={"LooksAtShapes": LooksAtShapes})
        np.testing.assert_array_equal(np.asarray(again(X)), X)


def test_a_written_config_has_no_arguments_of_its_class_but_those_it_adds(backend: Backend) -> None:
    """As in Keras: an attribute may hold something else than the argument of its name."""

    class Embeds(Layer):
        def __init__(self, kind: str = "dense", units: int = 2, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.kind = {"dense": layers.Dense}[kind](units)
            self.units = units

        def call(self, x: Any) -> Any:
            return self.kind(x)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    layer = Embeds(units=3, name="embeds")
    layer(X)
    assert set(layer.get_config()) == {"name", "trainable", "dtype", "units"}  # as of Keras 3.15
    copied = clone_model(layer)
    assert type(copied) is Embeds
    assert copied(X).shape == (10, 3)

    class Wide(layers.Dense):
        def get_config(self) -> dict[str, Any]:
            return super().get_config()

    assert Wide(5, activation="relu").get_config()["activation"] == "relu"


def test_sizes_may_be_numpys(backend: Backend) -> None:
    shape = Input((np.int64(5), 1)).shape  # type: ignore[arg-type]
    assert shape == (None, 5, 1)
    assert type(shape[1]) is int


class Made(Layer):
    """It writes no config, and keeps under an argument's name what it made of it."""

    def __init__(self, kind: str = "dense", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = {"dense": layers.Dense, "wide": layers.EinsumDense}[kind](2)

    def build(self, input_shape: Any) -> None:
        self.kind.build(input_shape)

    def call(self, x: Any) -> Any:
        return self.kind(x)


def test_what_a_class_was_given_stands_in_its_config(backend: Backend) -> None:
    """As bayesflow's transformers need it. A clone of a layer that is built is built too."""
    layer = Made("dense", name="made")
    layer.trainable = False
    assert layer.get_config()["kind"] == "dense"
    assert layer.get_config()["trainable"] is False
    layer(X)
    copied = clone_model(layer)
    assert [w.shape for w in copied.weights] == [(4, 2), (2,)]
    assert copied.name == "made"


def test_a_model_without_trainable_weights_is_warned_of(backend: Backend) -> None:
    """As of Keras 2's GANs, whose discriminator stayed trainable as it was compiled."""
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        model.train_on_batch(X, X[:, :1])

"""What other people's libraries lean on: Keras's habits and private names, on each backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Model, Sequential, layers, metrics, ops, saving
from polykeras.as_keras.private import _build_attention_equation, obtain_input_shape
from polykeras.backend import Backend
from polykeras.layers.recurrent.dropout_masks import DropoutRNNCell

X = np.random.default_rng(0).normal(size=(4, 5, 8)).astype("float32")


class Silent(Model):
    """A model whose loss needs no outputs."""

    def call(self, inputs: Any) -> None:
        pass

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        return ops.full((), 2.0)


def test_a_model_that_returns_nothing_trains_by_its_own_loss(backend: Backend) -> None:
    model = Silent()
    model.compile()
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        assert model.fit(np.zeros((4, 2), "float32"), verbose=0).history == {"loss": [2.0]}


def test_nothing_is_no_part_of_a_graph(backend: Backend) -> None:
    with pytest.raises(ValueError, match="returned None. Did it forget to `return`"):
        Silent()(keras.Input((2,)))


def test_own_metrics_are_a_list_to_which_code_appends(backend: Backend) -> None:
    layer = layers.Dense(2)
    assert layer._metrics == []
    mean = metrics.Mean(name="mine")
    layer._metrics.append(mean)
    layer.attribute = metrics.Sum()
    assert layer._metrics == [mean, layer.attribute]
    assert Sequential([layer]).metrics == [mean, layer.attribute]
    layer._metrics = [mean]
    assert layer._metrics[0] is mean
    layer.attribute = metrics.Sum()  # instead of the one that was listed
    layer._metrics += [other := metrics.Mean()]
    assert layer._metrics == layer.metrics == [mean, other, layer.attribute]
    layer.attribute = None
    assert layer.metrics == [mean, other]


def test_a_look_at_own_metrics_changes_nothing(backend: Backend) -> None:
    layer = layers.Dense(2)
    layer.attribute = metrics.Sum()
    before = dict(vars(layer))
    assert layer._metrics == [layer.attribute]
    assert vars(layer) == before
    layer.attribute = metrics.Mean()
    assert layer._metrics == layer.metrics == [layer.attribute]


@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("relu"),
        layers.ReLU(),
        layers.LeakyReLU(),
        layers.ELU(),
        layers.Softmax(),
        layers.Dropout(0.5),
        layers.SpatialDropout1D(0.5),
        layers.GaussianNoise(0.5),
        layers.AlphaDropout(0.5),
        layers.ActivityRegularization(0.1),
        layers.Identity(),
        layers.Masking(),
        layers.UnitNormalization(),
        layers.MaxPooling1D(),
        layers.GlobalAveragePooling1D(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_with_nothing_to_build_say_so_when_they_are_new(layer: layers.Layer) -> None:
    # As `built` of Keras 3.15.1's; these are not: Dense, PReLU, Flatten, Add.
    assert layer.built


def test_a_subclass_with_a_build_is_not_built() -> None:
    class Mine(layers.Dropout):
        def build(self, input_shape: Any) -> None:
            self.made = True

    layer = Mine(0.5)
    assert not layer.built
    assert not any(layer.built for layer in (layers.Dense(1), layers.PReLU(), layers.Flatten(), layers.Add()))


@pytest.mark.parametrize("scores", [False, True])
def test_a_mask_without_a_batch_is_that_of_all_samples(backend: Backend, scores: bool) -> None:
    layer = layers.MultiHeadAttention(2, 4)
    causal = layer(X, X, use_causal_mask=True, return_attention_scores=scores)
    masked = layer(X, X, attention_mask=np.tril(np.ones((5, 5), bool)), return_attention_scores=scores)
    pairs = zip(causal, masked, strict=True) if scores else [(causal, masked)]
    for expected, found in pairs:
        np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("axes", [None, (1,), (2,)])
def test_equations_of_attention(backend: Backend, axes: tuple[int, ...] | None) -> None:
    x = X[:, :, None] * np.ones((1, 1, 3, 1), "float32")
    layer = layers.MultiHeadAttention(2, 4, attention_axes=axes)
    expected, weights = layer(x, x, return_attention_scores=True)
    query, key, value = layer._query_dense(x), layer._key_dense(x), layer._value_dense(x)
    scores = ops.convert_to_numpy(ops.einsum(layer._dot_product_equation, key, query)) / 2.0
    attended = tuple(range(-len(axes or (1, 2)), 0))
    powers = np.exp(scores)
    np.testing.assert_allclose(
        powers / powers.sum(attended, keepdims=True), ops.convert_to_numpy(weights), rtol=1e-4, atol=1e-6
    )
    found = layer._output_dense(ops.einsum(layer._combine_equation, weights, value))
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), rtol=1e-4, atol=1e-5)
    # As Keras 3.15.1's own function gives them.
    assert _build_attention_equation(4, (1,)) == ("aecd,abcd->acbe", "acbe,aecd->abcd", 4)


class Dropping(DropoutRNNCell, layers.Layer):
    """A cell that adds up what it is given, with one mask for all times."""

    def __init__(self, dropout: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = self.output_size = 8
        self.dropout, self.recurrent_dropout = dropout, 0.0
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        mask = self.get_dropout_mask(inputs)
        state = states[0] + inputs * mask if training else states[0] + inputs
        return state, [state]


def test_a_cells_mask_is_one_for_all_times_and_another_for_the_next_batch(backend: Backend) -> None:
    layer = layers.RNN(Dropping())
    first, second = (ops.convert_to_numpy(layer(np.ones((3, 6, 8), "float32"), training=True)) for _ in range(2))
    assert set(first.ravel()) == {0.0, 12.0}  # six times nothing, or six times 1 / (1 - 0.5)
    assert not np.array_equal(first, second)
    assert layer.cell._dropout_mask is None


@pytest.mark.parametrize("sequences", [False, True])
def test_a_cell_with_masks_along_no_times(sequences: bool, backend: Backend) -> None:
    layer = layers.RNN(Dropping(), return_sequences=sequences, return_state=True, zero_output_for_mask=True)
    for mask in (None, np.zeros((3, 0), bool)):
        output, state = layer(np.ones((3, 0, 8), "float32"), initial_state=np.ones((3, 8), "float32"), mask=mask)
        assert output.shape == ((3, 0, 8) if sequences else (3, 8))
        np.testing.assert_array_equal(ops.convert_to_numpy(output), 0)
        np.testing.assert_array_equal(ops.convert_to_numpy(state), 1)


def test_a_cell_with_masks_trains(backend: Backend) -> None:
    model = Sequential([layers.RNN(Dropping()), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(X, X[:, 0, :1], epochs=2, verbose=0).history["loss"]).all()


class Sampler:
    """A class of a library with a registry of its own."""

    def __init__(self, k: int = 1) -> None:
        self.k = k

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sampler:
        return cls(**config)


def test_names_of_a_librarys_own_objects() -> None:
    known = {"sampler": Sampler, "double": abs}

    def made(config: Any, **kwargs: Any) -> Any:
        return saving.deserialize_keras_object(config, module_objects=known, **kwargs)

    assert made("sampler", printable_module_name="sampler").k == 1
    assert made({"class_name": "sampler", "config": {"k": 3}}).k == 3
    assert made("double") is abs
    assert made("unknown") == "unknown"  # as in Keras: it may be an object already


def test_shapes_of_images() -> None:
    # As Keras 3.15.1's function of this name.
    assert obtain_input_shape(None, 224, 32, "channels_last", True) == (224, 224, 3)
    assert obtain_input_shape(None, 224, 32, "channels_first", False) == (3, None, None)
    assert obtain_input_shape((64, 64, 5), 224, 32, "channels_last", True) == (64, 64, 5)
    for shape, weights in (((16, 16, 3), None), ((None, None, 3), None), ((64, 64, 1), "imagenet"), ((64, 3), None)):
        with pytest.raises(ValueError, match="nput"):
            obtain_input_shape(shape, 224, 32, "channels_last", True, weights)


@saving.register_keras_serializable("tests")
class Wrong(layers.Layer):
    """Its config makes another layer, and it has a weight too many."""

    def __init__(self, width: int = 1) -> None:
        super().__init__()
        self.width = width

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight(shape=(self.width,))

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width + 1}


def test_keras_own_test_case(backend: Backend) -> None:
    from polykeras.as_keras.testing import TestCase

    case = TestCase()
    case.setUp()
    case.run_layer_test(
        layers.Dense,
        {"units": 3},
        input_shape=(2, 4),
        expected_output_shape=(2, 3),
        expected_num_trainable_weights=2,
        expected_num_seed_generators=0,
        expected_num_losses=0,
        supports_masking=True,
    )
    with pytest.raises(AssertionError):
        case.run_layer_test(layers.Dense, {"units": 3}, input_shape=(2, 4), expected_output_shape=(2, 4))
    with pytest.raises(AssertionError):
        case.run_class_serialization_test(Wrong())
    case.assertAllClose(ops.ones((2,)), [1.0, 1.0])
    with pytest.raises(AssertionError):
        case.assertAllClose(ops.ones((2,)), [1.0, 1.1])
    with pytest.raises(AssertionError):
        case.assertNotAllClose(ops.ones((2,)), [1.0, 1.0])
    case.assertDType(ops.ones((2,), "int32"), "int32")
    case.doCleanups()

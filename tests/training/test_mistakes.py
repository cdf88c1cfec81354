"""More mistakes of users that are named: shapes of products and reshapes, values of symbolic tensors, reserved names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import initializers, layers, losses, ops, optimizers
from polykeras.backend import Backend

X = np.ones((2, 3), "float32")


@pytest.mark.parametrize(("left", "right"), [((2, 3), (2, 3)), ((4, 2, 3), (2, 3)), ((3,), (4,)), ((3,), (2, 3))])
def test_a_product_that_does_not_fit_names_both_shapes(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    expected = re.escape(f"received shapes {left} and {right}")
    with keras.backend.use_backend("numpy"), pytest.raises(ValueError, match=f"matmul: expected.*{expected}"):
        ops.matmul(np.ones(left, "float32"), np.ones(right, "float32"))


def test_products_that_fit_are_not_refused(backend: Backend) -> None:
    for left, right in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3, 5)), ((4, 2, 3), (1, 3, 5))):
        product = ops.matmul(np.ones(left, "float32"), np.ones(right, "float32"))
        assert backend.shape(product) == np.matmul(np.ones(left), np.ones(right)).shape


@pytest.mark.parametrize(
    ("shape", "target", "words"),
    [
        ((4,), (5,), r"\(4,\) cannot become \(5,\): 4 elements were received, 5 expected"),
        ((2, 3), (4, -1), r"\(4, -1\): 6 elements do not divide by 4"),
    ],
)
def test_a_reshape_counts_the_sizes_that_are_known(shape: Any, target: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layers.Reshape(target)(keras.Input(shape))


def test_a_reshape_of_known_sizes_says_no_more() -> None:
    with keras.backend.use_backend("numpy"), pytest.raises(ValueError, match=r"\): 3 elements were received, 4 exp"):
        layers.Reshape((4,))(keras.Input(batch_shape=(1, 3)))


@pytest.mark.parametrize(
    "use", [np.sin, np.sum, np.asarray, float, int, bool, iter, lambda x: np.add(1.0, x)],
    ids=["np.sin", "np.sum", "np.asarray", "float", "int", "bool", "iter", "np.add"],
)  # fmt: skip
def test_a_symbolic_tensor_asked_for_its_value(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"(?s)<KerasTensor.*no value.*polykeras\.ops.*Lambda.*layer"):
        use(keras.Input((3,)))


def test_arrays_on_the_left_of_a_symbolic_tensor() -> None:
    x = keras.Input((3,))
    for result in (np.ones((1, 3), "float32") * x, np.float32(2.0) - x, np.ones(3, "float32") < x):
        assert result.shape == (None, 3)
    assert (np.ones((2, 5), "float32") @ keras.Input((5, 4))).shape == (None, 2, 4)


def test_add_weight_in_the_order_of_keras_2(backend: Backend) -> None:
    layer: Any = layers.Layer()
    for weight in (
        layer.add_weight("kernel", (3, 2), "float32", "ones"),
        layer.add_weight("kernel", shape=(3, 2), initializer="ones"),
        layer.add_weight((3, 2), "ones", name="kernel"),
    ):
        assert (weight.name, weight.shape, weight.dtype) == ("kernel", (3, 2), "float32")
        np.testing.assert_array_equal(weight.numpy(), np.ones((3, 2)))
    assert layer.add_weight("steps", (), "int32", "zeros", None, False).trainable is False
    assert len(layer.weights) == 4


def _model(*tail: layers.Layer, loss: str = "mse") -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), *(tail or [layers.Dense(1)])])
    model.compile("sgd", loss)
    return model


class NoReturn(keras.Model):
    def call(self, x: Any) -> None:
        ops.sum(x)


def _without_return() -> None:
    model = NoReturn()
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)


def _without_flatten() -> None:
    labels = np.zeros(2, "int32")
    losses.sparse_categorical_crossentropy(labels, np.ones((2, 5, 3), "float32") / 3)


def _row_of_nan(x: np.ndarray) -> None:
    _model().fit(np.where(np.arange(2)[:, None] == 1, np.nan, x), X[:, :1], verbose=0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: _model().fit(X, X[:, :1], validation_data=X, verbose=0), r"received y=None.*validation_data=\(x, y\)"),
        (_without_return, "returned nothing that a loss could compare; received None. Does its `call` end with `return`"),
        (_without_flatten, "more axes than one for samples .* is a Flatten, a pooling layer"),
        (lambda: losses.sparse_categorical_crossentropy(np.eye(2), np.eye(2, dtype="float32")), "One-hot labels go with"),
        (lambda: losses.categorical_crossentropy(X, X[:, :2]), "have the same shape; .* The last layer needs as many"),
        (lambda: keras.Sequential().compile("mse", "adam"), "'mse' is a loss, not an optimizer"),
        (lambda: keras.metrics.get("crossentropy"), r"'crossentropy'\. Did you mean '([a-z]+_crossentropy|[A-Z]\w+)'\?"),
        (lambda: keras.metrics.get("f1"), r"Did you mean 'f1_score'\?"),
        (lambda: _model().fit(X, X[:, :1], class_weight=[1, 2], verbose=0), r"a dict of .*\{0: 1.0, 1: 5.0\}; received a l"),
        (lambda: keras.utils.to_categorical(["a", "b"]), r"to_categorical: expected class numbers; received dtype <U1"),
        (lambda: keras.utils.to_categorical([None]), "received dtype object"),
        (lambda: _model().fit(X, np.array(["a", "b"]), verbose=0), r"y: expected numbers.*np\.unique\(y, return_inverse"),
        (lambda: _row_of_nan(X), r"\(row 1\).*`keep = ~np\.isnan\(x\)\.any\(axis=1\)`"),
    ],
)  # fmt: skip
def test_a_mistake_says_how_to_mend_it(call: Callable[[], Any], words: str) -> None:
    with keras.backend.use_backend("numpy"), pytest.raises(ValueError, match=words):
        call()


def test_class_numbers_may_be_written_as_keras_takes_them() -> None:
    np.testing.assert_array_equal(keras.utils.to_categorical([0, 1.7]), np.eye(2))  # Keras 3.15 truncates too
    np.testing.assert_array_equal(keras.utils.to_categorical(["0", "1"]), np.eye(2))


def test_a_missing_file_is_looked_for_by_name(tmp_path: Path) -> None:
    (tmp_path / "digits.keras").touch()
    with pytest.raises(FileNotFoundError) as caught:
        keras.saving.load_model(tmp_path / "digit.keras")
    assert str(caught.value).endswith(f"It was looked for in {tmp_path}. Did you mean 'digits.keras'?")
    with pytest.raises(FileNotFoundError, match="There is no such folder"):
        _model().load_weights(tmp_path / "none" / "m.weights.h5")


@pytest.mark.parametrize("name", ["weights", "trainable_variables", "losses", "input", "dtype", "metrics"])
def test_an_attribute_with_a_name_of_ours(name: str) -> None:
    class Taken(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            setattr(self, name, [])

    with pytest.raises(AttributeError, match=rf"(?s)Taken.*cannot set .*`{name}`.*property of \w+.*`own_{name}`"):
        Taken()


def test_a_property_with_the_name_of_an_attribute_of_ours() -> None:
    class Named(layers.Layer):
        @property
        def name(self) -> str:  # type: ignore[override]
            return "mine"

    with pytest.raises(AttributeError, match=r"Named: cannot set the attribute `name`: it is a property of Named"):
        Named()


def test_properties_with_setters_and_other_errors_stay() -> None:
    class Free(layers.Layer):
        @property
        def rate(self) -> float:
            return self._rate

        @rate.setter
        def rate(self, value: float) -> None:
            self._rate = value * 2
            if value < 0:
                raise ValueError("negative")

    layer = Free()
    layer.rate = 2.0
    layer.trainable = False
    assert (layer.rate, layer.trainable) == (4.0, False)
    with pytest.raises(ValueError, match="negative"):
        layer.rate = -1.0


@pytest.mark.parametrize(
    ("get", "words"),
    [(initializers.get, "as an initializer"), (optimizers.get, "as an optimizer"), (losses.get, "as a loss")],
)
def test_articles(get: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        get(3)


def test_a_layer_shared_across_a_nested_model_is_two_in_its_config() -> None:
    """As in Keras 3.15: each model of a config makes its own layers."""
    shared = layers.Dense(3)
    x = keras.Input((3,))
    inner = keras.Model(x, shared(x))
    y = keras.Input((3,))
    model = keras.Model(y, shared(inner(y)))
    assert len(model.weights) == 2
    twin = keras.Model.from_config(model.get_config())
    assert len(twin.weights) == 4
    within = keras.Model(y, shared(shared(y)))
    assert len(keras.Model.from_config(within.get_config()).weights) == 2

"""Mistakes that compiled steps do not see: wrong indices, a loss that is nan, a classifier without a softmax."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers
from polykeras.backend import Backend

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X.sum(axis=1, keepdims=True)

# ---- indices ---------------------------------------------------------------------------------------------------------

WORDS = np.array([[0, 1, 2], [3, 4, 0], [1, 2, 3], [4, 4, 4]])
SCORES = np.ones((4, 1), "float32")
SIZE = 5


def table(**kwargs: Any) -> layers.Layer:
    return layers.Embedding(SIZE, 2, name="words", **kwargs)


def plain() -> keras.Model:
    return keras.Sequential([table(), layers.Flatten(), layers.Dense(1)])


def with_input() -> keras.Model:
    return keras.Sequential([keras.Input((3,), dtype="int32"), table(), layers.Flatten(), layers.Dense(1)])


def functional() -> keras.Model:
    x = keras.Input((3,))  # floats, as many write it
    return keras.Model(x, layers.Dense(1)(layers.Flatten()(table()(x))))


def nested() -> keras.Model:
    x = keras.Input((3,), dtype="int32")
    inner = keras.Sequential([table(), layers.Flatten()])
    return keras.Model(x, layers.Dense(1)(inner(x)))


def second_of_two() -> keras.Model:
    x, words = keras.Input((3,), name="x"), keras.Input((3,), dtype="int32", name="text")
    inner = keras.Model([x, words], layers.concatenate([x, layers.Flatten()(table()(words))]))
    return keras.Model({"x": x, "text": words}, layers.Dense(1)(inner([x, words])))


def inputs(model: keras.Model, words: np.ndarray) -> Any:
    return {"x": X[: len(words)], "text": words} if isinstance(model.input, dict) else words


MODELS = [with_input, functional, nested, second_of_two]


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("bad", [-1, SIZE])
def test_an_index_outside_the_table_is_refused_by_every_loop(
    backend: Backend, make: Callable[[], keras.Model], bad: int
) -> None:
    model = make()
    model.compile("sgd", "mse")
    good = inputs(model, WORDS)
    model.fit(good, SCORES, batch_size=2, verbose=0)
    weights = model.get_weights()
    words = WORDS.copy()
    words[3, 1] = bad
    wrong = inputs(model, words)
    calls: list[Callable[[], Any]] = [
        lambda: model.fit(wrong, SCORES, batch_size=2, verbose=0),
        lambda: model.fit(good, SCORES, validation_data=(wrong, SCORES), verbose=0),
        lambda: model.evaluate(wrong, SCORES, verbose=0),
        lambda: model.predict(wrong, verbose=0),
        lambda: model.predict(wrong, batch_size=2, verbose=0),
        lambda: model.train_on_batch(wrong, SCORES),
        lambda: model.test_on_batch(wrong, SCORES),
        lambda: model.predict_on_batch(wrong),
        lambda: model.fit(iter([(wrong, SCORES)]), verbose=0),
        lambda: model.predict(iter([wrong]), verbose=0),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match=rf"'words' \(Embedding\): expected .* from 0 to 4 .*index {bad} at \[3, 1\]"
        ):
            call()
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert np.isfinite(model.predict(good, verbose=0)).all()


def test_a_model_without_an_input_checks_its_first_data(backend: Backend) -> None:
    model = plain()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="received the index 5"):
        model.fit(np.full((4, 3), SIZE), SCORES, verbose=0)
    model.fit(WORDS, SCORES, verbose=0)


def test_copies_check_by_their_own_layers(backend: Backend) -> None:
    model = functional()
    twin = copy.deepcopy(model)
    twin.get_layer("words").input_dim = 100  # what is looked at, for a table that stays
    with pytest.raises(ValueError, match="received the index 5"):
        model.predict(np.full((4, 3), SIZE), verbose=0)
    check = twin._input_check()
    assert check is not None
    check(np.full((4, 3), SIZE))


def test_a_step_of_ones_own_may_change_the_inputs_first(backend: Backend) -> None:
    class FromOne(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            words, scores = data
            return super().train_step((words - 1, scores))

        def predict_step(self, data: Any) -> Any:
            return super().predict_step(keras.ops.maximum(data, 0))

    model = FromOne([keras.Input((3,), dtype="int32"), table(), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(WORDS + 1, SCORES, verbose=0)
    assert np.isfinite(model.predict(WORDS - 1, verbose=0)).all()
    with pytest.raises(ValueError, match="received the index 5"):
        model.evaluate(WORDS + 1, SCORES, verbose=0)


def test_layers_that_read_their_inputs_in_another_way_are_left_alone(backend: Backend) -> None:
    class FromOne(layers.Embedding):
        def call(self, inputs: Any) -> Any:
            return super().call(inputs - 1)

    class Shifted(keras.Sequential):
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return super().call(inputs - 1, training, mask)

    x = keras.Input((3,), dtype="int32")
    for first in (FromOne(SIZE, 2), Shifted([keras.Input((3,), dtype="int32"), table()])):
        assert np.isfinite(keras.Model(x, first(x)).predict(WORDS + 1, verbose=0)).all()
    vectors = keras.Input((3, 2))
    words = layers.ReversibleEmbedding(SIZE, 2)
    words.build()
    scores = keras.Model(vectors, words(vectors, reverse=True))
    assert scores.predict(np.full((4, 3, 2), -0.5), verbose=0).shape == (4, 3, SIZE)


# ---- a loss that is nan ----------------------------------------------------------------------------------------------


def falling_to_nan(callbacks: list[Any]) -> list[str]:
    """Train for four epochs, of which the third begins with weights that are nan; return the warnings."""

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                self.model.set_weights([np.full_like(w, np.nan) for w in self.model.get_weights()])

    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, epochs=4, verbose=0, callbacks=[Spoil(), *callbacks])
    assert all(warning.filename == __file__ for warning in caught), "the line that calls `fit` is named"
    return [str(warning.message) for warning in caught]


def test_a_loss_that_becomes_nan_is_told_once(backend: Backend) -> None:
    (told,) = falling_to_nan([])
    assert "the loss is nan from epoch 3 on" in told
    assert "polykeras.config.set_nan_guard(True)" in told
    assert falling_to_nan([keras.callbacks.TerminateOnNaN()]) == []  # which tells it, and ends training
    keras.config.set_nan_guard(True)
    try:
        with pytest.raises(FloatingPointError, match="not finite before the step"):
            falling_to_nan([])
    finally:
        keras.config.set_nan_guard(False)


# ---- a cross-entropy of scores ---------------------------------------------------------------------------------------


def sequential(*tail: Any) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), *tail])


def graph(*tail: Any) -> keras.Model:
    x = y = keras.Input((3,))
    for layer in tail:
        y = layer(y)
    return keras.Model(x, y)


def unbuilt(*tail: Any) -> keras.Model:
    return keras.Sequential(list(tail))


def inside(*tail: Any) -> keras.Model:
    return graph(sequential(*tail))


KINDS = [sequential, graph, unbuilt, inside]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("loss", "advice"),
    [
        ("sparse_categorical_crossentropy", r"Dense\(4, activation='softmax'\) or .*SparseCategoricalCrossentropy"),
        ("categorical_crossentropy", r"activation='softmax'\) or loss=CategoricalCrossentropy\(from_logits=True\)"),
        ("binary_crossentropy", r"activation='sigmoid'\) or loss=BinaryCrossentropy\(from_logits=True\)"),
        (keras.losses.binary_crossentropy, "activation='sigmoid'"),
        (keras.losses.CategoricalFocalCrossentropy(), "activation='softmax'"),
        ([keras.losses.BinaryCrossentropy()], "activation='sigmoid'"),
    ],
)
def test_a_cross_entropy_of_a_dense_layer_without_activation(kind: Any, loss: Any, advice: str) -> None:
    model = kind(layers.Dense(4, name="scores"))
    with pytest.warns(UserWarning, match=rf"(?s)expects probabilities.*'scores' \(Dense\).*{advice}") as caught:
        model.compile("sgd", loss)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("units", "loss", "words"),
    [
        (1, "binary_crossentropy", r"one unit and a softmax, which always gives 1.*Dense\(1, activation='sigmoid'\)"),
        (1, "mse", "one unit and a softmax"),
        (4, keras.losses.CategoricalCrossentropy(from_logits=True), r"\(from_logits=True\) expects logits.*a softmax"),
        (4, keras.losses.SparseCategoricalCrossentropy(from_logits=True), "Leave out `from_logits`, or the softmax"),
    ],
)
def test_a_softmax_that_cannot_be_right(kind: Any, units: int, loss: Any, words: str) -> None:
    model = kind(layers.Dense(units, "softmax", name="scores"))
    with pytest.warns(UserWarning, match=rf"(?s)compile: .*'scores' \(Dense\).*{words}|{words}") as caught:
        model.compile("sgd", loss)
    assert [warning.filename for warning in caught] == [__file__]
    assert "'scores' (Dense)" in str(caught[0].message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("tail", "loss"),
    [
        ([layers.Dense(4, activation="softmax")], "categorical_crossentropy"),
        ([layers.Dense(4), layers.Softmax()], "categorical_crossentropy"),
        ([layers.Dense(4), layers.Activation("sigmoid")], "binary_crossentropy"),
        ([layers.Dense(4), layers.Lambda(keras.ops.sigmoid)], "binary_crossentropy"),
        ([layers.Dense(4, activation=lambda x: keras.ops.sigmoid(x))], "binary_crossentropy"),
        ([layers.Dense(4)], keras.losses.CategoricalCrossentropy(from_logits=True)),
        ([layers.Dense(4)], lambda y_true, y_pred: keras.ops.mean(y_pred)),
        ([layers.Dense(4)], "mse"),
        ([layers.Dense(4)], None),
    ],
)
def test_other_ends_of_models_are_left_alone(kind: Any, tail: list[Any], loss: Any) -> None:
    kind(*tail).compile("sgd", loss)


def test_each_output_is_looked_at_by_its_own_loss() -> None:
    x = keras.Input((3,))
    model = keras.Model(x, [layers.Dense(2, name="a")(x), layers.Dense(2, name="b")(x)])
    for loss in ({"a": "mse", "b": "binary_crossentropy"}, ["mse", "binary_crossentropy"]):
        with pytest.warns(UserWarning, match="'b'") as caught:
            model.compile("sgd", loss)
        assert len(caught) == 1
    model.compile("sgd", {"a": "mse"})
    model.compile("sgd", {"c": "binary_crossentropy"})  # refused once the outputs are known, as before


def test_what_a_user_wrote_may_be_right() -> None:
    class Own(keras.Sequential):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **kwargs: Any) -> Any:
            return super().compute_loss(x, y, keras.ops.softmax(y_pred), **kwargs)

    class Positive(layers.Dense):
        def call(self, inputs: Any, training: bool | None = None) -> Any:
            return keras.ops.sigmoid(super().call(inputs, training))

    Own([keras.Input((3,)), layers.Dense(4)]).compile("sgd", "categorical_crossentropy")
    keras.Sequential([keras.Input((3,)), Positive(4)]).compile("sgd", "binary_crossentropy")

    class Called(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.scores = layers.Dense(4)

        def call(self, x: Any) -> Any:
            return keras.ops.softmax(self.scores(x))

    Called().compile("sgd", "categorical_crossentropy")

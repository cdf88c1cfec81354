"""Cross-entropies of a softmax's output are computed from its logits while a model is trained or evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as pk
from polykeras import activations, layers, logits, losses, ops

LARGE = 200.0  # the softmax of (0, LARGE) is (0, 1) in float32


def _model(last: list[Any], loss: Any) -> Any:
    model = pk.Sequential([pk.Input((2,)), *last])
    model.compile(optimizer=pk.optimizers.SGD(1.0), loss=loss)
    return model


def _dense(**kwargs: Any) -> Any:
    return layers.Dense(2, kernel_initializer="identity", use_bias=False, **kwargs)


HEADS = {
    "activation": lambda: [_dense(activation="softmax")],
    "layer": lambda: [_dense(), layers.Softmax()],
    "activation layer": lambda: [_dense(), layers.Activation("softmax")],
    "first axis": lambda: [_dense(), layers.Activation(lambda x: activations.softmax(x, 1))],
}
CASES = {
    "sparse": ("sparse_categorical_crossentropy", np.array([0], "int32")),
    "object": (lambda: losses.SparseCategoricalCrossentropy(ignore_class=5), np.array([0], "int32")),
    "one-hot": ("categorical_crossentropy", np.array([[1.0, 0.0]], "float32")),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("head", HEADS)
def test_certain_mistakes_cost_what_they_should_and_are_learned_from(backend: Any, head: str, case: str) -> None:
    loss, y = CASES[case]
    model = _model(HEADS[head](), loss() if callable(loss) else loss)
    x = np.array([[0.0, LARGE]], "float32")
    assert float(model.evaluate(x, y, verbose=0)) == LARGE  # of the probability 0 it were 16
    assert model.fit(x, y, verbose=0).history["loss"] == [LARGE]
    np.testing.assert_array_equal(model.get_weights()[0], [[1, 0], [LARGE, 1 - LARGE]])


def test_the_same_holds_in_a_loop_of_ones_own(backend: Any) -> None:
    x = pk.Variable(np.array([[0.0, LARGE]], "float32"))
    loss = losses.SparseCategoricalCrossentropy()
    value, gradient = pk.value_and_grad(lambda: loss(np.array([0]), activations.softmax(x)), x)()
    assert float(value) == LARGE
    np.testing.assert_array_equal(ops.convert_to_numpy(gradient), [[-1, 1]])


def test_other_probabilities_are_taken_as_they_are(backend: Any) -> None:
    y, x = np.array([0], "int32"), ops.convert_to_tensor(np.array([[0.0, LARGE]], "float32"))
    of_probabilities = float(losses.sparse_categorical_crossentropy(y, ops.softmax(x))[0])
    assert of_probabilities == pytest.approx(-np.log(1e-7))
    assert float(losses.sparse_categorical_crossentropy(y, activations.softmax(x))[0]) == of_probabilities
    with logits.remembered():
        known = activations.softmax(x)
        assert float(losses.sparse_categorical_crossentropy(y, known)[0]) == LARGE
        assert float(losses.sparse_categorical_crossentropy(y, known * 1.0)[0]) == of_probabilities
        assert logits.of(known, 0) is None  # a softmax along another axis
        assert logits.of(activations.softmax(x, axis=(0, 1)), 1) is None
    assert logits.of(known, 1) is None


def test_what_is_remembered_ends_with_the_outermost() -> None:
    p, x = np.ones((1, 1)), np.zeros((1, 1))
    with logits.remembered():
        with logits.remembered():
            logits.remember(p, -1, x)
        assert logits.of(p, 1) is x
    assert logits.of(p, 1) is None

"""Cross-entropies of a softmax's output are computed from its logits while a model is trained or evaluated."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import polykeras as pk
from polykeras import activations, layers, losses, ops
from polykeras.common import logits

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


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eager"])
def test_a_metric_agrees_with_the_loss(backend: Any, case: str, eagerly: bool) -> None:
    loss, y = CASES[case]
    loss = loss() if callable(loss) else loss
    model = pk.Sequential([pk.Input((2,)), *HEADS["activation"]()])
    metric = loss if isinstance(loss, str) else losses.sparse_categorical_crossentropy
    model.compile(optimizer=pk.optimizers.SGD(0.0), loss=loss, metrics=[metric], run_eagerly=eagerly)
    x = np.array([[0.0, LARGE]], "float32")
    assert model.evaluate(x, y, verbose=0) == [LARGE, LARGE]
    assert model.train_on_batch(x, y) == [LARGE, LARGE]
    history = model.fit(x, y, verbose=0).history
    assert [value for (value,) in history.values()] == [LARGE, LARGE]


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_a_loss_in_another_dtype_knows_them_too(backend: Any, dtype: str) -> None:
    model = _model([_dense(activation="softmax", dtype=dtype)], "sparse_categorical_crossentropy")
    assert float(model.evaluate(np.array([[0.0, LARGE]], "float32"), np.array([0]), verbose=0)) == LARGE


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_widened(backend: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    scores = ops.cast(rng.normal(size=(4, 1000)), dtype)
    exact = np.asarray(ops.convert_to_numpy(ops.cast(scores, "float32")), "float64")
    logs = exact - np.log(np.exp(exact).sum(-1, keepdims=True))
    classes = np.arange(4)
    target = ops.cast(np.full((4, 1000), 1 / 1024), dtype)
    dense = ops.categorical_crossentropy(target, scores, from_logits=True)
    sparse = ops.sparse_categorical_crossentropy(classes, scores, from_logits=True)
    within = {"rtol": 2**-8 if dtype == "bfloat16" else 2**-10}  # one rounding, of the result
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(dense, "float32")), -logs.sum(-1) / 1024, **within)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(sparse, "float32")), -logs[classes, classes], **within)


def test_a_class_that_is_masked_out_counts_nothing(backend: Any) -> None:
    x = pk.Variable(np.array([[1.0, -np.inf, 1.0]], "float32"))
    y = np.array([[1.0, 0.0, 0.0]], "float32")
    loss = losses.CategoricalCrossentropy()
    value, gradient = pk.value_and_grad(lambda: loss(y, activations.softmax(x)), x)()
    assert float(value) == pytest.approx(np.log(2), rel=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), [[-0.5, 0, 0.5]], rtol=1e-6)


def test_what_a_variable_was_counts(backend: Any) -> None:
    v, y = pk.Variable(np.array([[0.0, 1.0, 2.0]], "float32")), np.array([[1.0, 0.0, 0.0]], "float32")

    def assigned() -> Any:
        p = activations.softmax(v)
        v.assign([[9.0, 0.0, 0.0]])
        return losses.CategoricalCrossentropy()(y, p)

    value, _ = pk.value_and_grad(assigned, v)()
    assert float(value) == pytest.approx(np.log(1 + np.e + np.e**2), rel=1e-6)


@pytest.mark.parametrize("differentiated_first", [False, True])
def test_a_compiled_function_is_the_same_wherever_it_is_called(backend: Any, differentiated_first: bool) -> None:
    loss = losses.SparseCategoricalCrossentropy()
    fn = pk.function(lambda x: loss(np.array([0]), activations.softmax(x)))
    x = ops.convert_to_tensor(np.array([[0.0, LARGE]], "float32"))
    calls = [lambda: fn(x), lambda: pk.value_and_grad(fn)(x)[0]]
    assert [float(call()) for call in (reversed(calls) if differentiated_first else calls)] == [LARGE, LARGE]


@pytest.mark.parametrize("loss", [losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy])
def test_probabilities_that_are_called_logits_are_warned_of(backend: Any, loss: Any) -> None:
    y = np.array([0]) if loss is losses.SparseCategoricalCrossentropy else np.array([[1.0, 0.0]], "float32")
    model = _model([_dense(), layers.Softmax()], loss(from_logits=True))
    with pytest.warns(UserWarning, match="from_logits=True received the output of a softmax"):
        value = model.evaluate(np.array([[0.0, LARGE]], "float32"), y, verbose=0)
    assert float(value) == pytest.approx(np.log(1 + np.e), rel=1e-6)  # as it says: another softmax


def test_what_is_remembered_ends_with_the_block_and_the_array() -> None:
    p, x = np.ones((1, 1)), np.zeros((1, 1))
    with logits.remembered():
        logits.remember(p, np.int64(-1), x)
        with logits.remembered():
            assert logits.of(p, 1) is None
        assert logits.of(p, 1) is x
        del p
        gc.collect()
        assert logits._known.get() == {}
    assert not logits.are_remembered()

"""What losses make of labels, weights and masks: one number, or an error that says what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.loss_cases import rng, softmax
from helpers import f32
from helpers.parity import assert_parity
from polykeras import autodiff, layers, losses, ops
from polykeras.backend import Backend


def gradient(backend: Backend, loss: Callable[..., Any], y_true: Any, y_pred: Any) -> np.ndarray:
    return backend.to_numpy(autodiff.grad(lambda p: loss(f32(y_true), p))(ops.convert_to_tensor(f32(y_pred))))


# ---- reductions, weights, masks --------------------------------------------------------------------------------------


EACH = f32([1.0, 2.0, 3.0, 4.0])
WEIGHT = f32([1.0, 0.0, 2.0, 1.0])


class Given(losses.Loss):
    """The predictions are the losses."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred


@pytest.mark.parametrize(
    ("reduction", "plain", "weighted"),
    [
        ("sum_over_batch_size", 2.5, 11 / 4),
        ("mean", 2.5, 11 / 4),
        ("sum", 10.0, 11.0),
        ("mean_with_sample_weight", 2.5, 11 / 4),
        ("none", EACH, EACH * WEIGHT),
        (None, EACH, EACH * WEIGHT),
    ],
)
def test_reductions(backend: Backend, reduction: str | None, plain: Any, weighted: Any) -> None:
    loss = Given(reduction=reduction)
    assert_parity(backend.to_numpy(loss(EACH, EACH)), f32(np.asarray(plain)))
    assert_parity(backend.to_numpy(loss(EACH, EACH, WEIGHT)), f32(np.asarray(weighted)))
    column = f32(np.asarray(weighted))  # of weights that are a column the losses are one too, as in Keras
    column = column if column.ndim == 0 else column[:, None]
    assert_parity(backend.to_numpy(loss(EACH, EACH, WEIGHT[:, None])), column)


def test_mean_with_sample_weight_divides_by_the_weights(backend: Backend) -> None:
    loss = Given(reduction="mean_with_sample_weight")
    assert float(loss(EACH, EACH, f32([1, 0, 0, 1]))) == 2.5
    assert float(loss(EACH, EACH, 0 * WEIGHT)) == 0.0


def test_weights_meet_values_at_the_first_axis(backend: Backend) -> None:
    values = f32([[1.0, 2.0], [3.0, 4.0]])
    loss = Given(reduction="none")
    assert backend.to_numpy(loss(values, values, [1.0, 10.0])).tolist() == [[1.0, 2.0], [30.0, 40.0]]
    assert backend.to_numpy(loss(values, values, 2.0)).tolist() == [[2.0, 4.0], [6.0, 8.0]]
    with pytest.raises(ValueError, match="it has more axes"):
        loss(EACH, EACH, np.ones((4, 2), np.float32))


def masked_predictions(backend: Backend) -> tuple[Any, np.ndarray]:
    """Predictions `(2, 3, 1)` of which a `Masking` layer says that the last step of the second sample is none."""
    x = np.array([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [-1.0]]], np.float32)
    return layers.Masking(-1.0)(x), np.zeros_like(x)


def test_masked_values_do_not_count(backend: Backend) -> None:
    y_pred, y_true = masked_predictions(backend)
    each = [1.0, 4.0, 9.0, 16.0, 25.0]
    assert float(losses.MeanSquaredError()(y_true, y_pred)) == pytest.approx(sum(each) / 5)
    assert float(losses.MeanSquaredError("sum")(y_true, y_pred)) == pytest.approx(sum(each))
    weighted = losses.MeanSquaredError()(y_true, y_pred, sample_weight=[2.0, 1.0])
    assert float(weighted) == pytest.approx((2 * sum(each[:3]) + sum(each[3:])) / 5)
    mean = losses.MeanSquaredError("mean_with_sample_weight")(y_true, y_pred, sample_weight=[2.0, 1.0])
    assert float(mean) == pytest.approx((2 * sum(each[:3]) + sum(each[3:])) / 8)


def test_ignored_classes_do_not_count(backend: Backend) -> None:
    labels = np.array([[0, 255, 2], [1, 255, 255]])
    logits = f32(rng.normal(size=(2, 3, 3)))
    logs = np.log(softmax(logits.astype(float)))
    counted = [-logs[0, 0, 0], -logs[0, 2, 2], -logs[1, 0, 1]]
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    assert float(loss(labels, logits)) == pytest.approx(np.mean(counted), rel=1e-5)
    found = gradient(backend, loss, labels, logits)
    assert not found[labels == 255].any()
    assert np.abs(found[labels != 255]).min() > 0
    assert float(losses.sparse_categorical_crossentropy(labels, logits, True, 255)[0, 1]) == 0.0
    assert float(loss(np.full((2, 3), 255), logits)) == 0.0


# ---- labels ----------------------------------------------------------------------------------------------------------


def test_integer_labels(backend: Backend) -> None:
    assert float(losses.MeanSquaredError()(np.array([[1, 2]]), f32([[0.5, 1.0]]))) == pytest.approx(0.625)
    assert float(losses.BinaryCrossentropy()([[True]], f32([[0.5]]))) == pytest.approx(math.log(2.0))
    assert float(losses.MeanSquaredError()(f32([1.0, 3.0]), f32([[1.0], [1.0]]))) == pytest.approx(2.0)


def test_large_class_numbers_stay_exact(backend: Backend) -> None:
    # In float16, whole numbers above 2048 are rounded to even ones.
    scores = np.zeros((1, 2052), np.float16)
    scores[0, 2051] = 20.0
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float16")
    assert float(loss(np.array([2051]), scores)) < 0.1
    assert float(loss(np.array([2050]), scores)) > 10.0


def test_own_function_gets_float_labels(backend: Backend) -> None:
    def absolute(y_true: Any, y_pred: Any, factor: float = 1.0) -> Any:
        return factor * ops.abs(y_true - y_pred)  # on arrays of the framework itself

    loss = losses.LossFunctionWrapper(absolute, factor=2.0)
    assert loss.name == "absolute"
    assert float(loss(np.array([1, 2]), f32([[0.0], [0.0]]))) == pytest.approx(3.0)


def test_several_outputs(backend: Backend) -> None:
    class Pair(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return y_pred["a"] - y_true["a"] + y_pred["b"]

    value = Pair()({"a": EACH, "b": EACH}, {"a": EACH + f32([1.0, 1.0, 2.0, 4.0]), "b": 0 * EACH + 1})
    assert float(value) == pytest.approx(3.0)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "message"),
    [
        (losses.MeanSquaredError(), (4, 2), (4, 3), r"mean_squared_error: .*labels \(4, 2\) and predictions \(4, 3\)"),
        (losses.CategoricalCrossentropy(), (4,), (4, 3), r"class numbers go with sparse_categorical_crossentropy"),
        (losses.SparseCategoricalCrossentropy(), (4, 3), (4, 3), r"One-hot labels go with categorical_crossentropy"),
        (losses.Hinge(), (4, 2), (4,), r"hinge: .*labels \(4, 2\)"),
    ],
)
def test_wrong_shapes(backend: Backend, loss: losses.Loss, y_true: Any, y_pred: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(np.zeros(y_true, np.float32), np.zeros(y_pred, np.float32))


def test_labels_out_of_range() -> None:
    sparse = losses.SparseCategoricalCrossentropy()
    sparse.check_labels(np.array([0, 2]), (None, 3), "out")
    with pytest.raises(ValueError, match=r"'out' are out of range .* from 0 to 2; received 0 to 3.*3 classes"):
        sparse.check_labels(np.array([0, 3]), (None, 3), "out")
    with pytest.raises(ValueError, match="received -1 to 0"):
        sparse.check_labels(np.array([0, -1]), (None, 3), "out")
    losses.SparseCategoricalCrossentropy(ignore_class=-1).check_labels(np.array([0, -1]), (None, 3), "out")
    with pytest.raises(ValueError, match="whole class numbers"):
        sparse.check_labels(np.array([0.5]), (None, 3), "out")
    with pytest.raises(ValueError, match=r"from 0 to 1; received -1 to 1. Map -1 and 1"):
        losses.BinaryCrossentropy().check_labels(np.array([-1.0, 1.0]), (None, 1), "out")


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match=r"Unknown loss 'binary_crosentropy'. Did you mean 'binary_crossentropy'"):
        losses.get("binary_crosentropy")
    with pytest.raises(ValueError, match="Unknown reduction 'average'"):
        losses.MeanSquaredError(reduction="average")

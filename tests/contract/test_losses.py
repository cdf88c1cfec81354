"""Losses on each backend: values against NumPy in float64, gradients at hard points, masks, weights, reductions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from helpers.parity import assert_parity
from polykeras import autodiff, layers, losses, ops
from polykeras.backend import Backend

EPSILON = 1e-7
rng = np.random.default_rng(0)

TRUE = rng.normal(size=(5, 3))
PREDICTED = TRUE + 0.7 * rng.normal(size=(5, 3))
BINARY = (rng.random((5, 3)) > 0.5).astype(float)
SHARES = rng.uniform(0.05, 0.95, (5, 3))
ONE_HOT = np.eye(3)[rng.integers(0, 3, 5)]
CLASSES = ONE_HOT.argmax(1)
PROBABILITIES = SHARES / SHARES.sum(1, keepdims=True)
LOGITS = 3 * rng.normal(size=(5, 3))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def bce(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def focal(y: np.ndarray, p: np.ndarray, gamma: float) -> np.ndarray:
    return (1 - (y * p + (1 - y) * (1 - p))) ** gamma * bce(y, p)


def cosine(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return (y * p).sum(-1) / np.sqrt((y**2).sum(-1) * (p**2).sum(-1))


def huber(e: np.ndarray, d: float) -> np.ndarray:
    return np.where(np.abs(e) <= d, e**2 / 2, d * np.abs(e) - d**2 / 2)


def hinge(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.maximum(1 - y * p, 0)


# A loss, labels, predictions, and the losses of the samples.
CASES: dict[str, tuple[losses.Loss, np.ndarray, np.ndarray, np.ndarray]] = {
    "mse": (losses.MeanSquaredError(), TRUE, PREDICTED, ((TRUE - PREDICTED) ** 2).mean(-1)),
    "mae": (losses.MeanAbsoluteError(), TRUE, PREDICTED, np.abs(TRUE - PREDICTED).mean(-1)),
    "mape": (
        losses.MeanAbsolutePercentageError(),
        TRUE,
        PREDICTED,
        100 * np.abs((TRUE - PREDICTED) / TRUE).mean(-1),
    ),
    "msle": (
        losses.MeanSquaredLogarithmicError(),
        TRUE,
        PREDICTED,
        ((np.log1p(np.maximum(TRUE, EPSILON)) - np.log1p(np.maximum(PREDICTED, EPSILON))) ** 2).mean(-1),
    ),
    "huber": (losses.Huber(), TRUE, PREDICTED, huber(TRUE - PREDICTED, 1.0).mean(-1)),
    "huber-delta": (losses.Huber(0.3), TRUE, PREDICTED, huber(TRUE - PREDICTED, 0.3).mean(-1)),
    "log_cosh": (losses.LogCosh(), TRUE, PREDICTED, np.log(np.cosh(TRUE - PREDICTED)).mean(-1)),
    "poisson": (losses.Poisson(), BINARY, SHARES, (SHARES - BINARY * np.log(SHARES + EPSILON)).mean(-1)),
    "kld": (
        losses.KLDivergence(),
        PROBABILITIES[::-1],
        PROBABILITIES,
        (PROBABILITIES[::-1] * np.log(PROBABILITIES[::-1] / PROBABILITIES)).sum(-1),
    ),
    "cosine": (losses.CosineSimilarity(), TRUE, PREDICTED, -cosine(TRUE, PREDICTED)),
    "cosine-axis": (losses.CosineSimilarity(axis=0), TRUE, PREDICTED, -cosine(TRUE.T, PREDICTED.T)),
    "bce": (losses.BinaryCrossentropy(), BINARY, SHARES, bce(BINARY, SHARES).mean(-1)),
    "bce-logits": (losses.BinaryCrossentropy(True), BINARY, LOGITS, bce(BINARY, sigmoid(LOGITS)).mean(-1)),
    "bce-smooth": (
        losses.BinaryCrossentropy(label_smoothing=0.2),
        BINARY,
        SHARES,
        bce(BINARY * 0.8 + 0.1, SHARES).mean(-1),
    ),
    "bce-axis": (losses.BinaryCrossentropy(axis=0), BINARY, SHARES, bce(BINARY, SHARES).mean(0)),
    "focal": (losses.BinaryFocalCrossentropy(), BINARY, SHARES, focal(BINARY, SHARES, 2.0).mean(-1)),
    "focal-balanced": (
        losses.BinaryFocalCrossentropy(True, alpha=0.3, gamma=1.5, from_logits=True),
        BINARY,
        LOGITS,
        ((BINARY * 0.3 + (1 - BINARY) * 0.7) * focal(BINARY, sigmoid(LOGITS), 1.5)).mean(-1),
    ),
    "cce": (losses.CategoricalCrossentropy(), ONE_HOT, PROBABILITIES, -(ONE_HOT * np.log(PROBABILITIES)).sum(-1)),
    "cce-unnormalised": (
        losses.CategoricalCrossentropy(),
        ONE_HOT,
        SHARES,
        -(ONE_HOT * np.log(PROBABILITIES)).sum(-1),
    ),
    "cce-smooth": (
        losses.CategoricalCrossentropy(True, 0.3),
        ONE_HOT,
        LOGITS,
        -((ONE_HOT * 0.7 + 0.1) * np.log(softmax(LOGITS))).sum(-1),
    ),
    "cce-axis": (
        losses.CategoricalCrossentropy(True, 0.3, axis=0),
        ONE_HOT.T,
        LOGITS.T,
        -((ONE_HOT * 0.7 + 0.1) * np.log(softmax(LOGITS))).sum(-1),
    ),
    "cfce": (
        losses.CategoricalFocalCrossentropy(),
        ONE_HOT,
        PROBABILITIES,
        -(ONE_HOT * np.log(PROBABILITIES) * 0.25 * (1 - PROBABILITIES) ** 2).sum(-1),
    ),
    "cfce-logits": (
        losses.CategoricalFocalCrossentropy(0.5, 1.5, True),
        ONE_HOT,
        LOGITS,
        -(ONE_HOT * np.log(softmax(LOGITS)) * 0.5 * (1 - softmax(LOGITS)) ** 1.5).sum(-1),
    ),
    "scce": (
        losses.SparseCategoricalCrossentropy(),
        CLASSES,
        PROBABILITIES,
        -np.log(PROBABILITIES[np.arange(5), CLASSES]),
    ),
    "scce-column": (
        losses.SparseCategoricalCrossentropy(True),
        CLASSES[:, None],
        LOGITS,
        -np.log(softmax(LOGITS)[np.arange(5), CLASSES]),
    ),
    "scce-axis": (
        losses.SparseCategoricalCrossentropy(True, axis=0),
        CLASSES,
        LOGITS.T,
        -np.log(softmax(LOGITS)[np.arange(5), CLASSES]),
    ),
    "hinge": (losses.Hinge(), 2 * BINARY - 1, PREDICTED, hinge(2 * BINARY - 1, PREDICTED).mean(-1)),
    "hinge-binary": (losses.Hinge(), BINARY, PREDICTED, hinge(2 * BINARY - 1, PREDICTED).mean(-1)),
    "squared_hinge": (losses.SquaredHinge(), BINARY, PREDICTED, (hinge(2 * BINARY - 1, PREDICTED) ** 2).mean(-1)),
    "categorical_hinge": (
        losses.CategoricalHinge(),
        ONE_HOT,
        PREDICTED,
        np.maximum(1 + ((1 - ONE_HOT) * PREDICTED).max(-1) - (ONE_HOT * PREDICTED).sum(-1), 0),
    ),
}


def f32(x: Any) -> np.ndarray:
    x = np.asarray(x)
    return x.astype(np.float32) if x.dtype.kind == "f" else x


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(backend: Backend, name: str) -> None:
    loss, y_true, y_pred, expected = CASES[name]
    each = type(loss).from_config(loss.get_config() | {"reduction": "none"})
    assert_parity(backend.to_numpy(each(f32(y_true), f32(y_pred))), f32(expected), rtol=2e-5, atol=1e-6)
    assert_parity(backend.to_numpy(loss(f32(y_true), f32(y_pred))), f32(expected.mean()), rtol=1e-5, atol=1e-7)

    with_numpy = autodiff.grad(lambda p: loss(f32(y_true), p))(ops.convert_to_tensor(f32(y_pred)))
    step = 1e-2 * np.sign(np.random.default_rng(1).normal(size=y_pred.shape)).astype(np.float32)
    ahead, back = (backend.to_numpy(loss(f32(y_true), f32(y_pred + sign * step))) for sign in (1, -1))
    slope = float((backend.to_numpy(with_numpy) * step).sum())
    assert slope == pytest.approx(float(ahead - back) / 2, rel=0.05, abs=2e-4)


def gradient(backend: Backend, loss: Callable[..., Any], y_true: Any, y_pred: Any) -> np.ndarray:
    return backend.to_numpy(autodiff.grad(lambda p: loss(f32(y_true), p))(ops.convert_to_tensor(f32(y_pred))))


HARD = np.array([[88.0], [-88.0], [1e4], [-1e4], [0.0]])


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_gradients_at_extreme_logits(backend: Backend, label: float) -> None:
    p = np.array([1.0, 0.0, 1.0, 0.0, 0.5])
    loss = losses.BinaryCrossentropy(from_logits=True, reduction="sum")
    found = gradient(backend, loss, np.full((5, 1), label), HARD)
    assert_parity(found[:, 0], f32(p - label), atol=1e-30)

    # Two classes with the logits z and 0: the gradients of a softmax are those of the sigmoid, with both signs.
    two = np.concatenate([HARD, 0 * HARD], axis=1)
    one_hot = np.tile([label, 1 - label], (5, 1))
    expected = f32(np.stack([p - label, label - p], axis=1))
    categorical = losses.CategoricalCrossentropy(from_logits=True, reduction="sum")
    assert_parity(gradient(backend, categorical, one_hot, two), expected, atol=1e-30)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    assert_parity(gradient(backend, sparse, np.full(5, int(1 - label)), two), expected, atol=1e-30)


def test_focal_gradients_at_extreme_logits(backend: Backend) -> None:
    # Where the true class is out of reach, the factor is 1 and the slope that of the cross-entropy.
    for gamma in (0.0, 0.5, 2.0):
        loss = losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True, reduction="sum")
        found = gradient(backend, loss, np.ones((5, 1)), HARD)[:, 0]
        assert np.isfinite(found).all()
        assert_parity(found[[1, 3]], f32([-1.0, -1.0]))
        assert np.abs(found[[0, 2]]).max() < 1e-3
        categorical = losses.CategoricalFocalCrossentropy(1.0, gamma, True, reduction="sum")
        found = gradient(backend, categorical, [[1.0, 0.0]] * 5, np.concatenate([HARD, 0 * HARD], axis=1))
        assert np.isfinite(found).all()
        assert_parity(found[[1, 3]], f32([[-1.0, 1.0]] * 2), rtol=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        losses.BinaryCrossentropy(),
        losses.BinaryFocalCrossentropy(gamma=0.5),
        losses.CategoricalCrossentropy(),
        losses.CategoricalFocalCrossentropy(gamma=0.5),
        losses.KLDivergence(),
        losses.Poisson(),
        losses.CosineSimilarity(),
        losses.MeanSquaredLogarithmicError(),
        losses.MeanAbsolutePercentageError(),
    ],
    ids=lambda loss: loss.name,
)
def test_certain_probabilities_give_finite_gradients(backend: Backend, loss: losses.Loss) -> None:
    y_true = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    y_pred = np.array([[0.0, 1.0], [0.0, 1.0], [1e-30, 1.0], [1.0, 1e-30]])
    assert np.isfinite(backend.to_numpy(loss(f32(y_true), f32(y_pred))))
    assert np.isfinite(gradient(backend, loss, y_true, y_pred)).all()


def test_equal_labels_and_predictions_have_gradient_zero(backend: Backend) -> None:
    y = np.array([[0.0, -2.0, 3.0]])
    for loss in (losses.MeanSquaredError(), losses.MeanAbsoluteError(), losses.Huber(), losses.LogCosh()):
        assert not gradient(backend, loss, y, y).any(), loss.name


def test_large_errors_do_not_overflow(backend: Backend) -> None:
    y = np.array([[1e4, -1e4]])
    assert float(losses.LogCosh()(0 * f32(y), f32(y))) == pytest.approx(1e4 - math.log(2.0), rel=1e-6)
    assert_parity(gradient(backend, losses.LogCosh(), 0 * y, y), f32([[0.5, -0.5]]))
    assert_parity(gradient(backend, losses.Huber(), 0 * y, y), f32([[0.5, -0.5]]))


def test_cosine_of_zeros_is_zero(backend: Backend) -> None:
    loss = losses.CosineSimilarity()
    assert float(loss(f32([[1.0, 2.0]]), f32([[0.0, 0.0]]))) == 0.0


# ---- reductions, weights, masks --------------------------------------------------------------------------------

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
    assert_parity(backend.to_numpy(loss(EACH, EACH, WEIGHT[:, None])), f32(np.asarray(weighted)))


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


# ---- labels ----------------------------------------------------------------------------------------------------


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


# ---- errors ----------------------------------------------------------------------------------------------------


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


# ---- names and configs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name: str) -> None:
    loss = CASES[name][0]
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


def test_config_of_an_own_function() -> None:
    loss = losses.LossFunctionWrapper(losses.huber, "sum", "mine", delta=2.0)
    config = loss.get_config()
    before = dict(config)
    again = losses.LossFunctionWrapper.from_config(config)
    assert config == before
    assert again.fn is losses.huber
    assert again.get_config() == config
    assert config == {"fn": "huber", "reduction": "sum", "name": "mine", "dtype": None, "delta": 2.0}


def test_names() -> None:
    assert losses.get("mse") is losses.get("MSE") is losses.mean_squared_error
    assert losses.get("kullback_leibler_divergence") is losses.kl_divergence
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    assert isinstance(losses.as_loss("mse"), losses.MeanSquaredError)
    assert losses.get(None) is None
    assert losses.get({"class_name": "Huber", "config": {"delta": 3.0}}).delta == 3.0

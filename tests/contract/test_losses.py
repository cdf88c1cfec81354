"""Losses on each backend: values against NumPy in float64, gradients at hard points, names and configs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.loss_cases import CASES
from helpers import f32
from helpers.parity import assert_parity
from polykeras import autodiff, losses, ops
from polykeras.backend import Backend
from polykeras.common.traits import trait


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
        sparse = losses.SparseCategoricalFocalCrossentropy(1.0, gamma, True, reduction="sum")
        rows = gradient(backend, sparse, np.zeros(5), np.concatenate([HARD, 0 * HARD], axis=1))
        assert_parity(rows[[1, 3]], f32([[-1.0, 1.0]] * 2), rtol=1e-4)
        assert np.isfinite(rows).all()


def test_what_a_smoothed_or_focal_loss_of_class_numbers_leaves_out(backend: Backend) -> None:
    y_pred = f32([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    for make in (losses.SparseCategoricalFocalCrossentropy, losses.SparseCategoricalCrossentropy):
        more = {"label_smoothing": 0.2} if make is losses.SparseCategoricalCrossentropy else {"alpha": [0.3, 0.7]}
        rows = make(ignore_class=-1, reduction=None, **more)(np.array([0, -1, 1]), y_pred)
        others = make(reduction=None, **more)(np.array([0, 0, 1]), y_pred)
        assert_parity(backend.to_numpy(rows)[[0, 2]], backend.to_numpy(others)[[0, 2]])
        assert backend.to_numpy(rows)[1] == 0
    wrong = losses.sparse_categorical_focal_crossentropy(np.array([0, 2, -1]), y_pred)
    assert np.isnan(backend.to_numpy(wrong)).tolist() == [False, True, True]
    with pytest.raises(ValueError, match="one for each of 2 classes"):
        losses.sparse_categorical_focal_crossentropy(np.array([0, 1, 1]), y_pred, [0.1, 0.2, 0.3])
    assert "label_smoothing" not in losses.SparseCategoricalCrossentropy().get_config(), "Keras 3.15 has no such name"


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


# ---- names and configs -----------------------------------------------------------------------------------------------


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


CLASSES_OF_FUNCTIONS = [cls for cls in vars(losses).values() if isinstance(cls, type) and hasattr(cls, "fn")]


@pytest.mark.parametrize("cls", CLASSES_OF_FUNCTIONS)
def test_a_loss_and_its_function_have_the_same_defaults(cls: type[losses.FunctionLoss]) -> None:
    given = inspect.signature(cls).parameters
    _, _, *wanted = inspect.signature(cls.fn).parameters.values()
    wanted = [p for p in wanted if p.default is not p.empty and not p.name.startswith("ref_")]
    assert [given[p.name].default for p in wanted] == [p.default for p in wanted]


def test_signatures_name_what_a_loss_is_called() -> None:
    """A loss that is one line has a constructor of its own."""
    assert str(inspect.signature(losses.MeanSquaredError)).endswith(
        "name: 'str' = 'mean_squared_error', dtype: 'DTypeLike' = None) -> 'None'"
    )
    assert losses.Poisson().fn is losses.poisson
    assert "reduction: see `Loss`" in (inspect.getdoc(losses.Poisson) or "")
    assert losses.MeanSquaredError("sum", "mine").get_config() == {"reduction": "sum", "name": "mine", "dtype": None}
    assert losses.MeanSquaredError(reduction=losses.Reduction.AUTO).reduction == "sum_over_batch_size"


def test_a_circle_without_pairs_counts_for_nothing() -> None:
    y_pred = np.eye(3, dtype="float32")
    assert float(losses.Circle(gamma=1.0)(np.array([0, 1, 2]), y_pred)) == 0.0
    assert float(losses.Circle(gamma=1.0)(np.array([0, 0, 1]), y_pred)) > 0.0
    both = losses.Circle(gamma=1.0, reduction=None)(np.array([0, 0, 1]), y_pred)
    np.testing.assert_allclose(both[0], losses.Circle(gamma=1.0)(np.array([0, 0, 1]), y_pred), rtol=1e-6)


def test_losses_over_all_samples_see_no_filled_up_batches() -> None:
    assert not any(trait(fn, "sample_by_sample") for fn in (losses.dice, losses.tversky, losses.circle))
    assert trait(losses.hinge, "sample_by_sample")

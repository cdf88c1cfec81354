"""`distillation`: students learn from teachers, on every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import entropy

from polykeras import Input, Model, Sequential, layers, saving
from polykeras.backend import Backend
from polykeras.distillation import DistillationLoss, Distiller, FeatureDistillation, LogitsDistillation

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 4)).astype("float32")
Y = RNG.integers(0, 3, 40)
ONE, TWO = RNG.normal(size=(2, 6, 3)).astype("float32")


def pair(width: int = 4) -> tuple[Model, Model]:
    def model(units: int) -> Model:
        return Sequential([Input((4,)), layers.Dense(units, "tanh", name="hidden"), layers.Dense(3, name="last")])

    return model(width), model(4)


def test_logits_are_compared_by_divergence(backend: Backend) -> None:
    expected = entropy(softmax(ONE / 2.0, -1), softmax(TWO / 2.0, -1), axis=-1).mean() * 4
    assert_allclose(float(LogitsDistillation(2.0).compute_loss(ONE, TWO)), expected, rtol=1e-5)
    several = LogitsDistillation(2.0, [None, "kl_divergence", "mse"])
    found = several.compute_loss([TWO, ONE, ONE], [ONE, TWO, TWO])
    assert_allclose(float(found), expected + np.mean((ONE - TWO) ** 2) / 4, rtol=1e-5)


def test_features_are_compared(backend: Backend) -> None:
    loss = FeatureDistillation({"a": "mae", "b": None})
    outputs = {"a": ONE, "b": ONE}, {"a": TWO, "b": TWO}
    loss.validate_outputs(*outputs)
    assert_allclose(float(loss.compute_loss(*outputs)), np.abs(ONE - TWO).mean(), rtol=1e-6)
    with pytest.raises(ValueError, match="must have the structure of the outputs"):
        loss.validate_outputs([ONE], [TWO])


def test_a_student_alone_learns_what_the_teacher_says(backend: Backend) -> None:
    teacher, student = pair()
    before = [np.array(w) for w in teacher.get_weights()]
    losses = [LogitsDistillation(), FeatureDistillation("mse", "hidden", "hidden")]
    distiller = Distiller(teacher, student, losses, [1.0, 2.0], student_loss_weight=0.0)
    distiller.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    distiller.optimizer.learning_rate = 0.03
    history = distiller.fit(X, Y, batch_size=16, epochs=60, verbose=0).history
    assert {"loss", "total_loss", "student_loss", "distillation_loss", "accuracy"} <= set(history)
    assert history["distillation_loss"][-1] < 0.02 * history["distillation_loss"][0]
    assert_allclose(history["total_loss"], history["distillation_loss"], rtol=1e-5)
    taught, learnt = (softmax(model.predict(X, verbose=0), -1) for model in (teacher, student))
    assert_allclose(learnt, taught, atol=0.1)
    assert_array_equal(distiller.predict(X, verbose=0), student.predict(X, verbose=0))
    for weight, old in zip(teacher.get_weights(), before, strict=True):
        assert_array_equal(weight, old)
    assert distiller.trainable_variables == student.trainable_variables


def test_the_loss_is_the_weighted_sum(backend: Backend) -> None:
    teacher, student = pair(8)
    distiller = Distiller(teacher, student, FeatureDistillation("mae"), student_loss_weight=0.3)
    distiller.compile("sgd", "mse")
    target = RNG.normal(size=(40, 3)).astype("float32")
    found = distiller.evaluate(X, target, batch_size=40, verbose=0, return_dict=True)
    taught, learnt = (model.predict(X, verbose=0) for model in (teacher, student))
    own, distance = np.mean((learnt - target) ** 2), np.abs(taught - learnt).mean()
    expected = {"student_loss": own, "distillation_loss": distance, "total_loss": 0.3 * own + 0.7 * distance}
    assert_allclose([found[name] for name in expected], list(expected.values()), rtol=1e-5)
    assert_allclose(found["loss"], expected["total_loss"], rtol=1e-5)


def test_files(backend: Backend, tmp_path: Path) -> None:
    teacher, student = pair(8)
    distiller = Distiller(teacher, student, [FeatureDistillation("mse", "last", "last"), LogitsDistillation(4.0)])
    distiller.compile("sgd", "sparse_categorical_crossentropy")
    expected = distiller.evaluate(X, Y, verbose=0, return_dict=True)
    distiller.save(tmp_path / "distiller.keras")
    again = saving.load_model(tmp_path / "distiller.keras")
    assert isinstance(again, Distiller)
    assert again.distillation_losses[0].student_layer_name == "last"
    assert again.distillation_losses[1].temperature == 4.0
    found = again.evaluate(X, Y, verbose=0, return_dict=True)
    assert_allclose([found[name] for name in expected], list(expected.values()), rtol=1e-5)


class _PerSample(DistillationLoss):
    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        return teacher_outputs - student_outputs


class _Own(Model):
    def call(self, inputs: Any) -> Any:
        return inputs


def test_mistakes() -> None:
    teacher, student = pair()
    other = Sequential([Input((4,)), layers.Dense(2)])
    loss = LogitsDistillation()
    for args, options, message in (
        ((teacher, other, loss), {}, "must have the same outputs"),
        ((teacher, "student", loss), {}, "student must be a Model; received str"),
        ((teacher, student, None), {}, "received None"),
        ((teacher, student, [loss], [1.0, 2.0]), {}, "each of 1 losses; received 2"),
        ((teacher, student, loss), {"student_loss_weight": 1.5}, "from 0 to 1; received 1.5"),
        ((teacher, student, FeatureDistillation("mse", "hiden", "hidden")), {}, "in the teacher: .*no layer 'hiden'"),
        ((_Own(), student, FeatureDistillation("mse", "hidden")), {}, "has no symbolic inputs"),
    ):
        with pytest.raises(ValueError, match=message):
            Distiller(*args, **options)
    with pytest.raises(ValueError, match="number above 0; received 0"):
        LogitsDistillation(0)
    with pytest.raises(ValueError, match="at least one `loss`"):
        FeatureDistillation([None, None])
    with pytest.raises(ValueError, match="received None"):
        Distiller(teacher, student, loss).compile()
    distiller = Distiller(teacher, student, _PerSample())
    distiller.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"must return a scalar; received the shape \(3, 3\)"):
        distiller.compute_loss(X[:3], np.zeros((3, 3)), student(X[:3]))

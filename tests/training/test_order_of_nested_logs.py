"""The order of logs that a user's step returns with dicts in them: what `{m.name: m.result() for m in self.metrics}` gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import Input, Model, layers
from polykeras.backend import Backend


class Tracked(Model):
    """Reports all its metrics, those of `compile` in a dict of their own."""

    def train_step(self, data: Any) -> dict[str, Any]:
        logs: dict[str, Any] = super().train_step(data)
        return {"loss": logs.pop("loss"), "compile_metrics": logs}


def test_logs_come_in_the_order_of_keras(backend: Backend) -> None:
    """Each dict is sorted by itself, so that `compile_metrics` comes before `loss`: Keras 3.15.1 has these orders."""
    x = Input((3,))
    model = Tracked(x, layers.Dense(1)(x))
    model.compile("sgd", "mse", metrics=["mae", "acc"])
    ones = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    assert list(model.fit(*ones, verbose=0).history) == ["acc", "mae", "loss"]
    history = model.fit(*ones, epochs=2, validation_data=ones, verbose=0).history
    assert list(history) == ["acc", "mae", "loss", "val_acc", "val_loss", "val_mae"]
    assert list(model.train_on_batch(*ones, return_dict=True)) == ["acc", "mae", "loss"]
    assert list(model.evaluate(*ones, verbose=0, return_dict=True)) == ["acc", "loss", "mae"]


def test_logs_of_validation_come_by_name_too(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, layers.Dense(2, activation="softmax")(x))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    ones = np.ones((8, 3), "float32"), np.ones((8, 1), "int32")
    both = ["val_accuracy", "val_loss", "val_weighted_accuracy"]
    history = model.fit(*ones, validation_data=ones, verbose=0).history
    assert list(history) == ["accuracy", "loss", *both, "weighted_accuracy"]

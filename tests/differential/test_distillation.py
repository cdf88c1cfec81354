"""`distillation` trains as in Keras 3.15 on JAX, from the same weights."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import polykeras
from differential.opponent import keras
from polykeras import distillation
from polykeras.backend import Backend

pytestmark = pytest.mark.keras
RNG = np.random.default_rng(8)
X = RNG.normal(size=(12, 4)).astype("float32")
Y = RNG.normal(size=(12, 3)).astype("float32")
TEACHER, STUDENT = ([RNG.normal(size=size).astype("float32") for size in ((4, n), (n,), (n, 3), (3,))] for n in (5, 5))


def trained(library: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
    models = []
    for weights in (TEACHER, STUDENT):
        x = library.Input((4,))
        hidden = library.layers.Dense(5, "tanh", name="hidden")(x)
        model = library.Model(x, library.layers.Dense(3)(hidden))
        model.set_weights(weights)
        models.append(model)
    losses = [
        library.distillation.LogitsDistillation(2.0, library.losses.KLDivergence()),
        library.distillation.FeatureDistillation("mae", "hidden", "hidden"),
        library.distillation.LogitsDistillation(1.5, "mse"),
    ]
    distiller = library.distillation.Distiller(*models, losses, [1.0, 0.5, 0.25], student_loss_weight=0.4)
    distiller.compile(library.optimizers.SGD(0.1), "mse")
    history = distiller.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0).history
    return history, [library.ops.convert_to_numpy(variable.value) for variable in models[1].weights]


def test_training(backend: Backend) -> None:
    history, weights = trained(polykeras)
    their_history, their_weights = trained(keras())
    for name, values in their_history.items():
        assert_allclose(history[name], values, rtol=2e-4, err_msg=name)
    for ours, theirs in zip(weights, their_weights, strict=True):
        assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", distillation.__all__)
def test_names_and_signatures(name: str) -> None:
    assert getattr(polykeras.distillation, name) is getattr(distillation, name)
    ours, theirs = (inspect.signature(getattr(m, name)) for m in (distillation, keras().distillation))
    if name != "DistillationLoss":
        assert {k: p.default for k, p in ours.parameters.items()} == {
            k: p.default for k, p in theirs.parameters.items()
        }
    assert sorted(distillation.__all__) == sorted(n for n in dir(keras().distillation) if n[0] != "_")

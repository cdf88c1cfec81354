"""A case for each optimizer, and steps with the same gradients for all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from contract import optimizer_formulas as formulas
from polykeras import optimizers
from polykeras.variables import Variable

SHAPES = ((3, 2), (2,), ())
STEPS = 8

CASES: dict[str, tuple[Callable[..., optimizers.Optimizer], Callable[..., np.ndarray]]] = {
    "sgd": (optimizers.SGD, formulas.sgd),
    "sgd-momentum": (
        functools.partial(optimizers.SGD, 0.05, momentum=0.9),
        functools.partial(formulas.sgd, lr=0.05, momentum=0.9),
    ),
    "sgd-nesterov": (
        functools.partial(optimizers.SGD, 0.05, momentum=0.9, nesterov=True),
        functools.partial(formulas.sgd, lr=0.05, momentum=0.9, nesterov=True),
    ),
    "rmsprop": (optimizers.RMSprop, formulas.rmsprop),
    "rmsprop-all": (
        functools.partial(optimizers.RMSprop, 0.01, rho=0.8, momentum=0.5, epsilon=1e-3, centered=True),
        functools.partial(formulas.rmsprop, lr=0.01, rho=0.8, momentum=0.5, eps=1e-3, centered=True),
    ),
    "rmsprop-centered": (
        functools.partial(optimizers.RMSprop, 0.01, epsilon=1e-3, centered=True),
        functools.partial(formulas.rmsprop, lr=0.01, eps=1e-3, centered=True),
    ),
    "adam": (optimizers.Adam, formulas.adam),
    "adam-betas": (
        functools.partial(optimizers.Adam, 0.1, 0.0, 0.5, 1e-3),
        functools.partial(formulas.adam, lr=0.1, b1=0.0, b2=0.5, eps=1e-3),
    ),
    "amsgrad": (
        functools.partial(optimizers.Adam, 0.1, beta_2=0.5, amsgrad=True),
        functools.partial(formulas.adam, lr=0.1, b2=0.5, amsgrad=True),
    ),
    "adamw": (
        functools.partial(optimizers.AdamW, 0.1, weight_decay=0.3),
        functools.partial(formulas.adam, lr=0.1, decay=0.3),
    ),
    "adamax": (optimizers.Adamax, formulas.adamax),
    "nadam": (functools.partial(optimizers.Nadam, 0.1), functools.partial(formulas.nadam, lr=0.1)),
    "adagrad": (functools.partial(optimizers.Adagrad, 0.1), functools.partial(formulas.adagrad, lr=0.1)),
    "adadelta": (functools.partial(optimizers.Adadelta, 1.0), functools.partial(formulas.adadelta, lr=1.0)),
    "lion": (optimizers.Lion, formulas.lion),
    "ftrl": (functools.partial(optimizers.Ftrl, 0.1), functools.partial(formulas.ftrl, lr=0.1)),
    "ftrl-all": (
        functools.partial(
            optimizers.Ftrl,
            0.1,
            learning_rate_power=-0.6,
            initial_accumulator_value=0.2,
            l1_regularization_strength=0.3,
            l2_regularization_strength=0.2,
            l2_shrinkage_regularization_strength=0.1,
            beta=0.4,
        ),
        functools.partial(formulas.ftrl, lr=0.1, power=-0.6, initial=0.2, l1=0.3, l2=0.2, shrinkage=0.1, beta=0.4),
    ),
    "adafactor": (functools.partial(optimizers.Adafactor, 0.1), functools.partial(formulas.adafactor, lr=0.1)),
    "lamb": (functools.partial(optimizers.Lamb, 0.1), functools.partial(formulas.lamb, lr=0.1)),
    "schedule-free": (optimizers.ScheduleFreeAdamW, formulas.schedule_free),
    "muon": (functools.partial(optimizers.Muon, 0.1), functools.partial(formulas.muon, lr=0.1)),
}


def arrays(seed: int, steps: int = STEPS) -> list[list[np.ndarray]]:
    """Float32 arrays of the test's shapes, one list a step."""
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=shape).astype("float32") for shape in SHAPES] for _ in range(steps)]


GRADIENTS = arrays(1)
(START,) = arrays(2, 1)


def variables() -> list[Variable]:
    return [Variable(value, name=name) for value, name in zip(START, "abc", strict=True)]


def train(optimizer: optimizers.Optimizer, gradients: list[list[np.ndarray]] = GRADIENTS) -> list[Variable]:
    """Return new variables after one step for each list of gradients."""
    trained = variables()
    for step in gradients:
        optimizer.apply(step, trained)
    return trained


def values(trained: list[Variable]) -> list[np.ndarray]:
    return [variable.numpy() for variable in trained]


def assert_close(actual: Any, expected: Any, rtol: float = 2e-5, atol: float = 2e-6) -> None:
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=rtol, atol=atol)


def expected_of(formula: Callable[..., np.ndarray], gradients: list[list[np.ndarray]] = GRADIENTS) -> list[np.ndarray]:
    columns = zip(*gradients, strict=True)
    return [
        formula(start.astype("float64"), [g.astype("float64") for g in column])
        for start, column in zip(START, columns, strict=True)
    ]

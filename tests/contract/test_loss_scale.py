"""Loss scaling: the same updates as without it, steps with gradients that are not finite left out, a scale that adapts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import autodiff, layers, ops, optimizers
from polykeras.backend import Backend, use_backend
from polykeras.optimizers import LossScaleOptimizer, schedules
from polykeras.variables import Variable

START = np.array([1.0, -2.0], "float32")
GRADIENT = np.array([0.5, 4.0], "float32")


def weight() -> Variable:
    """Return a new variable to train."""
    return Variable(START, name="w")


def stepper(optimizer: Any, variable: Variable, compiled: bool) -> Callable[[Any], Any]:
    """Return a function that applies a gradient of the scaled loss."""

    def step(gradient: Any) -> None:
        optimizer.apply([gradient], [variable])

    return autodiff.function(step) if compiled else step


def state(optimizer: LossScaleOptimizer) -> tuple[float, int, int]:
    """Return the scale, the steps since it changed, and the number of updates."""
    return float(optimizer.dynamic_scale), int(optimizer.step_counter), int(optimizer.iterations)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("inner", ["sgd", "adam", "rmsprop", "ftrl"])
def test_finite_steps_are_those_of_the_inner_optimizer(backend: Backend, inner: str, compiled: bool) -> None:
    plain, scaled = weight(), weight()
    optimizer = LossScaleOptimizer(inner, initial_scale=8.0)
    one, other = stepper(optimizers.get(inner), plain, compiled), stepper(optimizer, scaled, compiled)
    for i in range(3):
        one(GRADIENT * (i + 1))
        other(GRADIENT * (i + 1) * 8.0)
    np.testing.assert_allclose(scaled.numpy(), plain.numpy(), rtol=1e-6)
    assert state(optimizer) == (8.0, 3, 3)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_step_that_is_not_finite_is_skipped_and_halves_the_scale(
    backend: Backend, bad: float, compiled: bool
) -> None:
    variable, untouched = weight(), weight()
    optimizer = LossScaleOptimizer(optimizers.Adam(use_ema=True), initial_scale=8.0)

    def apply(first: Any, second: Any) -> None:
        optimizer.apply([first, second], [variable, untouched])

    step = autodiff.function(apply) if compiled else apply
    step(GRADIENT, GRADIENT)
    before = [v.numpy() for v in (variable, untouched, *optimizer.inner_optimizer.variables)]
    step(GRADIENT, np.array([bad, 1.0], "float32"))
    after = [v.numpy() for v in (variable, untouched, *optimizer.inner_optimizer.variables)]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)
    assert state(optimizer) == (4.0, 0, 1)
    step(GRADIENT, GRADIENT)
    assert state(optimizer) == (4.0, 1, 2)
    assert np.abs(variable.numpy() - after[0]).min() > 0


@pytest.mark.parametrize("compiled", [False, True])
def test_the_scale_doubles_after_enough_finite_steps(backend: Backend, compiled: bool) -> None:
    optimizer = LossScaleOptimizer("sgd", initial_scale=2.0, dynamic_growth_steps=3)
    step = stepper(optimizer, weight(), compiled)
    seen = []
    for gradient in (1.0, 1.0, 1.0, 1.0, np.nan, 1.0, 1.0, 1.0):
        step(GRADIENT * np.float32(gradient))
        seen.append(state(optimizer)[:2])
    assert seen == [(2.0, 1), (2.0, 2), (4.0, 0), (4.0, 1), (2.0, 0), (2.0, 1), (2.0, 2), (4.0, 0)]


def test_gradients_in_float16_are_divided_in_float32(backend: Backend) -> None:
    variable = weight()
    optimizer = LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=2.0**20)  # no float16
    optimizer.apply([ops.cast(GRADIENT * 1024.0, "float16")], [variable])
    np.testing.assert_allclose(variable.numpy(), START - GRADIENT * 2.0**-10, rtol=1e-6)


def test_a_weight_that_takes_its_gradient_as_value_takes_it_unscaled(backend: Backend) -> None:
    variable, overwritten = weight(), weight()
    overwritten.overwrite_with_gradient = True
    optimizer = LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0)
    optimizer.apply([GRADIENT, GRADIENT], [variable, overwritten])
    np.testing.assert_array_equal(overwritten.numpy(), GRADIENT)
    np.testing.assert_array_equal(variable.numpy(), START - GRADIENT / 4.0)


def test_the_learning_rate_is_the_inner_one(backend: Backend) -> None:
    optimizer = LossScaleOptimizer(optimizers.SGD(0.5))
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert (float(optimizer.inner_optimizer.learning_rate), float(optimizer.lr)) == (0.25, 0.25)
    optimizer.learning_rate = schedules.InverseTimeDecay(1.0, 1, 1.0)
    assert optimizer._learning_rate is optimizer.inner_optimizer._learning_rate
    optimizer.apply([GRADIENT], [weight()])
    assert float(optimizer.lr) == 0.5
    optimizer.inner_optimizer.learning_rate = schedules.InverseTimeDecay(3.0, 1, 1.0)
    assert optimizer._learning_rate is optimizer.inner_optimizer._learning_rate  # what compiled steps depend on
    assert float(optimizer.lr) == 1.5


def test_a_schedule_of_the_inner_optimizer_counts_in_compiled_steps(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=1.0), "mse")
    x = np.ones((4, 3), "float32")
    model.fit(x, x[:, :1], verbose=0)
    before = model.get_weights()[0]
    model.optimizer.inner_optimizer.learning_rate = schedules.PiecewiseConstantDecay([10], [0.0, 0.1])
    model.fit(x, x[:, :1], verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_gradients_that_are_missing(backend: Backend) -> None:
    optimizer, frozen, variable = LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0), weight(), weight()
    frozen.trainable = False
    assert bool(backend.to_numpy(optimizer.check_finite([None])))
    optimizer.apply([None, GRADIENT], [frozen, variable])  # that of a frozen variable is not needed
    np.testing.assert_array_equal(variable.numpy(), START - GRADIENT / 4.0)
    with pytest.raises(ValueError, match=r"Variable 'w' has no gradient \(None\)"):
        LossScaleOptimizer("sgd").apply([None], [weight()])


def test_state_without_variables(backend: Backend) -> None:
    variable = weight()
    optimizer = LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=4.0, dynamic_growth_steps=1)
    optimizer.build([variable])
    before = [ops.convert_to_tensor(v.numpy()) for v in optimizer.variables]
    (trained,), after = optimizer.stateless_apply(before, [GRADIENT], [ops.convert_to_tensor(START)])
    np.testing.assert_array_equal(backend.to_numpy(trained), START - GRADIENT / 4.0)
    assert float(backend.to_numpy(after[3])) == 8.0
    assert len(after) == len(before)
    np.testing.assert_array_equal(variable.numpy(), START)
    assert state(optimizer) == (4.0, 0, 0)


def test_config_and_saved_state(backend: Backend) -> None:
    first, variable = LossScaleOptimizer(optimizers.Adam(0.1), 16.0, 2), weight()
    for _ in range(2):
        first.apply([GRADIENT * 16.0], [variable])
    store: dict[str, np.ndarray] = {}
    first.save_own_variables(store)
    config = json.loads(json.dumps(optimizers.serialize(first)))
    assert config["class_name"] == "LossScaleOptimizer"
    assert set(config["config"]) == {"name", "inner_optimizer", "initial_scale", "dynamic_growth_steps"}
    second = optimizers.deserialize(config)
    assert (second.initial_scale, second.dynamic_growth_steps, second.name) == (16.0, 2, first.name)
    assert isinstance(second.inner_optimizer, optimizers.Adam)
    second.build([variable])
    second.load_own_variables(store)
    assert state(second) == state(first) == (32.0, 0, 2)
    for a, b in zip(second.variables, first.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LossScaleOptimizer("sgd", clipnorm=1.0), "no argument `clipnorm`.*inner optimizer"),
        (lambda: LossScaleOptimizer("sgd", dynamic=False), "no argument `dynamic`.*`loss_scale_factor`"),
        (lambda: LossScaleOptimizer("sgd", initial_scale=0.0), "`initial_scale` must be positive"),
        (lambda: LossScaleOptimizer("sgd", dynamic_growth_steps=0), "dynamic_growth_steps"),
        (lambda: LossScaleOptimizer(None), "expected an optimizer to wrap; received None"),
    ],
)
def test_mistakes(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
    LossScaleOptimizer("sgd", clipnorm=None, ema_momentum=0.99, dynamic=True)  # as old configs have it


def test_the_inner_factor_is_taken_away() -> None:
    assert LossScaleOptimizer(optimizers.SGD(loss_scale_factor=8.0)).inner_optimizer.loss_scale_factor is None


def small_model() -> keras.Model:
    """Return a model of mixed precision whose gradients are too small for float16."""
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh", dtype="mixed_float16"),
            layers.Dense(1, use_bias=False, dtype="mixed_float16", trainable=False),
        ]
    )


def test_training_with_gradients_that_float16_does_not_hold(backend: Backend) -> None:
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    y = np.zeros((32, 1), "float32")
    weights = np.full(32, 2.0**-26, "float32")
    moved = {}
    for name, wrap in (("plain", lambda inner: inner), ("scaled", LossScaleOptimizer)):
        keras.utils.set_random_seed(1)
        model = small_model()
        before = model.layers[0].kernel.numpy()
        model.compile(wrap(optimizers.SGD(2.0**20)), "mse", auto_scale_loss=False)
        model.fit(x, y, sample_weight=weights, batch_size=8, verbose=0)
        moved[name] = np.abs(model.layers[0].kernel.numpy() - before)
    assert (moved["scaled"] > 0).all()
    assert (moved["plain"] == 0).all()


def test_it_trains_on_and_moves_between_backends(backend: Backend) -> None:
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    y = x @ np.array([[1.0], [-1.0], [0.5]], "float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, dtype="mixed_float16")])
    model.compile(LossScaleOptimizer(optimizers.Adam(0.1), dynamic_growth_steps=4), "mse", auto_scale_loss=False)
    first = model.fit(x, y, batch_size=8, epochs=10, verbose=0).history["loss"]
    with use_backend("numpy"):
        last = model.fit(x, y, batch_size=8, epochs=20, verbose=0).history["loss"]
    assert last[-1] < 0.1 * first[0]
    assert 50 < int(model.optimizer.iterations) <= 60
    assert float(model.optimizer.dynamic_scale) != 2.0**15


@pytest.mark.parametrize(
    ("policy", "auto", "wrapped"),
    [
        ("mixed_float16", True, True),
        ("mixed_float16", False, False),
        ("mixed_bfloat16", True, False),
        (None, True, False),
    ],
)
def test_compile_wraps_the_optimizer_of_a_float16_model(policy: str | None, auto: bool, wrapped: bool) -> None:
    keras.dtype_policies.set_dtype_policy(policy)
    try:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    finally:
        keras.dtype_policies.set_dtype_policy(None)
    model.compile("adam", "mse", auto_scale_loss=auto)
    assert isinstance(model.optimizer, LossScaleOptimizer) == wrapped
    own = LossScaleOptimizer("sgd")
    model.compile(own, "mse")
    assert model.optimizer is own

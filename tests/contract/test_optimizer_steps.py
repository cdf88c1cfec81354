"""What goes into a step of an optimizer: learning rates, gradients, kinds of variables."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from contract import optimizer_formulas as formulas
from contract.optimizer_cases import GRADIENTS, START, STEPS, assert_close, expected_of, train, values, variables
from polykeras import autodiff, constraints, ops, optimizers
from polykeras.backend import Backend
from polykeras.common.naming import reset_names
from polykeras.optimizers import schedules
from polykeras.variables import Variable


@pytest.fixture
def variable(backend: Backend) -> Variable:
    return Variable(np.array([1.0, 2.0], "float32"), name="w")


# ---- learning rates --------------------------------------------------------------------------------------------------


def test_time_based_decay_and_the_old_name_of_the_learning_rate(backend: Backend) -> None:
    trained = train(optimizers.SGD(lr=0.1, decay=0.5))
    rates = 0.1 / (1 + 0.5 * np.arange(STEPS))
    expected = [
        start - np.tensordot(rates, np.stack(column), 1)
        for start, column in zip(START, zip(*GRADIENTS, strict=True), strict=True)
    ]
    assert_close(values(trained), expected)


def test_a_schedule_sees_the_step(backend: Backend) -> None:
    schedule = schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    optimizer = optimizers.SGD(schedule)
    trained = train(optimizer)
    rates = 0.1 * 0.5 ** (np.arange(STEPS) / 2)
    expected = [
        start - np.tensordot(rates, np.stack(column), 1)
        for start, column in zip(START, zip(*GRADIENTS, strict=True), strict=True)
    ]
    assert_close(values(trained), expected)
    assert float(optimizer.learning_rate) == pytest.approx(0.1 * 0.5**4)
    assert [v.name for v in optimizer.variables] == ["iteration"]
    with pytest.raises(TypeError, match=r"follows .* cannot be set to the number"):
        optimizer.learning_rate = 0.1


def test_a_function_gives_the_learning_rate(backend: Backend, variable: Variable) -> None:
    rate = [0.5]
    optimizer = optimizers.SGD(lambda: rate[0])
    optimizer.apply([np.ones(2, "float32")], [variable])
    rate[0] = 0.25
    optimizer.apply([np.ones(2, "float32")], [variable])
    assert variable.numpy().tolist() == [0.25, 1.25]


def test_a_new_learning_rate_takes_effect_without_a_new_trace(backend: Backend, variable: Variable) -> None:
    optimizer = optimizers.SGD(0.5)
    runs = []

    @autodiff.function
    def step(gradient: Any) -> None:
        runs.append(1)
        optimizer.apply([gradient], [variable])

    gradient = np.ones(2, "float32")
    step(gradient)
    before = len(runs)
    step(gradient)
    optimizer.learning_rate = 0.25
    step(gradient)
    assert variable.numpy().tolist() == [-0.25, 0.75]
    assert optimizer.get_config()["learning_rate"] == 0.25
    assert len(runs) == before if backend.execution.compiles else len(runs) > before


def test_the_learning_rate_can_become_a_schedule(backend: Backend, variable: Variable) -> None:
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([0], [1.0, 0.25])
    for _ in range(2):
        optimizer.apply([np.ones(2, "float32")], [variable])
    assert variable.numpy().tolist() == [-0.25, 0.75]
    assert [v.name for v in optimizer.variables] == ["iteration"]


# ---- gradients -------------------------------------------------------------------------------------------------------


def test_clipping(backend: Backend) -> None:
    gradients = GRADIENTS[0]
    norms = [np.linalg.norm(g) for g in gradients]
    whole = np.sqrt(sum(n**2 for n in norms))
    assert min(norms) < 1 < max(norms)
    ones = [np.ones(())] * 3
    wanted = {
        "clipnorm": [g / max(1, n) for g, n in zip(gradients, norms, strict=True)],
        "global_clipnorm": [g / max(1, whole) for g in gradients],
        "clipvalue": [np.clip(g, -1, 1) for g in gradients],
    }
    for name, clipped in wanted.items():
        trained = train(optimizers.SGD(1.0, **{name: 1.0}), [gradients])
        assert_close(values(trained), [s - c for s, c in zip(START, clipped, strict=True)])
        assert any((c != g).any() for c, g in zip(clipped, gradients, strict=True)), name
    zeros = [0 * g for g in gradients]
    for name in wanted:
        assert_close(values(train(optimizers.SGD(1.0, **{name: 1.0}), [zeros])), START, 0, 0)
    large = [g * 1e3 for g in ones]
    trained = [Variable(np.zeros((), "float16")) for _ in large]
    optimizers.SGD(1.0, global_clipnorm=3.0).apply(large, trained)
    assert_close(values(trained), [-np.sqrt(3.0)] * 3, 1e-3)


def test_a_gradient_that_is_not_finite_is_not_hidden_by_clipping(backend: Backend) -> None:
    gradients = [np.full((3, 2), np.inf, "float32"), *GRADIENTS[0][1:]]
    trained = train(optimizers.SGD(1.0, global_clipnorm=1.0), [gradients])
    assert all(np.isnan(value).all() for value in values(trained))


def test_accumulation_averages_gradients(backend: Backend) -> None:
    optimizer = optimizers.Adam(0.1, gradient_accumulation_steps=3, weight_decay=0.1)
    trained = variables()
    for i, gradients in enumerate(GRADIENTS[:6]):
        optimizer.apply(gradients, trained)
        if i < 2:
            assert_close(values(trained), START, 0, 0)
        assert int(ops.convert_to_numpy(optimizer.iterations)) == (i + 1) // 3
    means = [[np.mean(column, 0) for column in zip(*GRADIENTS[first : first + 3], strict=True)] for first in (0, 3)]
    assert_close(values(trained), expected_of(functools.partial(formulas.adam, lr=0.1, decay=0.1), means))


def test_the_scale_of_the_loss_is_undone(backend: Backend) -> None:
    optimizer = optimizers.SGD(1.0, loss_scale_factor=8.0)
    weight = Variable([1.0, 2.0])
    _, (gradient,) = autodiff.value_and_grad(lambda: optimizer.scale_loss(ops.sum(weight * 3.0)), [weight])()
    assert ops.convert_to_numpy(gradient).tolist() == [24.0, 24.0]
    optimizer.apply([gradient], [weight])
    assert weight.numpy().tolist() == [-2.0, -1.0]


def test_bad_gradients_are_named(backend: Backend, variable: Variable) -> None:
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match=r"'w' has no gradient \(None\)"):
        optimizer.apply([None], [variable])
    with pytest.raises(TypeError, match=r"'w' has dtype int32; expected a float"):
        optimizer.apply([np.ones(2, "int32")], [variable])
    with pytest.raises(ValueError, match=r"'w' has shape \(3,\); expected \(2,\)"):
        optimizer.apply([np.ones(3, "float32")], [variable])
    with pytest.raises(ValueError, match="2 gradients for 1 variables"):
        optimizer.apply([np.ones(2, "float32")] * 2, [variable])
    with pytest.raises(ValueError, match="does not know other"):
        optimizer.apply([np.ones(2, "float32")], [Variable(variable.numpy(), name="other")])
    with pytest.raises(ValueError, match="has no variables yet"):
        optimizers.SGD().apply([np.ones(2, "float32")])
    assert int(optimizer.iterations) == 0
    assert variable.numpy().tolist() == [1.0, 2.0]


# ---- variables -------------------------------------------------------------------------------------------------------


def test_frozen_variables_stay(backend: Backend) -> None:
    optimizer, trained = optimizers.Adam(0.1), variables()
    optimizer.apply(GRADIENTS[0], trained)
    trained[1].trainable = False
    before = values(trained)
    optimizer.apply([GRADIENTS[1][0], None, GRADIENTS[1][2]], trained)
    after = values(trained)
    assert (before[1] == after[1]).all()
    assert (before[0] != after[0]).all()


def test_weight_decay_leaves_excluded_variables_alone(backend: Backend) -> None:
    kernel, bias, scale = (Variable(np.ones(2, "float32"), name=n) for n in ("kernel", "bias", "scale"))
    for v in (kernel, bias, scale):
        v.path = f"dense/{v.name}"
    optimizer = optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([scale], ["bias", "gamma"])
    optimizer.apply([np.zeros(2, "float32")] * 3, [kernel, bias, scale])
    assert [float(v.numpy()[0]) for v in (kernel, bias, scale)] == [0.75, 1.0, 1.0]
    with pytest.raises(ValueError, match="is already built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_constraints_hold_after_each_update(backend: Backend, variable: Variable) -> None:
    variable.constraint = constraints.NonNeg()
    optimizers.SGD(1.5).apply([np.ones(2, "float32")], [variable])
    assert variable.numpy().tolist() == [0.0, 0.5]


def test_a_variable_may_take_its_gradient_as_value(backend: Backend, variable: Variable) -> None:
    variable.overwrite_with_gradient = True
    other = Variable([1.0])
    optimizer = optimizers.Adam(0.5, weight_decay=0.5, use_ema=True)
    optimizer.apply([np.array([5.0, 6.0], "float32"), np.ones(1, "float32")], [variable, other])
    assert variable.numpy().tolist() == [5.0, 6.0]
    assert len(optimizer.variables) == 2 + 3
    optimizer.finalize_variable_values([variable, other])
    assert variable.numpy().tolist() == [5.0, 6.0]


def test_moving_averages(backend: Backend) -> None:
    gradients = [np.array([1.0], "float32")] * 3
    weight = Variable([8.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75)
    for gradient in gradients:
        optimizer.apply([gradient], [weight])
    assert weight.numpy().tolist() == [5.0]
    average = 0.75 * (0.75 * 7.0 + 0.25 * 6.0) + 0.25 * 5.0
    optimizer.finalize_variable_values([weight])
    assert weight.numpy().tolist() == [average]


def test_moving_averages_where_gradients_accumulate(backend: Backend) -> None:
    """Each call of `apply` counts, as in Keras; before the first update the average is the variable."""
    weight = Variable([8.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75, gradient_accumulation_steps=2)
    for _ in range(4):
        optimizer.apply([np.array([2.0], "float32")], [weight])
    assert weight.numpy().tolist() == [4.0]
    optimizer.finalize_variable_values([weight])
    assert weight.numpy().tolist() == [0.75 * (0.75 * 6.0 + 0.25 * 6.0) + 0.25 * 4.0]


def test_moving_averages_overwrite_the_variables(backend: Backend) -> None:
    weight = Variable([8.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    step = autodiff.function(lambda gradient: optimizer.apply([gradient], [weight]))
    seen = []
    for _ in range(4):
        step(np.array([1.0], "float32"))
        seen.append(float(weight.numpy()[0]))
    assert seen == [7.0, 6.5, 5.5, 5.25]


def test_names_and_order_of_the_state(backend: Backend) -> None:
    reset_names()
    kernel, bias = Variable([1.0]), Variable([1.0])
    kernel.path, bias.path = "dense/kernel", "dense/bias"
    optimizer = optimizers.Adam(amsgrad=True, use_ema=True, gradient_accumulation_steps=2)
    optimizer.build([kernel, bias])
    slots = ["average", "gradient_accumulator", "momentum velocity", "velocity_hat"]
    assert [v.path for v in optimizer.variables] == [
        "adam/iteration",
        "adam/learning_rate",
        *(f"adam/dense_{v}_{name}" for group in slots for v in ("kernel", "bias") for name in group.split()),
    ]
    assert optimizers.RMSprop().name == "rm_sprop"
    assert optimizers.Adam().name == "adam_1"

"""Optimizers on each backend against their formulas in float64, and what all of them share."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract import optimizer_formulas as formulas
from polykeras import autodiff, constraints, ops, optimizers
from polykeras.backend import Backend, use_backend
from polykeras.naming import reset_names
from polykeras.optimizers import schedules
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


@pytest.fixture
def variable(backend: Backend) -> Variable:
    return Variable(np.array([1.0, 2.0], "float32"), name="w")


@pytest.mark.parametrize("case", CASES)
def test_steps_follow_the_formula(backend: Backend, case: str) -> None:
    make, formula = CASES[case]
    trained = train(make())
    assert_close(values(trained), expected_of(formula))
    assert [variable.home for variable in trained] == [backend.name] * 3


@pytest.mark.parametrize("case", CASES)
def test_a_compiled_step_is_the_same_step(backend: Backend, case: str) -> None:
    make, formula = CASES[case]
    optimizer, trained = make(), variables()
    step = autodiff.function(lambda *gradients: optimizer.apply(list(gradients), trained))
    for gradients in GRADIENTS:
        step(*gradients)
    assert_close(values(trained), expected_of(formula))
    assert int(optimizer.iterations) == STEPS


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", optimizers.registry.names())
def test_variables_and_state_keep_their_dtype(backend: Backend, name: str, dtype: str) -> None:
    weight = Variable([0.5, -1.0], dtype=dtype)
    other = Variable([0.5, -1.0], dtype="float32")
    optimizer = optimizers.get(name)
    optimizer.learning_rate = 100.0  # some optimizers begin with steps too small for these dtypes
    for _ in range(2):
        optimizer.apply([ops.array([0.25, -0.5], dtype="float32")] * 2, [weight, other])
    assert backend.dtype(weight.value) == dtype
    assert backend.dtype(other.value) == "float32"
    assert all(backend.dtype(v.value) == v.dtype for v in optimizer.variables)
    slots = [v.dtype for v in optimizer.variables if v.shape]
    assert slots.count(dtype) == slots.count("float32") == len(slots) / 2
    assert np.isfinite(weight.numpy().astype("float32")).all()
    assert (weight.numpy() != np.asarray([0.5, -1.0])).any()


# ---- learning rates --------------------------------------------------------------------------------------------


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
    assert len(runs) == before if backend.is_compiled() else len(runs) > before


def test_the_learning_rate_can_become_a_schedule(backend: Backend, variable: Variable) -> None:
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([0], [1.0, 0.25])
    for _ in range(2):
        optimizer.apply([np.ones(2, "float32")], [variable])
    assert variable.numpy().tolist() == [-0.25, 0.75]
    assert [v.name for v in optimizer.variables] == ["iteration"]


# ---- gradients -------------------------------------------------------------------------------------------------


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


# ---- variables -------------------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="is built"):
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


# ---- state moves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", optimizers.registry.names())
def test_training_goes_on_from_saved_state_and_on_another_backend(backend: Backend, name: str) -> None:
    whole = values(train(optimizers.get(name)))
    first, trained = optimizers.get(name), variables()
    with use_backend("numpy"):
        for gradients in GRADIENTS[:4]:
            first.apply(gradients, trained)
    store: dict[str, np.ndarray] = {}
    first.save_own_variables(store)
    second = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(first))))
    if len(store) > 2:
        with pytest.raises(ValueError, match=r"Call `build\(variables\)` first"):
            second.load_own_variables(store)
    second.build(trained)
    second.load_own_variables(store)
    for gradients in GRADIENTS[4:]:
        second.apply(gradients, trained)
    assert_close(values(trained), whole, 1e-5, 1e-6)


@pytest.mark.parametrize("name", ["Nadam", "SGD"])
def test_stateless_apply_changes_nothing(backend: Backend, name: str) -> None:
    optimizer, trained = optimizers.get(name), variables()
    optimizer.build(trained)
    state = [v.value for v in optimizer.variables]
    weights = [v.value for v in trained]
    for gradients in GRADIENTS:
        weights, state = optimizer.stateless_apply(state, gradients, weights)
    assert_close(values(trained), START, 0, 0)
    assert int(optimizer.iterations) == 0
    assert int(backend.to_numpy(state[0])) == STEPS
    assert_close([backend.to_numpy(w) for w in weights], values(train(optimizers.get(name))), 1e-6, 1e-7)


# ---- configs and errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_config_round_trip(case: str) -> None:
    optimizer = CASES[case][0](clipnorm=2.0, weight_decay=0.25, decay=0.5, name="mine")
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    assert config["module"] == "keras.optimizers"
    again = optimizers.deserialize(config)
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config() == config["config"]
    assert config["config"]["decay"] == 0.5


def test_config_of_a_schedule() -> None:
    optimizer = optimizers.Adam(schedules.CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=3))
    again = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert again.get_config() == optimizer.get_config()
    assert isinstance(again._learning_rate, schedules.CosineDecay)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.get("adm"), "Did you mean 'adam'"),
        (lambda: optimizers.get(abs), "Expected an optimizer"),
        (lambda: optimizers.SGD(clipnorm=-1.0), "`clipnorm` must be positive"),
        (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), "only one kind of clipping"),
        (lambda: optimizers.SGD(momentum=1.5), r"SGD: `momentum` must lie in \[0, 1\]"),
        (lambda: optimizers.Adam(beta_1=1.0), r"`beta_1` must lie in \[0, 1\)"),
        (lambda: optimizers.Adam(ema_momentum=-0.1), "`ema_momentum`"),
        (lambda: optimizers.Adam(ema_overwrite_frequency=0), "`ema_overwrite_frequency` must be an int from 1"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=1), "must be an int from 2"),
        (lambda: optimizers.Adam(decay=-1.0), "`decay`"),
        (lambda: optimizers.AdamW(weight_decay=None), "use Adam"),
        (lambda: optimizers.Lion(beta_1=0.0), "Lion: `beta_1`"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), "`learning_rate_power`"),
        (lambda: optimizers.Adagrad(initial_accumulator_value=-1.0), "`initial_accumulator_value`"),
    ],
)
def test_bad_values(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("rate", ["0.1", None, True, [0.1], {"class_name": "Nothing"}])
def test_bad_learning_rates(rate: Any) -> None:
    with pytest.raises(TypeError, match="`learning_rate` must be a number, a schedule or a function"):
        optimizers.SGD(rate)


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Adam has no argument 'learning_rat'. Did you mean 'learning_rate'\?"):
        optimizers.Adam(learning_rat=0.1)  # type: ignore[call-arg]


# ---- optimizers of users ---------------------------------------------------------------------------------------


class Momentum(optimizers.Optimizer):
    """Written as for Keras 3, with `build` and `update_step`."""

    def __init__(self, learning_rate: float = 0.1, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.momentums = [self.add_variable_from_reference(v, name="momentum") for v in variables]

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, ops.subtract(ops.multiply(m, 0.9), ops.multiply(gradient, rate)))
        self.assign_add(variable, m)


def test_an_optimizer_written_for_keras(backend: Backend) -> None:
    optimizer, trained = Momentum(), variables()
    step = autodiff.function(lambda *gradients: optimizer.apply(list(gradients), trained))
    for gradients in GRADIENTS:
        step(*gradients)
    assert_close(values(trained), expected_of(functools.partial(formulas.sgd, lr=0.1, momentum=0.9)))
    decayed = train(Momentum(weight_decay=1.0), [[0 * g for g in GRADIENTS[0]]])
    assert_close(values(decayed), [0.9 * s for s in START])


class Signs(optimizers.Optimizer):
    def rule(self, gradient: Any, parameter: Any, slots: Any, scalars: Any) -> tuple[Any, ...]:
        return (parameter - scalars[0] * ops.sign(gradient),)


def test_an_optimizer_that_is_a_rule(backend: Backend, variable: Variable) -> None:
    Signs(0.5).apply([np.array([-3.0, 2.0], "float32")], [variable])
    assert variable.numpy().tolist() == [1.5, 1.5]
    with pytest.raises(NotImplementedError, match="must implement `rule`"):
        optimizers.Optimizer(0.5).apply([np.ones(2, "float32")], [variable])

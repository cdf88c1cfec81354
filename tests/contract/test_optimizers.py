"""Optimizers on each backend: steps by the formulas of the papers, state that moves, configs, optimizers of users."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract import optimizer_formulas as formulas
from contract.optimizer_cases import CASES, GRADIENTS, START, STEPS, assert_close, expected_of, train, values, variables
from polykeras import autodiff, ops, optimizers
from polykeras.backend import Backend, use_backend
from polykeras.optimizers import schedules
from polykeras.variables import Variable

HOLDERS = ("LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")  # of other optimizers
ALONE = [name for name in optimizers.registry.names() if name not in HOLDERS]


@pytest.fixture
def variable(backend: Backend) -> Variable:
    return Variable(np.array([1.0, 2.0], "float32"), name="w")


@pytest.mark.parametrize("case", CASES)
def test_steps_follow_the_formula(backend: Backend, case: str) -> None:
    make, formula = CASES[case]
    trained = train(make())
    assert_close(values(trained), expected_of(formula))
    assert [variable.location for variable in trained] == [backend.name] * 3


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
@pytest.mark.parametrize("name", ALONE)
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


# ---- state moves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALONE)
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
        with pytest.raises(ValueError, match="It is not built yet: call `build`"):
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


# ---- configs and errors ----------------------------------------------------------------------------------------------


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
        (lambda: optimizers.Adam(ema_overwrite_frequency=0), "`ema_overwrite_frequency` must be an int >= 1"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=1), "must be an int >= 2"),
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


# ---- optimizers of users ---------------------------------------------------------------------------------------------


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


# ---- several optimizers ----------------------------------------------------------------------------------------------


def both() -> optimizers.MultiOptimizer:
    rates = optimizers.OptimizerMap(optimizers.Adam(0.1), {"w0": optimizers.SGD(0.1, momentum=0.9)})
    return optimizers.MultiOptimizer(rates)


@pytest.mark.parametrize("compiled", [False, True])
def test_each_variable_has_its_optimizer(backend: Backend, compiled: bool) -> None:
    optimizer, trained = both(), variables()
    for i, variable in enumerate(trained):
        variable.path = f"w{i}"

    def step(*gradients: Any) -> None:
        optimizer.apply(list(gradients), trained)

    run = autodiff.function(step) if compiled else step
    for gradients in GRADIENTS:
        run(*gradients)
    sgd, adam = functools.partial(formulas.sgd, lr=0.1, momentum=0.9), functools.partial(formulas.adam, lr=0.1)
    expected = [expected_of(sgd)[0], *expected_of(adam)[1:]]
    assert_close(values(trained), expected)
    assert int(optimizer.iterations) == STEPS
    assert [len(o.variables) for o in optimizer.optimizers] == [3, 6]


def test_a_map_goes_through_a_config_and_copies() -> None:
    optimizer = both()
    again = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert again.get_config() == optimizer.get_config()
    trained = variables()
    trained[0].path = "w0"
    again.build(trained)
    optimizer.build(trained)
    again.set_weights([v.numpy() + np.ones((), v.dtype) for v in optimizer.variables])
    assert all((v.numpy() == w.numpy() + 1).all() for v, w in zip(again.variables, optimizer.variables, strict=True))
    with pytest.raises(AttributeError, match="no learning rate of its own"):
        _ = again.learning_rate
    with pytest.raises(ValueError, match="several patterns match"):
        _ = optimizers.OptimizerMap(optimizers.SGD(), {"a.*": optimizers.SGD(), ".*b": optimizers.SGD()})["ab"]
    with pytest.raises(ValueError, match="contain no others"):
        optimizers.MultiOptimizer(lambda variable: both()).build(trained)


def test_shared_arguments_go_by_place_too() -> None:
    by_place = optimizers.Adam(0.1, 0.8, 0.9, 1e-5, True, 0.25, 1.0, None, None, True, 0.5, None, None, 2, "mine")
    by_name = optimizers.Adam(
        0.1, 0.8, 0.9, 1e-5, True, weight_decay=0.25, clipnorm=1.0, use_ema=True, ema_momentum=0.5,
        gradient_accumulation_steps=2, name="mine",
    )  # fmt: skip
    assert by_place.get_config() == by_name.get_config()
    assert list(inspect.signature(optimizers.AdamW).parameters)[5:8] == ["amsgrad", "clipnorm", "clipvalue"]
    with pytest.raises(TypeError, match="multiple values for weight_decay"):
        optimizers.Adam(0.1, 0.8, 0.9, 1e-5, True, 0.25, weight_decay=0.25)
    assert optimizers.legacy.Adam(lr=0.5, decay=0.1).learning_rate == 0.5


def test_weights_are_set_as_they_were() -> None:
    optimizer, trained = optimizers.Adam(), variables()
    with pytest.raises(ValueError, match="call `build"):
        optimizer.set_weights([])
    optimizer.build(trained)
    with pytest.raises(ValueError, match=r"has \d+ variables; received 1 arrays"):
        optimizer.set_weights([np.zeros(())])

"""Optimizers: every argument over several steps; the weights, the state, its order and names, and the last averages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from differential.opponent import Call, compare, host, keras, outcome, quiet, settle, together

pytestmark = [pytest.mark.slow, pytest.mark.keras]

rng = np.random.default_rng(5)
SHAPES = ((3, 2), (2,), ())
START = [rng.normal(size=shape).astype("float32") for shape in SHAPES]
STEPS = 5
GRADIENTS = [[(rng.normal(size=s) * (rng.random(s) > 0.3)).astype("float32") for s in SHAPES] for _ in range(STEPS)]

SHARED: dict[str, dict[str, Any]] = {
    "plain": {},
    "weight_decay": {"weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.3},
    "global_clipnorm": {"global_clipnorm": 0.7},
    "use_ema": {"use_ema": True, "ema_momentum": 0.6},
    "ema_overwrite_frequency": {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 2},
    "loss_scale_factor": {"loss_scale_factor": 8.0},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 2},
    "accumulated, averaged": {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6},
    "accumulated, overwritten": {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 1},
    "accumulated, clipped, decayed": {"gradient_accumulation_steps": 3, "global_clipnorm": 0.5, "weight_decay": 0.1},
    "half": {},
    "constrained": {"use_ema": True, "ema_momentum": 0.6},
}  # fmt: skip
OWN: dict[str, list[dict[str, Any]]] = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}],
    "RMSprop": [{}, {"rho": 0.5, "momentum": 0.5, "epsilon": 1e-3, "centered": True}, {"centered": True}, {"momentum": 0.9}],
    "Adam": [{}, {"amsgrad": True, "beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-3}],
    "AdamW": [{}, {"amsgrad": True, "weight_decay": 0.2}],
    "Adamax": [{}, {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-3}],
    "Nadam": [{}, {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-3}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 1e-2}],
    "Adadelta": [{"learning_rate": 1.0}, {"rho": 0.5, "epsilon": 1e-2}],
    "Lion": [{}, {"beta_1": 0.5, "beta_2": 0.6}],
    "Ftrl": [{}, {"learning_rate_power": -0.3, "initial_accumulator_value": 0.2, "l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "l2_shrinkage_regularization_strength": 0.05, "beta": 0.3}],
    "Adafactor": [{}, {"relative_step": False, "beta_2_decay": -0.5, "epsilon_2": 0.1, "clip_threshold": 0.3, "weight_decay": 0.1}],
    "Lamb": [{}, {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-3, "weight_decay": 0.1}],
    "Muon": [{}, {"nesterov": False, "rms_rate": None, "ns_steps": 3, "momentum": 0.5, "weight_decay": None}, {"exclude_layers": ["w0"], "adam_lr_ratio": 2.0, "adam_weight_decay": None}],
    "ScheduleFreeAdamW": [{}, {"beta_1": 0.7, "beta_2": 0.6, "epsilon": 1e-3, "warmup_steps": 3, "weight_decay": 0.1}],
}  # fmt: skip
SCHEDULES: dict[str, dict[str, Any]] = {
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5, "staircase": True},
    "PiecewiseConstantDecay": {"boundaries": [1, 3], "values": [0.1, 0.05, 0.01]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "power": 2.0, "cycle": True},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5},
    "CosineDecay": {
        "initial_learning_rate": 0.1,
        "decay_steps": 3,
        "alpha": 0.1,
        "warmup_target": 0.2,
        "warmup_steps": 2,
    },
    "CosineDecayRestarts": {
        "initial_learning_rate": 0.1,
        "first_decay_steps": 2,
        "t_mul": 1.5,
        "m_mul": 0.9,
        "alpha": 0.1,
    },
}


def make(library: Any, name: str, config: dict[str, Any], rate: float | None = 0.05) -> Any:
    config = dict(config)
    if "schedule" in config:
        schedule = config.pop("schedule")
        config["learning_rate"] = getattr(library.optimizers.schedules, schedule)(**SCHEDULES[schedule])
    if rate is not None:
        config.setdefault("learning_rate", rate)
    return getattr(library.optimizers, name)(**config)


def trained(library: Any, name: str, config: dict[str, Any], case: str, start: list[Any], gradients: list[Any]) -> Any:
    """Return the weights after each step, the state, and the weights after the end of training."""
    dtype = "bfloat16" if case == "half" else "float32"
    weights = [library.Variable(x, dtype=dtype, name=f"w{i}") for i, x in enumerate(start)]
    if case == "constrained":
        weights[0].constraint = library.constraints.MaxNorm(0.5)
        weights[1].constraint = library.constraints.NonNeg()
    optimizer = make(library, name, config)
    seen = []
    for step in gradients:
        optimizer.apply([library.ops.cast(g, dtype) for g in step], weights)
        seen += [library.ops.copy(w) for w in weights]
    state = [library.ops.copy(v) for v in optimizer.variables]
    optimizer.finalize_variable_values(weights)
    return [*seen, *state, *(library.ops.copy(w) for w in weights)]


def cases(name: str) -> dict[str, dict[str, Any]]:
    found = {f"own {i}": config for i, config in enumerate(OWN[name])}
    found |= {case: config for case, config in SHARED.items() if name in ("Adam", "SGD") or case in ("plain", "half")}
    if name == "Adam":
        found |= {schedule: {"schedule": schedule} for schedule in SCHEDULES}
        found["accumulated, scheduled"] = {"schedule": "ExponentialDecay", "gradient_accumulation_steps": 2}
    return found


@pytest.mark.parametrize("name", OWN)
def test_steps(name: str) -> None:
    arrays = (*START, *[g for step in GRADIENTS for g in step])
    n = len(SHAPES)

    def run(library: Any, case: str, config: dict[str, Any], flat: tuple[Any, ...]) -> Any:
        steps = [list(flat[n * i : n * (i + 1)]) for i in range(1, STEPS + 1)]
        return trained(library, name, config, case, list(flat[:n]), steps)

    with quiet():
        calls = {
            case: Call(lambda *a, c=case, k=config: run(keras(), c, k, a), arrays)
            for case, config in cases(name).items()
        }
        theirs, found = together(calls), []
        for case, config in cases(name).items():
            ours = outcome(lambda c=case, k=config: run(polykeras, c, k, arrays))
            found += compare(case, ours, theirs[case])
    settle(f"optimizers.{name}", list(calls), found)


@pytest.mark.parametrize("name", OWN)
def test_state_has_the_order_and_names(name: str) -> None:
    """Files and `set_weights` go by the order of the variables."""
    with quiet():
        for config in [*OWN[name], {"use_ema": True, "gradient_accumulation_steps": 2}]:
            ours, theirs = (make(library, name, config | {"name": "o"}, rate=None) for library in (polykeras, keras()))
            for library, optimizer in ((polykeras, ours), (keras(), theirs)):
                optimizer.build([library.Variable(x, name=f"w{i}") for i, x in enumerate(START)])
            for v, w in zip(ours.variables, theirs.variables, strict=True):
                assert v.path == w.path or "/" not in w.path  # one without a name has a number of the process
                assert tuple(v.shape) == tuple(w.shape)
                np.testing.assert_array_equal(host(v), host(w))
            assert ours.get_config().keys() >= theirs.get_config().keys()


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    steps = np.arange(8, dtype="int32")
    with quiet():
        schedules = [getattr(library.optimizers.schedules, name)(**SCHEDULES[name]) for library in (polykeras, keras())]
        rates = [[host(schedule(i)) for i in steps] for schedule in schedules]
    np.testing.assert_allclose(*rates, rtol=2e-6)
    assert rates[0][0].dtype == rates[1][0].dtype


def test_several_optimizers() -> None:
    def run(library: Any) -> list[Any]:
        weights = [library.Variable(x, name=f"w{i}") for i, x in enumerate(START)]
        each = library.optimizers.OptimizerMap(
            library.optimizers.Adam(0.1, name="rest"), {"w[12]": library.optimizers.Lamb(0.1, name="some")}
        )
        optimizer = library.optimizers.MultiOptimizer(each, name="several")
        for gradients in GRADIENTS:
            optimizer.apply([library.ops.convert_to_tensor(g) for g in gradients], weights)
        seen = [host(v) for v in (*weights, *optimizer.variables)]
        return [*seen, [v.path for v in optimizer.variables], optimizer.get_config().keys()]

    with quiet():
        *ours, names, keys = run(polykeras)
        *theirs, wanted, config = run(keras())
    assert names == wanted
    assert keys == config
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)  # Keras's powers of betas are float32

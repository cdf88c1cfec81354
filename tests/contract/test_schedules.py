"""Learning-rate schedules on each backend, plain and traced, against their formulas."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import autodiff
from polykeras.backend import Backend
from polykeras.optimizers import schedules
from polykeras.variables import Variable


def cosine(fraction: float) -> float:
    return (1 + math.cos(math.pi * fraction)) / 2


def polynomial(step: int, end: float = 0.0001, power: float = 1.0, cycle: bool = False) -> float:
    length = 10 * max(1, math.ceil(step / 10)) if cycle else 10
    return (0.5 - end) * (1 - min(step, length) / length) ** power + end


def warmup(step: int) -> float:
    if step < 4:
        return 0.5 + (2.0 - 0.5) * step / 4
    return 2.0 * (0.9 * cosine(min(step - 4, 10) / 10) + 0.1)


def restarts(step: int, first: float, t_mul: float, m_mul: float, alpha: float) -> float:
    start, length, height = 0.0, first, 1.0
    while step >= start + length:
        start, length, height = start + length, length * t_mul, height * m_mul
    return 0.5 * ((1 - alpha) * height * cosine((step - start) / length) + alpha)


CASES: dict[str, tuple[schedules.LearningRateSchedule, Callable[[int], float]]] = {
    "exponential": (schedules.ExponentialDecay(0.5, 10, 0.3), lambda t: 0.5 * 0.3 ** (t / 10)),
    "exponential-stairs": (schedules.ExponentialDecay(0.5, 10, 0.3, True), lambda t: 0.5 * 0.3 ** (t // 10)),
    "piecewise": (
        schedules.PiecewiseConstantDecay([3, 7], [1.0, 0.5, 0.25]),
        lambda t: 1.0 if t <= 3 else 0.5 if t <= 7 else 0.25,
    ),
    "polynomial": (schedules.PolynomialDecay(0.5, 10), polynomial),
    "polynomial-power": (
        schedules.PolynomialDecay(0.5, 10, 0.1, power=2.0),
        functools.partial(polynomial, end=0.1, power=2.0),
    ),
    "polynomial-cycle": (schedules.PolynomialDecay(0.5, 10, cycle=True), functools.partial(polynomial, cycle=True)),
    "inverse": (schedules.InverseTimeDecay(0.5, 10, 0.3), lambda t: 0.5 / (1 + 0.3 * t / 10)),
    "inverse-stairs": (schedules.InverseTimeDecay(0.5, 10, 0.3, True), lambda t: 0.5 / (1 + 0.3 * (t // 10))),
    "cosine": (schedules.CosineDecay(0.5, 10, 0.1), lambda t: 0.5 * (0.9 * cosine(min(t, 10) / 10) + 0.1)),
    "cosine-warmup": (schedules.CosineDecay(0.5, 10, 0.1, warmup_target=2.0, warmup_steps=4), warmup),
    "restarts": (
        schedules.CosineDecayRestarts(0.5, 10),
        functools.partial(restarts, first=10, t_mul=2, m_mul=1, alpha=0),
    ),
    "restarts-all": (
        schedules.CosineDecayRestarts(0.5, 4, 1.5, 0.9, 0.1),
        functools.partial(restarts, first=4, t_mul=1.5, m_mul=0.9, alpha=0.1),
    ),
    "restarts-even": (
        schedules.CosineDecayRestarts(0.5, 4, 1.0, 0.9, 0.1),
        functools.partial(restarts, first=4, t_mul=1.0, m_mul=0.9, alpha=0.1),
    ),
}
STEPS = range(45)


@pytest.mark.parametrize("case", CASES)
def test_schedules_follow_their_formulas(backend: Backend, case: str) -> None:
    schedule, formula = CASES[case]
    step = Variable(0, dtype="int32", trainable=False)

    @autodiff.function
    def traced() -> Any:
        rate = schedule(step)
        step.assign_add(1)
        return rate

    expected = [formula(t) for t in STEPS]
    plain = [schedule(t) for t in STEPS]
    compiled = [traced() for _ in STEPS]
    for rates in (plain, compiled):
        arrays = [np.asarray(backend.to_numpy(rate)) for rate in rates]
        assert {(a.dtype.name, a.shape) for a in arrays} == {("float32", ())}
        np.testing.assert_allclose(arrays, expected, rtol=2e-6, atol=1e-7)


def test_restarts_come_at_the_exact_step(backend: Backend) -> None:
    schedule = schedules.CosineDecayRestarts(1.0, first_decay_steps=1000)
    for k in range(1, 13):
        start = 1000 * (2**k - 1)
        assert float(schedule(start)) == 1.0
        assert float(schedule(start - 1)) < 0.01


def test_shrinking_periods_end(backend: Backend) -> None:
    schedule = schedules.CosineDecayRestarts(1.0, first_decay_steps=8, t_mul=0.5, alpha=0.25)
    assert [float(schedule(t)) for t in (0, 8, 12, 14)] == [1.0] * 4
    assert float(schedule(16)) == 0.25
    assert float(schedule(1000)) == 0.25


@pytest.mark.parametrize("case", CASES)
def test_config_round_trip(case: str) -> None:
    schedule = CASES[case][0]
    config = json.loads(json.dumps(schedules.serialize(schedule)))
    assert config["module"] == "keras.optimizers.schedules"
    again = schedules.deserialize(config)
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config() == config["config"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "`decay_steps` must be positive"),
        (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0), "`t_mul` must be positive"),
        (lambda: schedules.CosineDecay(0.1, 10, warmup_steps=-1), "`warmup_steps`"),
        (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), "one more value than boundaries"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]), "must increase"),
    ],
)
def test_bad_values(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

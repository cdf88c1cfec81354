"""Recorded losses, metrics, optimizers and activations: a call each, described by plain data, of this library or of Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from contract import loss_cases, metric_cases, optimizer_cases
from contract.table import HARD, INF, NAN
from polykeras import activations

HALVES = ("float16", "bfloat16")


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        subject: the module and the name in it, as `losses.Huber`.
        config: arguments of the object, or of the function.
        arrays: float32 and int32 ones.
        dtype: in which floats are given.
    """

    subject: str
    config: dict[str, Any]
    arrays: list[np.ndarray]
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """The name in the module."""
        return self.subject.split(".")[1]

    def data(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {"subject": self.subject, "config": self.config, "arrays": self.arrays, "dtype": self.dtype}


def run(library: Any, call: Call, arrays: Any) -> list[Any]:
    """Return what a library gives for a call, with its own arrays in the place of the call's."""
    module, name = call.subject.split(".")
    given = [
        library.ops.cast(x, call.dtype) if a.dtype.kind == "f" else x for x, a in zip(arrays, call.arrays, strict=True)
    ]
    if module == "activations":
        return [getattr(library.activations, name)(*given, **call.config)]
    made = getattr(getattr(library, module), name)(**call.config)
    return {"losses": _loss, "metrics": _metric, "optimizers": _optimizer}[module](library, made, given)


def _loss(library: Any, loss: Any, arrays: list[Any]) -> list[Any]:
    return [loss(*arrays)]


def _metric(library: Any, metric: Any, arrays: list[Any]) -> list[Any]:
    """Return the results after each of two batches."""
    seen = []
    half = arrays[0].shape[0] // 2
    for part in (slice(0, half), slice(half, None)):
        metric.update_state(*[x[part] for x in arrays])
        seen.append(library.ops.copy(metric.result()))
    return seen


def _optimizer(library: Any, optimizer: Any, arrays: list[Any]) -> list[Any]:
    """Return weights after some steps; the arrays are the weights, then the gradients of each step."""
    n = len(optimizer_cases.SHAPES)
    weights = [library.Variable(x, name=f"w{i}") for i, x in enumerate(arrays[:n])]
    for first in range(n, len(arrays), n):
        optimizer.apply(arrays[first : first + n], weights)
    return [library.ops.copy(w) for w in weights]


def _config(made: Any) -> dict[str, Any]:
    """Return the arguments of an object that are no matter of chance."""
    left = {key: value for key, value in made.get_config().items() if key not in ("name", "dtype", "fn")}
    return {
        key: value
        for key, value in left.items()
        if value is None or isinstance(value, (bool, int, float, str, list, tuple))
    }


def _narrow(x: np.ndarray) -> np.ndarray:
    return np.asarray(x).astype("float32" if np.asarray(x).dtype.kind == "f" else "int32")


RATES = {
    "SensitivityAtSpecificity": "specificity",
    "SpecificityAtSensitivity": "sensitivity",
    "PrecisionAtRecall": "recall",
    "RecallAtPrecision": "precision",
}


def _losses() -> Iterator[tuple[str, Call]]:
    for name, (loss, y, p, _) in loss_cases.CASES.items():
        subject, config = f"losses.{type(loss).__name__}", _config(loss)
        arrays = [_narrow(y), _narrow(p)]
        whole = name in ("dice", "tversky", "circle", "ctc") or config.get("axis") == 0
        weights = [] if whole else [np.linspace(0.0, 1.5, len(p), dtype="float32")]
        yield f"{name} mean", Call(subject, config, arrays + weights)
        yield f"{name} each", Call(subject, {**config, "reduction": None}, arrays)
        if config.get("axis") != 0:
            yield f"{name} sum of one", Call(subject, {**config, "reduction": "sum"}, [x[:1] for x in arrays])
        for dtype in HALVES if name != "ctc" else ():
            yield f"{name} {dtype}", Call(subject, {**config, "dtype": dtype}, arrays)
        if not whole and name not in ("circle", "cosine-axis"):
            yield f"{name} no rows", Call(subject, {**config, "reduction": None}, [x[:0] for x in arrays])
        if not whole or name == "cosine-axis":
            odd = arrays[1].copy()
            odd[0, 0], odd[1, -1] = NAN, INF
            yield f"{name} not finite", Call(subject, {**config, "reduction": None}, [arrays[0], odd])


def _metrics() -> Iterator[tuple[str, Call]]:
    for name, (metric, y, p, _) in metric_cases.CASES.items():
        subject, config = f"metrics.{type(metric).__name__}", _config(metric)
        arrays = [_narrow(y)[:12], _narrow(p)[:12]]
        yield name, Call(subject, config, arrays)
        yield f"{name} weighted", Call(subject, config, [*arrays, metric_cases.WEIGHT[:12].astype("float32")])
        yield f"{name} of one", Call(subject, config, [x[:2] for x in arrays])
    for name, argument in RATES.items():
        arrays = [_narrow(metric_cases.BINARY)[:12], _narrow(metric_cases.SCORES)[:12]]
        for value in (0.4, 0.8):
            yield f"{name} {value}", Call(f"metrics.{name}", {argument: value, "num_thresholds": 20}, arrays)


def _optimizers() -> Iterator[tuple[str, Call]]:
    steps = [x for step in optimizer_cases.GRADIENTS[:3] for x in step]
    still = [np.zeros_like(x) for x in optimizer_cases.START]
    for name, (make, _) in optimizer_cases.CASES.items():
        made = make()
        subject, config = f"optimizers.{type(made).__name__}", _config(made)
        yield name, Call(subject, config, [*optimizer_cases.START, *steps])
        yield f"{name} at rest", Call(subject, config, [*optimizer_cases.START, *still, *steps[:3]])
        yield f"{name} clipped", Call(subject, {**config, "global_clipnorm": 0.5}, [*optimizer_cases.START, *steps])


ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "relu": [{"negative_slope": 0.2, "max_value": 3.0, "threshold": 0.5}],
    "gelu": [{"approximate": True}],
    "leaky_relu": [{"negative_slope": 0.5}],
    "elu": [{"alpha": 0.5}],
    "celu": [{"alpha": 0.5}],
    "softmax": [{"axis": 0}],
    "log_softmax": [{"axis": 0}],
    "squareplus": [{"b": 2}],
    "hard_shrink": [{"threshold": 1.0}],
    "soft_shrink": [{"threshold": 1.0}],
    "threshold": [{"threshold": 1.0, "default_value": 20.0}],
}
"""Arguments other than the defaults, by activation."""
NAMES = sorted(
    {f.__name__ for f in vars(activations).values() if callable(f) and f in activations.registry}
    - {"hard_sigmoid_of_keras_2"}
)


def _activations() -> Iterator[tuple[str, Call]]:
    rows = np.random.default_rng(4).normal(size=(3, 4)).astype("float32") * 2
    for name in NAMES:
        for config in ({}, *ARGUMENTS.get(name, ())):
            full = {"threshold": 0.5, "default_value": 0.0} if name == "threshold" and not config else config
            words = " ".join([name, *(f"{k}={v}" for k, v in config.items())])
            yield words, Call(f"activations.{name}", full, [rows])
            yield f"{words} hard", Call(f"activations.{name}", full, [HARD.astype("float32")])
            yield f"{words} empty", Call(f"activations.{name}", full, [rows[:0]])
            for dtype in HALVES:
                yield f"{words} {dtype}", Call(f"activations.{name}", full, [rows], dtype)


TABLES: dict[str, dict[str, Call]] = {
    family: dict(make())
    for family, make in {
        "losses": _losses,
        "metrics": _metrics,
        "optimizers": _optimizers,
        "activations": _activations,
    }.items()
}

"""The nan guard: it names the step, the layer and the tensor in which the first number was not finite.

With `polykeras.config.set_nan_guard(True)` (or `"nan_guard": true` in the config file), training still runs in compiled
chunks. After each chunk, one question goes to the device: is everything that was trained finite? If not, the state
before the chunk is restored, and its steps run one by one up to the first bad one, which is then examined as plain
code. Without the guard nothing is spent: steps are wrapped, or not, when they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import numpy as np

from polykeras import config, dtypes
from polykeras.autodiff import value_and_grad
from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.common.traits import overrides
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.padding import unfilled
from polykeras.training.steps.checks.wrapped import Snapshot, WrappedStep
from polykeras.training.steps.step import Step
from polykeras.training.steps.with_state import neutral_step
from polykeras.variables import Scope, Variable, put_back


def guarded(step: Step) -> Step:
    """Return a step that is guarded, if it trains and the guard is on."""
    return GuardedStep(step) if step.plan.kind == "train" and config.nan_guard() else step


class GuardedStep(WrappedStep):
    """A training step that is repeated and explained if it leaves a number that is not finite.

    Args:
        step: see `WrappedStep`.
    """

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self._constants: set[int] | None = None  # ids of variables not finite on purpose, such as a mask of -inf

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run consecutive steps over rows of arrays.

        Raises:
            FloatingPointError: a step left a number that is not finite. The model is as it was before that step.
        """
        before = self._snapshot()
        logs = self._step.run_rows(data, indices, start, stop)
        if self._is_sound(logs):
            self._done += stop - start
            return logs
        put_back(before)
        for i in range(start, stop):
            rows = self._backend.rows(data, indices[i])
            self._run_checked(lambda i=i: self._step.run_rows(data, indices, i, i + 1), rows)
        raise FloatingPointError("A chunk of steps gave numbers that are not finite; its steps one by one did not.")

    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch. Raises: as `run_rows`."""
        return self._run_checked(lambda: self._step.run_batch(batch), batch)

    def _run_checked(self, run: Callable[[], Any], batch: Any) -> Any:
        before = self._snapshot()
        logs = run()
        if self._is_sound(logs):
            self._done += 1
            return logs
        after = [(v, np.asarray(v.numpy())) for v, _ in before if id(v) not in (self._constants or ())]
        put_back(before)
        found = self._bad_before() or _first_bad(
            self._model, nested.map_structure(self._backend.asarray, batch), self._backend, after
        )
        where = f"Step {self._done} of the epoch (the first is 0), of model {self._model.name!r}"
        raise FloatingPointError(f"{where}: {found} The model is as it was before the step.")

    def _snapshot(self) -> Snapshot:
        if self._constants is None:
            constant = [v for v in self._model.variables if not v.trainable and _bad_numbers(v, v.numpy())]
            self._constants = set(map(id, constant))
        return super()._snapshot()

    def _checked(self) -> list[Variable]:
        return [v for v in self._model._all_variables() if id(v) not in (self._constants or ())]

    def _bad_before(self) -> str | None:
        """Return which variable was not finite before the step; None for none."""
        for variable in self._checked():
            bad = _bad_numbers(variable, variable.numpy())
            if bad:
                return f"{bad} of the numbers in {variable.path!r} were not finite before the step."
        return None

    def _is_sound(self, logs: Any) -> bool:
        backend = self._backend
        values = [v.value for v in self._checked() if dtypes.is_float(v.dtype)]
        values += [x for x in nested.flatten(logs) if backend.is_tensor(x) and dtypes.is_float(backend.dtype(x))]
        if not values:
            return True
        return bool(backend.to_numpy(reduce(backend.logical_and, [backend.all(backend.isfinite(x)) for x in values])))


def _first_bad(model: Any, batch: Any, backend: Backend, after: Sequence[tuple[Variable, np.ndarray]]) -> str:
    """Return what is the first to be not finite in a step, in the order in which it computes."""
    data, _ = unfilled(batch)
    x, y, weight = unpack_x_y_sample_weight(data)
    for what, part in (("input", x), ("label", y), ("sample weight", weight)):
        for name, leaf in zip(nested.paths(part), nested.flatten(part), strict=True):
            if leaf is not None and not _is_finite(backend, leaf):
                return f"the data are not finite: {what} {name or ''} {_counts(backend, leaf)}.".replace("  ", " ")
    if overrides(model, "train_step"):
        return _bad_layer(model, backend, lambda: neutral_step(model, "train", backend)(data)) or _bad_update(after)
    found = _bad_layer(model, backend, lambda: model(x, training=True))
    if found:
        return found

    def loss() -> Any:
        return model._loss_of(x, y, model(x, training=True), weight, training=True)

    # Each runs in a scope of its own, which is dropped: so each draws the random numbers of the step.
    with Scope():
        value = loss()
    if not _is_finite(backend, value):
        return f"all layers' outputs are finite, and the loss is {float(backend.to_numpy(value))}."
    trained = model.trainable_variables
    with Scope():
        _, gradients = value_and_grad(loss, trained)()
    for variable, gradient in reversed(list(zip(trained, gradients, strict=True))):
        if gradient is not None and not _is_finite(backend, gradient):
            found = _counts(backend, gradient)
            return f"the outputs and the loss are finite, and the gradient of {variable.path!r} {found}."
    return _bad_update(after)


def _bad_layer(model: Any, backend: Backend, run: Callable[[], Any]) -> str | None:
    """Return which layer's output is the first to be not finite while some code runs; None for none."""
    with Scope(), _watched_layers(model, backend) as seen:
        run()
    return seen[0] if seen else None


def _bad_update(after: Sequence[tuple[Variable, np.ndarray]]) -> str:
    """Return which variable is not finite after a step in which everything else is."""
    for variable, value in after:
        bad = _bad_numbers(variable, value)
        if bad:
            return (
                f"all that was looked at is finite, and after the update {bad} of {value.size} numbers in "
                f"{variable.path!r} are not: is the learning rate too large?"
            )
    return "something is not finite that plain code does not show."


def _bad_numbers(variable: Variable, value: np.ndarray) -> int:
    """Return how many numbers in the value of a variable are not finite."""
    return int((~np.isfinite(value.astype("float64"))).sum()) if dtypes.is_float(variable.dtype) else 0


@contextmanager
def _watched_layers(model: Any, backend: Backend) -> Iterator[list[str]]:
    """Check the outputs of each layer; yield a list to which the first one that is not finite is added."""
    seen: list[str] = []
    layers = [layer for layer in model._flatten_layers() if layer is not model]

    def watched(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            for path, leaf in zip(nested.paths(outputs), nested.flatten(outputs), strict=True):
                if not seen and not _is_finite(backend, leaf):
                    what = f"output {path}" if path else "the output"
                    seen.append(
                        f"{what} of layer {layer.name!r} ({type(layer).__name__}) {_counts(backend, leaf)}; its inputs "
                        f"{_range_of(backend, (args, kwargs))}."
                    )
            return outputs

        return wrapper

    for layer in layers:
        vars(layer)["call"] = watched(layer, layer.call)
    try:
        yield seen
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _is_finite(backend: Backend, x: Any) -> bool:
    if not backend.is_tensor(x) or backend.is_traced(x) or not dtypes.is_float(backend.dtype(x)):
        return True
    return bool(backend.to_numpy(backend.all(backend.isfinite(x))))


def _counts(backend: Backend, x: Any) -> str:
    values = np.asarray(backend.to_numpy(x)).astype("float64")
    nan, inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0]) if values.ndim else ()
    place = f", the first at {list(first)}" if first else ""
    return f"has {nan} nan and {inf} infinite among {values.size} numbers of shape {values.shape}{place}"


def _range_of(backend: Backend, given: Any) -> str:
    arrays = [x for x in nested.flatten(given) if backend.is_tensor(x) and dtypes.is_float(backend.dtype(x))]
    hosts = [np.asarray(backend.to_numpy(x)).astype("float64") for x in arrays if not backend.is_traced(x)]
    hosts = [x for x in hosts if x.size]
    if not hosts:
        return "hold no floats"
    return f"lie from {min(x.min() for x in hosts):.4g} to {max(x.max() for x in hosts):.4g}"

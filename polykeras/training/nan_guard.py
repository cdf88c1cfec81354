"""Finding where a number first stopped being one: the layer, the step and the tensor.

With `polykeras.config.set_nan_guard(True)` (or `"nan_guard": true` in the config file) training runs in compiled chunks
as ever. After each, one question goes to the device: is all that was trained finite? Where it is not, the state before
the chunk is put back and its steps are run one by one, up to the first bad one, which is then looked into as plain
code. Off, it costs nothing: steps are wrapped, or not, when they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import numpy as np

from polykeras import dtypes, tree
from polykeras.autodiff import value_and_grad
from polykeras.backend import Backend
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.steps import CompiledStep
from polykeras.variables import Scope, Variable, lent_state, unique


class GuardedStep(CompiledStep):
    """A training step that is repeated, and explained, where it leaves something behind that is not finite.

    Args:
        step: the step, which is asked for all that is not here.
        model: whose step it is.
        backend: where it runs.
    """

    def __init__(self, step: CompiledStep, model: Any, backend: Backend) -> None:
        self._step, self._model, self._backend = step, model, backend  # and nothing of a step's own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run steps as `CompiledStep.run_rows` does.

        Raises:
            FloatingPointError: one left a number behind that is not finite; the model is as it was before that step.
        """
        before = self._kept()
        logs = self._step.run_rows(data, indices, start, stop)
        if self._is_sound(logs):
            return logs
        _put_back(before)
        for i in range(start, stop):
            self._run_watched(
                lambda i=i: self._step.run_rows(data, indices, i, i + 1), self._backend.rows(data, indices[i]), i
            )
        raise FloatingPointError("A chunk of steps gave numbers that are not finite; its steps one by one did not.")

    def run_batch(self, batch: Any) -> Any:
        """Run a step as `CompiledStep.run_batch` does. Raises: as `run_rows`."""
        return self._run_watched(lambda: self._step.run_batch(batch), batch, None)

    def _run_watched(self, run: Callable[[], Any], batch: Any, number: int | None) -> Any:
        before = self._kept()
        logs = run()
        if self._is_sound(logs):
            return logs
        after = [(variable, np.asarray(variable.numpy())) for variable, _ in before]
        _put_back(before)
        found = _first_bad(self._model, tree.map_structure(self._backend.asarray, batch), self._backend, after)
        where = "This step" if number is None else f"Step {number} of the epoch (counted from 0)"
        raise FloatingPointError(
            f"{where} of model {self._model.name!r}: {found} The model is as it was before the step."
        )

    def _variables(self) -> list[Variable]:
        return unique(self._model._all_variables())

    def _kept(self) -> list[tuple[Variable, tuple[Any, Any]]]:
        """Return the variables with their homes; their memory is not used again by the steps that follow."""
        variables = self._variables()
        lent_state(variables, self._backend)
        return [(variable, variable._home) for variable in variables]

    def _is_sound(self, logs: Any) -> bool:
        backend = self._backend
        values = [v.value for v in self._variables() if dtypes.is_float(v.dtype)]
        values += [x for x in tree.flatten(logs) if backend.is_tensor(x) and dtypes.is_float(backend.dtype(x))]
        if not values:
            return True
        return bool(backend.to_numpy(reduce(backend.logical_and, [backend.all(backend.isfinite(x)) for x in values])))


def _put_back(before: Sequence[tuple[Variable, tuple[Any, Any]]]) -> None:
    for variable, home in before:
        variable._home, variable._lent = home, True


def _first_bad(model: Any, batch: Any, backend: Backend, after: Sequence[tuple[Variable, np.ndarray]]) -> str:
    """Return what was the first to be not finite in a step, looked for in the order in which it computes."""
    x, y, weight = unpack_x_y_sample_weight(batch[:3] if isinstance(batch, tuple) and len(batch) > 3 else batch)
    for what, part in (("input", x), ("label", y), ("sample weight", weight)):
        for name, leaf in zip(tree.paths(part), tree.flatten(part), strict=True):
            if leaf is not None and not _is_finite(backend, leaf):
                return f"the data are not finite: {what} {name or ''} {_counts(backend, leaf)}.".replace("  ", " ")
    with Scope():  # nothing of this is kept
        with _watched_layers(model, backend) as seen:
            y_pred = model(x, training=True)
        if seen:
            return seen[0]
        loss = model.compute_loss(x, y, y_pred, weight, training=True)
        if not _is_finite(backend, loss):
            return f"all layers' outputs are finite, and the loss is {float(backend.to_numpy(loss))}."

        def again() -> Any:
            return model.compute_loss(x, y, model(x, training=True), weight, training=True)

        trained = model.trainable_variables
        _, gradients = value_and_grad(again, trained)()
    for variable, gradient in reversed(list(zip(trained, gradients, strict=True))):
        if gradient is not None and not _is_finite(backend, gradient):
            found = _counts(backend, gradient)
            return f"the outputs and the loss are finite, and the gradient of {variable.path!r} {found}."
    for variable, value in after:
        if dtypes.is_float(variable.dtype) and not np.isfinite(value.astype("float64")).all():
            bad = int((~np.isfinite(value.astype("float64"))).sum())
            return (
                f"the gradients are finite, and after the update {bad} of {value.size} numbers in {variable.path!r} "
                "are not: is the learning rate too large?"
            )
    return "something is not finite that plain code does not show."


@contextmanager
def _watched_layers(model: Any, backend: Backend) -> Iterator[list[str]]:
    """Have the outputs of each layer looked at; gives a list to which what is not finite is added."""
    seen: list[str] = []
    layers = [layer for layer in model._flatten_layers() if layer is not model]

    def watched(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            for path, leaf in zip(tree.paths(outputs), tree.flatten(outputs), strict=True):
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
    arrays = [x for x in tree.flatten(given) if backend.is_tensor(x) and dtypes.is_float(backend.dtype(x))]
    hosts = [np.asarray(backend.to_numpy(x)).astype("float64") for x in arrays if not backend.is_traced(x)]
    hosts = [x for x in hosts if x.size]
    if not hosts:
        return "hold no floats"
    return f"lie from {min(x.min() for x in hosts):.4g} to {max(x.max() for x in hosts):.4g}"

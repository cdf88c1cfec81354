"""From a model's `train_step`, `test_step` or `predict_step` to a compiled step: `prepare`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from polykeras import config
from polykeras.backend import Backend, registry
from polykeras.backend.shared_draws import Draws
from polykeras.common import logits
from polykeras.common.traits import overrides
from polykeras.distribution.connections import current_job
from polykeras.distribution.strategies import distribution
from polykeras.training import padding
from polykeras.training.compiled_metrics import each
from polykeras.training.logs import flat_logs
from polykeras.training.steps.build import build, draws_of, symbolic
from polykeras.training.steps.compiled import CompiledStep
from polykeras.training.steps.context import StepContext, running
from polykeras.training.steps.eager import EagerStep
from polykeras.training.steps.layouts import Layouts, distributed_model
from polykeras.training.steps.native import native_step
from polykeras.training.steps.shared import shared
from polykeras.training.steps.step import Step
from polykeras.training.steps.with_state import neutral_step
from polykeras.training.steps.wrappers.nan_guard import GuardedStep
from polykeras.training.steps.wrappers.verification import VerifiedStep
from polykeras.training.steps.wrappers.wrapped import ResettingStep

if TYPE_CHECKING:
    from polykeras.training.step_methods import StepMethods


def prepare(model: StepMethods, kind: str, batch: Any, resets: bool = False, workers: int = 1) -> Step:
    """Return a step of a model for the current backend; build what is not built yet.

    The model keeps its steps. A new one is made if something changed that the step depends on.

    Args:
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        batch: a batch, whose values are not read.
        resets: whether the step resets the metrics before it runs.
        workers: the number of workers that share each batch.
    """
    backend = registry.current()
    key = step_key(kind, backend, resets, workers)
    return model._steps.get(
        key, backend, model._fingerprint, lambda: _new_step(model, kind, batch, backend, resets, workers)
    )


def step_key(kind: str, backend: Backend, resets: bool = False, workers: int = 1) -> tuple[Hashable, ...]:
    """Return the key of a step among those that a model keeps; see `prepare`."""
    current = distribution()
    devices = () if workers == 1 or current is None else tuple(map(str, current.device_mesh.devices.flat))
    return kind, resets, workers, devices, distributed_model(backend)


def _new_step(model: StepMethods, kind: str, batch: Any, backend: Backend, resets: bool, workers: int) -> Step:
    step = neutral_step(model, kind, backend)
    built = build(model, kind, step, batch)
    context = None
    if built:
        context = StepContext(model, model.trainable_variables, model.metrics, model._flatten_layers())
        if kind == "train" and not context.trainable and not overrides(model, "train_step"):
            warnings.warn(
                f"The model {model.name!r} does not have any trainable weights: its steps change none. What is "
                "trainable counts as it is now, not as it was at `compile`: set it before each training.",
                stacklevel=2,
            )
    # A reset inside of the compiled step costs nothing. A user's own may do more than assign: it is called each time.
    resets_inside = resets and built and not overrides(model, "reset_metrics")
    resets_inside = resets_inside and not any(overrides(metric, "reset_state") for metric in each(model.metrics))
    draws = draws_of(model, step, batch) if built and workers > 1 else Draws()
    step = _in_context(native_step(step, model, kind, backend), model, kind, context, resets_inside)
    of_whole = step if workers > 1 and workers == current_job().size else None
    if workers > 1:
        step = shared(step, model, kind, workers, draws)
    cuts_weights = distributed_model(backend)
    layouts = None if cuts_weights is None else Layouts(cuts_weights, backend)
    if layouts is not None:
        step = layouts.laid_out(step, [] if kind == "predict" else model._all_variables())
    # Each argument of a compiled call takes time. What a prediction uses beside weights is found by tracing.
    state = model.variables if kind == "predict" else model._all_variables()
    example = symbolic(batch)
    made: Step
    if model.run_eagerly:
        made = EagerStep(step, state, backend, example, layouts)
    else:
        calls = partial(_functions_called, model, kind)
        made = CompiledStep(step, state, backend, kind != "predict", example, workers > 1, layouts, calls)
    if config.verify() and (made.compiles or of_whole is not None):
        made = VerifiedStep(made, model, backend, kind, config.verify(), of_whole)
    if kind == "train" and config.nan_guard():
        made = GuardedStep(made, model, backend)
    return ResettingStep(made, model, backend) if resets and not resets_inside else made


def _functions_called(model: StepMethods, kind: str) -> list[Any]:
    """Return what a step calls that is in no attribute of a layer, a loss or the like."""
    of_variables = [part for v in model.trainable_variables for part in (v.regularizer, v.constraint)]
    return [getattr(model, f"{kind}_step"), *of_variables]


def _in_context(
    step: Callable[[Any], Any], model: StepMethods, kind: str, context: StepContext | None, resets: bool
) -> Callable[[Any], Any]:
    """Return a step that runs in a context, takes filled batches, and returns flat logs.

    Args:
        step: takes a batch.
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        context: what is known without a batch; None if that is nothing.
        resets: whether the step resets the metrics.
    """

    def run(batch: Any) -> Any:
        data, numbers = padding.unfilled(batch)
        of_batch = context
        if context is not None and numbers is not None:
            valid = padding.valid_rows(numbers)
            of_batch = replace(context, valid=valid, rows=padding.count(valid))
        token = running.set(of_batch)
        try:
            if resets:
                model.reset_metrics()
            with logits.remembered():
                result = step(data)
        finally:
            running.reset(token)
            model._forget_losses()
        if kind == "predict":
            return result
        logs = flat_logs(kind, result)
        model._steps.log_names[kind] = tuple(logs)
        return logs

    return run

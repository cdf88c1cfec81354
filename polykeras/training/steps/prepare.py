"""From a model's `train_step`, `test_step` or `predict_step` to a step that the trainer runs: `prepare`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from polykeras.backend import Backend, registry
from polykeras.distribution.strategies import distribution
from polykeras.distribution.workers import ONE_WORKER, Workers
from polykeras.training.steps.checks.nan_guard import guarded
from polykeras.training.steps.checks.verification import verified
from polykeras.training.steps.compiled import CompiledStep
from polykeras.training.steps.context import in_context
from polykeras.training.steps.eager import EagerStep
from polykeras.training.steps.layouts import distribution_of_weights, laid_out
from polykeras.training.steps.native import native_step
from polykeras.training.steps.plan import make_plan
from polykeras.training.steps.shared import shared
from polykeras.training.steps.step import Step
from polykeras.training.steps.with_state import neutral_step

if TYPE_CHECKING:
    from polykeras.training.step_methods import StepMethods


def prepare(model: StepMethods, kind: str, batch: Any, resets: bool = False, workers: Workers = ONE_WORKER) -> Step:
    """Return a step of a model for the current backend; build what is not built yet.

    The model keeps its steps. A new one is made if something changed that the step depends on.

    Args:
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        batch: a batch, whose values are not read.
        resets: whether the step is to reset the metrics before it runs; `Step.plan` says whether it does.
        workers: those that share each batch.
    """
    backend = registry.current()
    key = step_key(kind, backend, resets, workers)
    return model._steps.get(
        key, backend, model._fingerprint, lambda: _new_step(model, kind, batch, backend, resets, workers)
    )


def step_key(kind: str, backend: Backend, resets: bool = False, workers: Workers = ONE_WORKER) -> tuple[Hashable, ...]:
    """Return the key of a step among those that a model keeps; see `prepare`."""
    current = distribution()
    devices = tuple(map(str, current.device_mesh.devices.flat)) if current is not None and workers.share_batches else ()
    return kind, resets, workers.count, devices, distribution_of_weights(backend)


def _new_step(model: StepMethods, kind: str, batch: Any, backend: Backend, resets: bool, workers: Workers) -> Step:
    """Take a model's step through all stages. A stage with nothing to do returns what it got."""
    neutral = neutral_step(model, kind, backend)
    plan = make_plan(model, kind, neutral, batch, backend, resets, workers)
    # Code that takes a batch: of one worker, and then of each of several.
    on_one_worker = in_context(native_step(neutral, plan), plan)
    on_workers = laid_out(shared(on_one_worker, plan), plan)
    # What the trainer runs, and what checks it.
    step = EagerStep(on_workers, plan) if model.run_eagerly else CompiledStep(on_workers, plan)
    return guarded(verified(step, on_one_worker))

"""What a step is made from: one plain value, which each stage that makes the step reads."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polykeras.backend import Backend
from polykeras.backend.shared_draws import Draws
from polykeras.common.traits import overrides
from polykeras.distribution.workers import ONE_WORKER, Workers
from polykeras.training.compiled_metrics import each
from polykeras.training.steps.build import build, draws_of, symbolic
from polykeras.training.steps.layouts import StepLayouts, distribution_of_weights
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.training.step_methods import StepMethods


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """What a step of a model does, and what is known of it before it runs.

    Attributes:
        model: the model whose step it is.
        kind: `"train"`, `"test"`, `"predict"`, or `"call"` for `model(x)`.
        backend: where it runs.
        variables: the state that it is known to use. Tracing finds what else it uses.
        example: the shapes and dtypes of the batch that it is made for, a tree of `KerasTensor`s; None if that is
            any.
        is_built: whether shapes alone made all that it needs; not where it holds a framework's code.
        resets: whether it resets the metrics before it computes.
        workers: those that share each batch. Steps for as many workers on the same devices are one.
        draws: the random numbers that it draws, where workers share them.
        layouts: where its arrays lie; None if that is one device.
    """

    model: StepMethods
    kind: str
    backend: Backend
    variables: Sequence[Variable]
    example: Any = None
    is_built: bool = False
    resets: bool = False
    workers: Workers = ONE_WORKER
    draws: Draws = field(default_factory=Draws)
    layouts: StepLayouts | None = None

    @property
    def changes(self) -> bool:
        """Whether the step is there to change variables; predictions change (almost) none."""
        return self.kind in ("train", "test")


def make_plan(
    model: StepMethods,
    kind: str,
    code: Callable[[Any], Any],
    batch: Any,
    backend: Backend,
    resets: bool,
    workers: Workers,
) -> StepPlan:
    """Return the plan of a step; build what is not built yet.

    Args:
        model: see `StepPlan`.
        kind: see `StepPlan`.
        code: the step as neutral code.
        batch: a batch, whose values are not read.
        backend: see `StepPlan`.
        resets: whether the step is to reset the metrics.
        workers: see `StepPlan`.

    Warns:
        UserWarning: the step trains nothing.
    """
    is_built = build(model, kind, code, batch)
    if is_built and kind == "train" and not model.trainable_variables and not overrides(model, "train_step"):
        warnings.warn(
            f"The model {model.name!r} does not have any trainable weights: its steps change none. What is "
            "trainable counts as it is now, not as it was at `compile`: set it before each training.",
            stacklevel=2,
        )
    cut_by = distribution_of_weights(backend)
    return StepPlan(
        model,
        kind,
        backend,
        # Each argument of a compiled call takes time: a prediction has weights alone.
        model.variables if kind == "predict" else model._all_variables(),
        symbolic(batch),
        is_built,
        resets=resets and is_built and not _resets_by_a_user(model),
        workers=workers,
        draws=draws_of(model, code, batch) if is_built and workers.share_batches else Draws(),
        layouts=None if cut_by is None else StepLayouts(cut_by, backend),
    )


def _resets_by_a_user(model: StepMethods) -> bool:
    """Return whether a user's code resets the metrics. It may do more than assign: it is called each time."""
    return overrides(model, "reset_metrics") or any(overrides(part, "reset_state") for part in each(model.metrics))

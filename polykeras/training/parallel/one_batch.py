"""Steps on one batch, as of `train_on_batch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.backend import registry
from polykeras.distribution.agreement import exchanged
from polykeras.distribution.workers import Workers
from polykeras.training.parallel.share import rows_of
from polykeras.training.steps.prepare import prepare
from polykeras.training.steps.step import Step

if TYPE_CHECKING:
    from polykeras.training.step_methods import StepMethods


def prepare_for_batch(model: StepMethods, kind: str, batch: Any, workers: Workers) -> tuple[Step, Any]:
    """Return a step that resets metrics if it can, and what it takes on this process.

    Args:
        model: the model whose step it is.
        kind: `"train"` or `"test"`.
        batch: a whole batch of host arrays, the same on all workers.
        workers: those of the run.

    Returns:
        The step, and the share of this process of the batch, or the batch if it cannot be shared.

    Raises:
        RuntimeError: the workers do different things.
        ValueError: their batches have different sizes.
    """
    if not workers.run_together:
        return prepare(model, kind, batch, resets=True), batch
    rows = rows_of(batch)
    sizes = exchanged(registry.current(), f"calls `{kind}_on_batch`", [rows])[:, 0]
    if len(set(sizes)) > 1:
        raise ValueError(
            f"Expected the same whole batch on all workers; received {', '.join(map(str, sizes))} rows on workers "
            "0, 1, ... Each worker takes its rows of the batch itself."
        )
    if not workers.divides(rows):
        return prepare(model, kind, batch, resets=True), batch
    batch = workers.cut(batch)
    return prepare(model, kind, batch, resets=True, workers=workers), batch

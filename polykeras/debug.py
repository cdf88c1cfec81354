"""A look at what runs: the program of a model's step."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend, registry
from polykeras.common import nested
from polykeras.distribution.workers import ONE_WORKER, workers_of
from polykeras.models import Model
from polykeras.training.data.sources import make_batch
from polykeras.training.steps import Step
from polykeras.training.steps.prepare import prepare, step_key

__all__ = ["program"]


def program(
    model: Model,
    kind: Literal["train", "test", "predict"] = "train",
    x: Any = None,
    y: Any = None,
    sample_weight: Any = None,
    stage: Literal["traced", "compiled"] = "traced",
) -> str:
    """Return the program that one step of a model runs on the current backend.

    A program depends on the shapes of the batch. Pass a batch, or leave it out after `fit`, `evaluate` or `predict`,
    whose batches then give the shapes. Nothing of the model changes, but what it needs is built, as for any batch.
    On PyTorch the Python code of the step runs once, on copies.

    Args:
        model: the model, compiled but for `"predict"`.
        kind: which step: `"train"`, `"test"` or `"predict"`.
        x: the inputs of one batch.
        y: its labels.
        sample_weight: its weights.
        stage: `"traced"` is what the framework was given, `"compiled"` what is made of it. On JAX they are StableHLO
            and XLA's optimized HLO, on PyTorch the list of recorded kernels and the rewritten one, on TensorFlow HLO
            and optimized HLO. A graph that TensorFlow's own kernels run is listed node by node, in both.

    Returns:
        The program, below comments that say which arguments it has. Where nothing is compiled, as on NumPy, a
        sentence that says so.

    Raises:
        ValueError: no batch is given, and this step of the model has not run on the current backend; or `kind` or
            `stage` is another word.

    Example:
        >>> import numpy as np
        >>> import polykeras as keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> with keras.use_backend("numpy"):
        ...     print(keras.debug.program(model, "train", np.ones((8, 4)), np.ones((8, 1))))
        # train_step of model 'sequential' on numpy
        # it runs as plain Python: nothing is compiled
    """
    _check("kind", kind, ("train", "test", "predict"))
    _check("stage", stage, ("traced", "compiled"))
    if kind != "predict":
        model._require_compiled("debug.program")
    backend = registry.current()
    if x is None:
        step = _known_step(model, kind, backend)
        batch = nested.map_structure(
            lambda leaf: np.zeros(leaf.shape, dtypes.numpy_dtype(leaf.dtype)), step.plan.example
        )
    else:
        batch = make_batch(model._texts_to_numbers(x), y, sample_weight, None).first_batch()
        step = prepare(model, kind, batch)
    text = step.program(batch, stage)
    head = [f"# {kind}_step of model {model.name!r} on {backend.name}"]
    if text is None:
        return "\n".join([*head, "# it runs as plain Python: nothing is compiled"])
    names = [f"{variable.path} {variable.dtype}{list(variable.shape)}" for variable in step.variables]
    parts = [f"{leaf.dtype.name}{list(leaf.shape)}" for leaf in nested.flatten(batch)]
    head += [f"# argument {i}: {name}" for i, name in enumerate(names)]
    head += [f"# argument {i}: of the batch, {part}" for i, part in enumerate(parts, len(names))]
    return "\n".join([*head, text.rstrip()])


def _known_step(model: Model, kind: str, backend: Backend) -> Step:
    workers = ONE_WORKER if kind == "predict" else workers_of(backend)

    def missing() -> Step:
        raise ValueError(
            f"debug.program: expected a batch, since the {kind} step of model {model.name!r} has not run on "
            f"{backend.name} as the model is now. Pass x and y of one batch, or call `fit`, `evaluate` or `predict` "
            "before."
        )

    return model._steps.get(step_key(kind, backend, workers=workers), backend, model._fingerprint, missing)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"debug.program: expected {name} to be one of {', '.join(known)}; received {value!r}.")

"""For which models the last batch may be filled up, see `training/padding.py`: where no number changes by it.

The answer depends on the model and the shapes alone, and so is the same on each backend. A user's layer, loss, metric
or function counts as unknown, as it may compare the samples of a batch, unless it states the trait `sample_by_sample`.
So does a model's own `train_step`, `compute_loss` or other method of a step. If the class of the model states the
trait, these methods combine samples by losses and metrics alone, which know masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras import activations
from polykeras.common import nested
from polykeras.common.traits import overrides, trait
from polykeras.graph.operation import OpOperation
from polykeras.layers.base.layer import Layer
from polykeras.layers.base.samples_axis import is_along_samples
from polykeras.layers.base.shapes import map_shapes
from polykeras.training.padding import Filled
from polykeras.training.steps.build import runs_on_shapes
from polykeras.training.steps.sizes import shapes_of
from polykeras.training.steps.step import Step

_TRAIT = "sample_by_sample"
_ELEMENTWISE = {
    *("add", "subtract", "multiply", "divide", "negative", "maximum", "minimum", "abs", "square", "sqrt", "exp", "log"),
    *("relu", "gelu", "sigmoid", "silu", "tanh"),
}


def fills(step: Step, batch: Any) -> bool:
    """Return whether a step takes batches that are filled up; what was found is kept.

    Args:
        step: a step of a compiled model, `"train"` or `"test"`, that has built it.
        batch: a whole batch of host arrays, whose values are not read.
    """
    answers, key = step.sizes.fills, shapes_of(batch)
    found = answers.get(key)
    if found is None:
        found = why_not(step.plan.model, step.plan.kind) is None
        if found:
            filled = Filled(batch, np.zeros(len(nested.flatten(batch)[0]), np.int32))
            try:
                found = runs_on_shapes(step.plan.model, step.code, filled)
            except ValueError:  # values of another shape than that of the mask
                found = False
        answers.put(key, found)
    return found


def why_not(model: Any, kind: str) -> str | None:
    """Return why the batches of a model cannot be filled up; None where they can.

    Args:
        model: compiled, and built by a step.
        kind: "train", "test" or "predict".
    """
    return next(_obstacles(model, kind), None)


def _obstacles(model: Any, kind: str) -> Iterator[str]:
    if model.run_eagerly:
        yield "nothing is compiled"
    stated = trait(type(model), _TRAIT) is True
    for name in (f"{kind}_step", "compute_loss", "compute_metrics"):
        if overrides(model, name) and (not stated or name in vars(model)):  # no class speaks for what was put on it
            yield f"{name} is the user's own, and the model does not say that it treats each sample by itself"
    for layer in model._flatten_layers():
        for reason in _mixing(layer, kind):
            yield f"the layer {layer.name!r} ({type(layer).__name__}) {reason}"
    for judge in model._losses_and_metrics():
        for reason in _summing_up(judge):
            yield f"{judge.name!r} ({type(judge).__name__}) {reason}"


def _mixing(layer: Any, kind: str) -> Iterator[str]:
    """Give reasons why a layer's outputs for one sample may depend on the others."""
    stated = trait(type(layer), _TRAIT)
    if not stated:
        yield "does not say that it treats each sample by itself"
    if stated == "not in training" and ((kind == "train" and layer.trainable) or _fixes_training(layer)):
        yield "takes statistics of the batch"
    if getattr(layer, "stateful", False):
        yield "keeps states from batch to batch"
    cells = [cell for cell in (getattr(layer, "cell", None), *getattr(layer, "cells", ())) if cell is not None]
    parts = (*cells, *getattr(layer, "_operations", ()))
    if not all(isinstance(part, Layer) or _is_elementwise(part) for part in parts):
        yield "holds code that is no layer"
    ranks: list[int] = []
    map_shapes(lambda shape: ranks.append(len(shape)), layer._build_shapes or {})
    if min(ranks, default=2) < 2 or is_along_samples(layer, ranks):
        yield "may work along the axis of the samples"
    for name in ("activation", "recurrent_activation"):
        function = getattr(layer, name, None)
        known = function is None or isinstance(function, Layer) or function in activations.registry
        if not known and not getattr(function, _TRAIT, False):
            yield "has an activation function that does not say that it treats each sample by itself"


def _is_elementwise(operation: Any) -> bool:
    """Return whether something is an op of a graph that combines a sample with itself alone."""
    if not isinstance(operation, OpOperation) or operation.op not in _ELEMENTWISE:
        return False
    ranks = {t.ndim for node in operation.inbound_nodes for t in (*node.input_tensors, *node.output_tensors)}
    return len(ranks) == 1 and min(ranks) > 1  # else what is added to the samples' axis is another one


def _fixes_training(layer: Any) -> bool:
    """Return whether a call in a graph says `training`, which then holds in evaluation too."""
    return any(node.kwargs.get("training") or any(x is True for x in node.args) for node in layer.inbound_nodes)


def _summing_up(judge: Any) -> Iterator[str]:
    """Give reasons why a loss or metric may not leave out masked samples."""
    functions = [function for name in ("fn", "_fn") if (function := getattr(judge, name, None)) is not None]
    if not all(trait(part, _TRAIT) for part in (type(judge), *functions)):
        yield "does not say that it treats each sample by itself"
    if getattr(judge, "reduction", "sum") in ("none", None):
        yield "is not reduced to a number"
    if is_along_samples(judge):
        yield "may work along the axis of the samples"

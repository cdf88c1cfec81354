"""The last batch of an epoch, filled up to the size of the others, so that one compiled step does for all of them.

A batch of fewer rows is another shape, for which a step would be traced and compiled once more. Where nothing in the
model can tell, its first row is repeated instead, and the repetitions become masked samples: they get the mask that
losses and metrics know from sequences, and count for nothing in values, gradients and means. Random numbers stay those
of the smaller batch, since they come from an element's place, counted along the samples first.

Which models that holds for is decided from the model alone, and so in the same way on each backend. What a user wrote
counts as unknown: it may compare the samples of a batch with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from polykeras import activations, config, ops
from polykeras.backend.symbolic import cannot_run_on_shapes
from polykeras.common import masks, nested
from polykeras.common.naming import is_ours
from polykeras.graph import KerasTensor, infer_outputs
from polykeras.graph.operation import OpOperation
from polykeras.layers.base.context import get_mask
from polykeras.layers.base.layer import Layer
from polykeras.layers.base.shapes import map_shapes
from polykeras.losses.loss import MIXING
from polykeras.losses.reduction import left_aligned

# ---- filling up ------------------------------------------------------------------------------------------------------


class Filled(NamedTuple):
    """A batch that may have been filled up.

    Attributes:
        data: what a step is given: `x`, `(x, y)`, ...
        numbers: of its rows in the data, int32 `(batch,)`, made by `fill`.
    """

    data: Any
    numbers: Any


def fill(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the numbers of a batch's rows, the first one repeated until there are `size` of them."""
    return np.append(rows, np.full(size - len(rows), rows[0], rows.dtype))


def unfilled(batch: Any) -> tuple[Any, Any]:
    """Return the data of a batch, and the numbers of its rows, None where it is not a `Filled` one."""
    return batch if isinstance(batch, Filled) else (batch, None)


def valid_rows(numbers: Any) -> Any:
    """Return which rows of a batch that `fill` made count, bool `(batch,)`, from their numbers, int32 `(batch,)`."""
    first = np.arange(ops.shape(numbers)[0]) == 0
    return ops.logical_or(ops.not_equal(numbers, numbers[:1]), first)


def count(valid: Any) -> Any:
    """Return the number of rows that count, as a float scalar."""
    return ops.sum(ops.cast(valid, config.floatx()))


def mark(y_pred: Any, valid: Any) -> None:
    """Give the outputs of a model a mask, or narrow the one that they have, to the rows that count.

    Args:
        y_pred: a tree of arrays `(batch, ...)`.
        valid: bool `(batch,)`.

    Raises:
        ValueError: an output has no axis beside that of the samples: a loss would take its mean over them.
    """
    for output in nested.flatten(y_pred):
        rank, mask = len(ops.shape(output)), get_mask(output)
        if rank < 2:
            raise ValueError(f"Outputs of shape {ops.shape(output)} cannot be masked row by row.")
        if mask is None:  # one entry for what a loss gives: the labels without the last axis
            mask = ops.reshape(valid, (-1, *(1,) * (rank - 2)))
        else:
            mask = ops.logical_and(left_aligned(valid, mask), ops.cast(mask, "bool"))
        masks.keep(output, mask)


# ---- where it changes nothing ----------------------------------------------------------------------------------------

_ELEMENTWISE = {
    *("add", "subtract", "multiply", "divide", "negative", "maximum", "minimum", "abs", "square", "sqrt", "exp", "log"),
    *("relu", "gelu", "sigmoid", "silu", "tanh"),
}


def fits(step: Callable[[Any], Any], batch: Any) -> bool:
    """Return whether a step takes a filled batch, found by running it on shapes.

    Args:
        step: of a model that `why_not` has nothing against.
        batch: a `Filled` one of arrays.
    """
    try:
        infer_outputs(step, (nested.map_structure(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), batch),), {})
    except Exception as error:
        # Values of another shape than that of the mask, or native code of a framework.
        if not isinstance(error, ValueError) and not cannot_run_on_shapes(error):
            raise
        return False
    return True


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
    for name in (f"{kind}_step", "compute_loss", "compute_metrics"):
        if not is_ours(getattr(model, name)):
            yield f"{name} is the user's own"
    for layer in model._flatten_layers():
        for reason in _mixing(layer, kind):
            yield f"the layer {layer.name!r} ({type(layer).__name__}) {reason}"
    losses = model._compiled_loss.losses if model._compiled_loss is not None else []
    metrics = model._compiled_metrics.metrics if model._compiled_metrics is not None else []
    for judge in (*losses, *metrics):
        for reason in _summing_up(judge):
            yield f"{judge.name!r} ({type(judge).__name__}) {reason}"


def _mixing(layer: Any, kind: str) -> Iterator[str]:
    """Give reasons why a layer's outputs for one sample may depend on the others."""
    declared = vars(type(layer)).get("sample_by_sample", False)
    if not declared:
        yield "does not say that it treats each sample by itself"
    if declared == "not in training" and ((kind == "train" and layer.trainable) or _fixes_training(layer)):
        yield "takes statistics of the batch"
    if getattr(layer, "stateful", False):
        yield "keeps states from batch to batch"
    cells = [cell for cell in (getattr(layer, "cell", None), *getattr(layer, "cells", ())) if cell is not None]
    parts = (*cells, *getattr(layer, "_operations", ()))
    if not all(isinstance(part, Layer) or _is_elementwise(part) for part in parts):
        yield "holds code that is no layer"
    ranks: list[int] = []
    map_shapes(lambda shape: ranks.append(len(shape)), layer._build_shapes or {})
    if min(ranks, default=2) < 2 or _is_along_samples(layer):
        yield "may work along the axis of the samples"
    for name in ("activation", "recurrent_activation"):
        function = getattr(layer, name, None)
        if function is not None and function not in activations.registry and not isinstance(function, Layer):
            yield "has an activation function of the user's"


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
    if not is_ours(type(judge)) and not vars(type(judge)).get("sample_by_sample", False):
        yield "does not say that it treats each sample by itself"
    for name in ("fn", "_fn"):
        function = getattr(judge, name, None)
        if function is not None and not (isinstance(function, FunctionType) and is_ours(function)):
            yield "is a function of the user's"
        elif function in MIXING:
            yield "compares samples with each other"
    if getattr(judge, "reduction", "sum") in ("none", None):
        yield "is not reduced to a number"
    if _is_along_samples(judge):
        yield "may work along the axis of the samples"


def _is_along_samples(part: Any) -> bool:
    """Return whether an axis may be the first one: 0, or one counted from the end that may lie there."""
    found = [getattr(part, name, None) for name in ("axis", "axes", "attention_axes")]
    axes = [i for axis in found if axis is not None for i in ((axis,) if isinstance(axis, int) else axis)]
    return any(i == 0 or i < -1 for i in axes)

"""Mistakes that compiled steps do not see: wrong indices and labels, a loss that is nan, a wrong last activation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from polykeras import activations
from polykeras.common.naming import is_ours
from polykeras.common.traits import overrides
from polykeras.layers import Dense
from polykeras.training.data.sources import Source
from polykeras.training.data.streams import StreamSource
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.outputs import by_output, known_names
from polykeras.training.steps.prepare import prepare

if TYPE_CHECKING:
    from polykeras.training.compiling import Compiled
    from polykeras.training.loops import Trainer


def _value_check(model: Trainer, kind: str) -> Callable[[Any], None] | None:
    """Return a function that checks the inputs and labels of a batch on the host; None if nothing can be checked."""
    of_inputs = model._input_check()
    loss = model._compiled_loss if kind != "predict" else None
    if of_inputs is None and loss is None:
        return None

    def check(batch: Any) -> None:
        x, y, _ = unpack_x_y_sample_weight(batch)
        if of_inputs is not None:
            _check_unless(model, (f"{kind}_step", "call"), of_inputs, x)  # these may change inputs on their way
        if loss is not None and y is not None:
            _check_unless(model, ("compute_loss",), loss.check_labels, y)  # it may take labels that stand for others

    return check


def _check_unless(model: Trainer, methods: Sequence[str], check: Callable[[Any], object], values: Any) -> None:
    """Check values, unless the user wrote one of these methods. That is asked last: it takes longer than the checks."""
    try:
        check(values)
    except Exception:
        if not overrides(model, *methods):
            raise


def check_batch(model: Trainer, kind: str, batch: Any) -> None:
    """Check the inputs and labels of a batch on the host, before they go to the device.

    Args:
        model: its layers and losses know which values they take.
        kind: of the step, "train", "test" or "predict".
        batch: a batch of NumPy arrays, as a step takes it.

    Raises:
        ValueError: an index or a label is out of range.
    """
    check = _value_check(model, kind)
    if check is not None:
        check(batch)


def check_source(model: Trainer, kind: str, source: Source | None) -> None:
    """Check the inputs and labels of a source: arrays at once, the batches of a stream as they come.

    Args:
        model: its layers and losses know which values they take.
        kind: of the steps, "train", "test" or "predict".
        source: the data; None if there are none.

    Raises:
        ValueError: an index or a label is out of range.
    """
    check = _value_check(model, kind)
    if check is None or source is None:
        return
    if isinstance(source, StreamSource):
        source.check = check
        return
    labelled = model._compiled_loss is not None and unpack_x_y_sample_weight(source.data)[1] is not None
    if kind != "predict" and labelled:
        prepare(model, kind, source.first_batch())  # labels are compared with the shapes of the outputs
    check(source.data)


def warn_of_nan(before: dict[str, Any], logs: dict[str, Any], epoch: int) -> None:
    """Warn if the loss of an epoch is the first one that is nan.

    Args:
        before: the logs of the epoch before; empty if there is none.
        logs: those of the epoch.
        epoch: counted from 0.
    """
    if _is_nan(before.get("loss")) or not _is_nan(logs.get("loss")):
        return
    warnings.warn(
        f"fit: the loss is nan from epoch {epoch + 1} on. Usual causes: a learning rate that is too large; a "
        "logarithm, root or division in a layer or loss of your own that meets 0 or a negative number; an index "
        "outside the table of an Embedding. To find it, call `polykeras.config.set_nan_guard(True)` before `fit`: "
        "training then stops at the first bad step and names the layer.",
        RuntimeWarning,
        stacklevel=6,  # through the wrappers of `fit`
    )


def _is_nan(loss: Any) -> bool:
    return isinstance(loss, float) and math.isnan(loss)


def warn_of_wrong_activation(model: Compiled) -> None:
    """Warn of a last Dense layer whose activation does not fit the loss, or is a softmax of one unit.

    Args:
        model: is compiled.
    """
    compiled = model._compiled_loss
    layers = model._last_layers()
    if compiled is None or overrides(model, "call", "train_step", "compute_loss"):
        return
    outputs = getattr(model, "output", None)
    names = known_names(outputs, compiled.output_names) or [layer.name for layer in layers]
    try:
        losses = by_output(compiled.given, names, "loss", outputs)
    except ValueError:  # raised again once the outputs are known
        return
    for layer, loss in zip(layers, losses, strict=False):
        told = _wrong_end(layer, loss) if isinstance(layer, Dense) and not overrides(layer, "call") else None
        if told is not None:
            warnings.warn(f"compile: {told}", UserWarning, stacklevel=5)  # through the wrappers of `compile`


def _wrong_end(layer: Dense, loss: Any) -> str | None:
    """Return what is wrong with the activation of a last layer; None if nothing is."""
    from_logits = getattr(loss, "from_logits", None) if is_ours(type(loss)) else None
    kind, title = type(loss).__name__, f"{layer.name!r} (Dense)"
    if layer.activation is activations.softmax:
        if layer.units == 1:
            return (
                f"the output of {title} has one unit and a softmax, which always gives 1: the model cannot learn. "
                "Write Dense(1, activation='sigmoid')."
            )
        if from_logits is True:
            return (
                f"{kind}(from_logits=True) expects logits; received the output of {title}, which has a softmax. "
                "Another softmax is applied to it. Leave out `from_logits`, or the softmax."
            )
    if layer.activation in (None, activations.linear) and from_logits is False:
        activation = "sigmoid" if "Binary" in kind else "softmax"
        return (
            f"{kind} expects probabilities from 0 to 1; received the output of {title}, which has no activation and "
            f"may be any number. The model will learn badly. Write Dense({layer.units}, activation={activation!r}) or "
            f"loss={kind}(from_logits=True)."
        )
    return None

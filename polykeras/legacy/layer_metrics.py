"""The method `add_metric` of Keras 2's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polykeras.common import version_counter
from polykeras.common.types import ArrayLike
from polykeras.graph import is_keras_tensor
from polykeras.graph.inference import outside_inference
from polykeras.layers.base.own_metrics import own_metrics
from polykeras.metrics import Mean

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer


def add_metric(layer: Layer, value: ArrayLike, name: str | None, aggregation: str | None) -> None:
    """Add a value to the mean of that name, which the layer keeps from the first call on; see `Layer.add_metric`.

    Args:
        layer: the layer.
        value: numbers of any shape.
        name: the name of the metric.
        aggregation: `"mean"` or None, which means the same.

    Raises:
        ValueError: if the name is missing, or the aggregation is unknown.
        NotImplementedError: if it is called on a symbolic tensor.
    """
    where = f"Layer {layer.name!r} ({type(layer).__name__}): `add_metric`"
    if not isinstance(name, str):
        raise ValueError(f"{where} needs the name of the metric; received name={name!r}.")
    if aggregation not in ("mean", None):
        raise ValueError(f"{where} supports only the aggregation 'mean'; received {aggregation!r}.")
    if is_keras_tensor(value):
        raise NotImplementedError(
            f"{where} does not accept a symbolic tensor. Call it within the `call` of a layer, or make the tensor an "
            "output and give it a metric in `compile(metrics=...)`."
        )
    found = next((metric for metric in own_metrics(layer) if metric.name == name), None)
    if found is None:
        with outside_inference():  # only shapes are known here
            found = Mean(name=name)
        own_metrics(layer).append(found)
        version_counter.bump()
    found.update_state(value)

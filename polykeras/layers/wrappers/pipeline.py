"""Several layers in a row as one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.layers.base.call_arguments import call_spec
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Pipeline(DataLayer):
    """Calls layers one after another, usually preprocessing layers; `training` is True by default.

    It is not a model, and cannot be trained by itself.

    Args:
        layers: the list of layers.
        name: the layer's name; by default made from the name of its class.

    Raises:
        ValueError: an element of `layers` is not a layer.

    Example:
        >>> from polykeras import layers
        >>> scale = layers.Pipeline([layers.Rescaling(2.0), layers.Rescaling(1.0, offset=1.0)])
        >>> [float(v) for v in scale([[1.0, 2.0]])[0]]
        [3.0, 5.0]
    """

    sample_by_sample = True

    def __init__(self, layers: Sequence[Layer], name: str | None = None) -> None:
        super().__init__(name=name)
        for layer in layers:
            if not isinstance(layer, Layer):
                raise ValueError(f"Pipeline takes a list of layers; received {layer!r} ({type(layer).__name__}).")
        self.layers = list(layers)

    def call(self, inputs: Any, training: bool | None = True, mask: Any = None) -> Any:
        """Return the outputs of the last layer.

        Args:
            inputs: the inputs of the first layer.
            training: passed to all layers.
            mask: the mask of the inputs; the outputs of a layer carry masks of their own.
        """
        for layer in self.layers:
            takes = mask is not None and call_spec(type(layer).call).has_mask
            inputs, mask = layer(inputs, **({"mask": mask} if takes else {})), None
        return inputs

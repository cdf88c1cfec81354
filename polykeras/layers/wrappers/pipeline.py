"""Layers one after the other, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.layers.base.call_arguments import call_spec
from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Pipeline(Layer):
    """Calls layers one after the other, such as those that prepare data; `training` is True by default.

    It is no model: it trains nothing by itself.

    Args:
        layers: the layers.
        name: by default made from the class's name.

    Raises:
        ValueError: one of them is no layer.

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
        """Return what the last layer gives.

        Args:
            inputs: of the first layer.
            training: of all layers, which are told by this call.
            mask: of the inputs; what layers give has masks of its own.
        """
        for layer in self.layers:
            takes = mask is not None and call_spec(type(layer).call).has_mask
            inputs, mask = layer(inputs, **({"mask": mask} if takes else {})), None
        return inputs

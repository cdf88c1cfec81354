"""A layer that returns its inputs."""

from __future__ import annotations

from typing import Any

from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Identity(Layer):
    """Returns its inputs.

    Args:
        **kwargs: further arguments of `Layer`.
    """

    _built_at_init = True
    sample_by_sample = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the inputs, an array or a tree of arrays."""
        return inputs

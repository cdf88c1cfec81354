"""A layer and an activation of a user's own, the same lines for Keras and polykeras: `k` is what was imported."""

from __future__ import annotations

from typing import Any


def registered(k: Any) -> tuple[Any, Any]:
    """Make and register them; return the layer's class and the function."""

    @k.saving.register_keras_serializable("exchange")
    class Stretched(k.layers.Layer):
        def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

        def call(self, x: Any) -> Any:
            return x * self.scale * self.factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

    @k.saving.register_keras_serializable("exchange")
    def bent(x: Any) -> Any:
        return x * k.ops.sigmoid(1.5 * x)

    return Stretched, bent

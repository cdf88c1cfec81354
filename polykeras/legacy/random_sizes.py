"""`RandomHeight` and `RandomWidth`, which `tf.keras` still has and `keras` lacks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backend import registry
from polykeras.backend.spec import Array
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.seeds import host_generator

__all__ = ["RandomHeight", "RandomWidth"]


class _RandomSize(Layer):
    """Resizes images along one axis by a factor that is drawn for the whole batch.

    The size is drawn on the host when the layer is called. Compiled code keeps one size, and a warning says so: map the
    layer over the data, or compile the model with `run_eagerly=True`.
    """

    _axis = -3

    def __init__(
        self,
        factor: float | Sequence[float],
        interpolation: str = "bilinear",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        lower, upper = (-factor, factor) if isinstance(factor, (int, float)) else factor
        if not -1.0 <= lower <= upper:
            raise ValueError(
                f"{type(self).__name__}: `factor` must be a number, or a pair of numbers from -1 in ascending order; "
                f"received {factor!r}."
            )
        self.factor = factor
        self.interpolation = interpolation
        self.seed = seed
        self._range = (1.0 + lower, 1.0 + upper)
        self._generator = host_generator(seed)

    def call(self, inputs: Array, training: bool = True) -> Array:
        """Return the resized images; unchanged outside of training.

        Args:
            inputs: `(height, width, channels)` or `(batch, height, width, channels)`.
            training: whether to resize.
        """
        if not training:
            return inputs
        if registry.current().is_traced(inputs):
            warnings.warn(
                f"{self.name!r} draws one size for all calls of compiled code. Map the layer over the data before "
                "training, or compile the model with run_eagerly=True.",
                RuntimeWarning,
                stacklevel=2,
            )
        sizes = list(ops.shape(inputs)[-3:-1])
        axis = self._axis + 3
        sizes[axis] = max(1, int(sizes[axis] * self._generator.uniform(*self._range)))
        resized = ops.image.resize(inputs, tuple(sizes), interpolation=self.interpolation, data_format="channels_last")
        return ops.cast(resized, self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of the images, with the resized axis unknown."""
        shape = list(input_shape)
        shape[self._axis] = None
        return tuple(shape)


@LAYERS.register()
class RandomHeight(_RandomSize):
    """Changes the height of images by a random factor during training.

    Args:
        factor: `(lower, upper)`, where 0.2 means 20% more and -0.2 means 20% less; one number `f` means `(-f, f)`.
        interpolation: see `Resizing`.
        seed: an int for the same sizes in each run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a factor is neither a number nor an ascending pair of numbers of at least -1.
    """


@LAYERS.register()
class RandomWidth(_RandomSize):
    """Changes the width of images by a random factor during training.

    Args:
        factor: `(lower, upper)`, where 0.2 means 20% more and -0.2 means 20% less; one number `f` means `(-f, f)`.
        interpolation: see `Resizing`.
        seed: an int for the same sizes in each run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a factor is neither a number nor an ascending pair of numbers of at least -1.
    """

    _axis = -2

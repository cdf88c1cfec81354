"""Normalizations that divide by a norm and subtract nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import InputShape
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import known_sizes


@LAYERS.register()
class RMSNormalization(Layer):
    """`x / sqrt(mean(x ** 2) + epsilon) * scale` (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467).

    Args:
        axis: one axis, or several over which the mean is taken together.
        epsilon: a small number added to the mean of the squares.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the inputs lack an axis, or its size is not known.

    Example:
        >>> from polykeras import layers
        >>> [round(float(v), 3) for v in layers.RMSNormalization()([[3.0, 4.0]])[0]]
        [0.849, 1.131]
    """

    sample_by_sample = True

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = axis if isinstance(axis, int) else list(axis)
        self.epsilon = float(epsilon)

    def build(self, input_shape: InputShape) -> None:
        """Make the scale."""
        if not isinstance(self.axis, int):  # in the order of the weight's axes
            self.axis = sorted(a % len(input_shape) for a in self.axis)
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        shape = known_sizes(self, input_shape, axes)
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(axes, shape, strict=True)))

    def call(self, x: Array) -> Array:
        """Return the normalized inputs."""
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        return ops.rms_normalization(x, self.scale, axis=axis, epsilon=self.epsilon)


@LAYERS.register()
class UnitNormalization(Layer):
    """Divides the inputs by their Euclidean norm along `axis`.

    Args:
        axis: one axis, or several along which the norm is taken together.
        **kwargs: further arguments of `Layer`.

    Raises:
        TypeError: `axis` is neither an int nor a list of ints.

    Example:
        >>> from polykeras import layers
        >>> [round(float(v), 3) for v in layers.UnitNormalization()([[3.0, 4.0]])[0]]
        [0.6, 0.8]
    """

    _built_at_init = True
    sample_by_sample = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(f"UnitNormalization: `axis` must be an int or a list of ints; received {axis!r}.")
        self.axis: int | list[int] = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Return the normalized inputs."""
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        return ops.normalize(inputs, axis=axis, order=2, epsilon=1e-12)

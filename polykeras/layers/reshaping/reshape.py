"""Layers that reshape or reorder the elements of each sample."""

from __future__ import annotations

from math import prod
from typing import Any

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.backend.symbolic.dims import infer_reshape
from polykeras.common.arguments import positive_int, shape_tuple
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer


@LAYERS.register()
class Flatten(Layer):
    """Joins all axes except the batch axis.

    Args:
        data_format: with `"channels_first"`, the channels are moved last first.
        **kwargs: further arguments of `Layer`.

    Example:
        >>> from polykeras import layers
        >>> layers.Flatten()(layers.Input((28, 28))).shape
        (None, 784)
    """

    sample_by_sample = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Array) -> Array:
        """Return `(batch, features)`."""
        batch, *sizes = ops.shape(inputs)
        if self.data_format == "channels_first" and len(sizes) > 1:
            inputs = ops.moveaxis(inputs, 1, -1)
        return ops.reshape(inputs, (batch, prod(sizes)))


@LAYERS.register()
class Reshape(Layer):
    """Reshapes each sample.

    Args:
        target_shape: the shape of a sample, without the batch axis; one size may be -1.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: more than one size is -1.
    """

    sample_by_sample = True

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = shape_tuple(target_shape)
        if sum(n == -1 for n in self.target_shape) > 1:
            raise ValueError(f"Reshape: at most one size may be -1; received {self.target_shape}.")

    def call(self, inputs: Array) -> Array:
        """Return `(batch, *target_shape)`.

        Raises:
            ValueError: a sample has another number of elements.
        """
        rows, *sample = ops.shape(inputs)
        try:  # inferred from one sample's shape, because an empty batch has no elements to count
            return ops.reshape(inputs, (rows, *infer_reshape(tuple(sample), self.target_shape)))
        except ValueError as error:
            raise ValueError(f"Layer {self.name!r} (Reshape): {error}") from None


@LAYERS.register()
class Permute(Layer):
    """Reorders the axes of each sample.

    Args:
        dims: the new order, counted from 1 without the batch axis: `(2, 1)` exchanges the first two.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `dims` is not such an order.
    """

    sample_by_sample = True

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"Permute: `dims` must hold each of 1 to {len(self.dims)} once; received {self.dims}.")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Array) -> Array:
        """Return the inputs with their axes reordered."""
        return ops.transpose(inputs, (0, *self.dims))


@LAYERS.register()
class RepeatVector(Layer):
    """Repeats vectors: `(batch, features)` to `(batch, n, features)`.

    Args:
        n: the number of repetitions.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(n, "n", self)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Array) -> Array:
        """Return the repeated vectors."""
        batch, features = ops.shape(inputs)
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, features))

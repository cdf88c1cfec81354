"""Activations as layers."""

from __future__ import annotations

from typing import Any

from polykeras import activations, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight


class _Elementwise(Layer):
    """A layer that keeps shapes and masks."""

    _built_at_init = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True


def _not_negative(value: Any, name: str, owner: Layer) -> float:
    if value is None or value < 0:
        raise ValueError(f"{type(owner).__name__}: `{name}` must be a number of at least 0; received {value!r}.")
    return float(value)


@LAYERS.register()
class Activation(_Elementwise):
    """Applies an activation function.

    Args:
        activation: the name of an activation, or a function.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, activation: ActivationLike, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Array) -> Array:
        """Return the activation of the inputs."""
        return inputs if self.activation is None else self.activation(inputs)


@LAYERS.register()
class ReLU(_Elementwise):
    """`max(x, 0)`, with an optional upper bound, threshold, and slope below the threshold.

    Args:
        max_value: the upper bound, or None.
        negative_slope: the slope below the threshold.
        threshold: below it the function is `negative_slope * (x - threshold)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is negative.
    """

    sample_by_sample = True

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _not_negative(max_value, "max_value", self)
        self.negative_slope = _not_negative(negative_slope, "negative_slope", self)
        self.threshold = _not_negative(threshold, "threshold", self)

    def call(self, inputs: Array) -> Array:
        """Return the activation of the inputs."""
        return activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )


@LAYERS.register()
class LeakyReLU(_Elementwise):
    """`x` above 0, and `negative_slope * x` below.

    Args:
        negative_slope: the slope below 0; Keras 2 calls it `alpha`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the slope is negative.
    """

    sample_by_sample = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = _not_negative(negative_slope, "negative_slope", self)

    def call(self, inputs: Array) -> Array:
        """Return the activation of the inputs."""
        return ops.leaky_relu(inputs, self.negative_slope)


@LAYERS.register()
class PReLU(_Elementwise):
    """`x` above 0, and `alpha * x` below, with learned slopes (He et al., 2015, https://arxiv.org/abs/1502.01852).

    Args:
        alpha_initializer: initializer of the slopes.
        alpha_regularizer: penalty on the slopes.
        alpha_constraint: constraint applied to the slopes after each update.
        shared_axes: axes along which a slope is shared, counted from 1 without the batch axis: `[1, 2]` for images;
            negative ones from the end.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the size of an axis that is not shared is unknown; or a shared one does not exist.
    """

    sample_by_sample = True

    def __init__(
        self,
        alpha_initializer: InitializerLike = "zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep_options(self, locals(), "alpha")
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)

    def build(self, input_shape: InputShape) -> None:
        """Make the slopes: one for each element of a sample, except along shared axes."""
        rank = len(input_shape)
        shared = {axis + rank * (axis < 0) for axis in self.shared_axes or ()}
        if not shared <= set(range(1, rank)):
            raise ValueError(
                f"PReLU {self.name!r}: `shared_axes` must be axes of a sample, 1 to {rank - 1} or -1 to {1 - rank} for "
                f"inputs of shape {tuple(input_shape)}; received {self.shared_axes}."
            )
        own = [i for i in range(1, rank) if i not in shared]
        sizes = dict(zip(own, known_sizes(self, input_shape, own), strict=True))
        self.alpha = make_weight(self, "alpha", [sizes.get(i, 1) for i in range(1, rank)])
        self.input_spec = InputSpec(ndim=rank, axes=sizes)

    def call(self, inputs: Array) -> Array:
        """Return the activation of the inputs."""
        return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, ops.relu(ops.negative(inputs))))


@LAYERS.register()
class ELU(_Elementwise):
    """`x` above 0, and `alpha * (exp(x) - 1)` below.

    Args:
        alpha: the limit for large negative inputs is `-alpha`.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs: Array) -> Array:
        """Return the activation of the inputs."""
        return ops.elu(inputs, self.alpha)


@LAYERS.register()
class Softmax(_Elementwise):
    """`exp(x) / sum(exp(x))`; masked elements get 0.

    Args:
        axis: the axis of the sum, or several axes.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = tuple(axis) if isinstance(axis, (list, tuple)) else int(axis)

    def call(self, inputs: Array, mask: Array | None = None) -> Array:
        """Return the softmax of the inputs.

        Args:
            inputs: floats of any shape.
            mask: a bool array that broadcasts to the inputs; elements where it is False get 0.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
            inputs = ops.where(mask, inputs, -3e4 if ops.dtype(inputs) == "float16" else -1e9)
        outputs = activations.softmax(inputs, axis=self.axis)
        return outputs if mask is None else ops.where(mask, outputs, 0)  # all elements are 0 if the mask leaves none

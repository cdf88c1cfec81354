"""Activations as layers."""

from __future__ import annotations

from typing import Any

from polykeras import activations, constraints, initializers, ops, regularizers
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer


class _Elementwise(Layer):
    """A layer without weights that keeps shapes and masks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True


@LAYERS.register()
class Activation(_Elementwise):
    """An activation function.

    Args:
        activation: a name or a function.
        **kwargs: as for `Layer`.
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Return the function's values."""
        return inputs if self.activation is None else self.activation(inputs)


@LAYERS.register()
class ReLU(_Elementwise):
    """`max(x, 0)`, with a slope below a threshold and a ceiling.

    Args:
        max_value: a ceiling, or None.
        negative_slope: the slope below the threshold.
        threshold: below it the function is `negative_slope * (x - threshold)`.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("max_value", max_value), ("negative_slope", negative_slope), ("threshold", threshold)):
            if value is not None and value < 0:
                raise ValueError(f"ReLU: `{name}` must not be negative; received {value!r}.")
        self.max_value = max_value
        self.negative_slope = float(negative_slope or 0.0)
        self.threshold = float(threshold or 0.0)

    def call(self, inputs: Any) -> Any:
        """Return the function's values."""
        return activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )


@LAYERS.register()
class LeakyReLU(_Elementwise):
    """`x` above 0, `negative_slope * x` below.

    Args:
        negative_slope: the slope below 0; Keras 2 calls it `alpha`.
        **kwargs: as for `Layer`.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        self.negative_slope = float(kwargs.pop("alpha", negative_slope))
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> Any:
        """Return the function's values."""
        return ops.leaky_relu(inputs, self.negative_slope)


@LAYERS.register()
class PReLU(_Elementwise):
    """`x` above 0, `alpha * x` below, with learned slopes (He et al., 2015, https://arxiv.org/abs/1502.01852).

    Args:
        alpha_initializer: of the slopes.
        alpha_regularizer: penalty on the slopes.
        alpha_constraint: applied to the slopes after each update.
        shared_axes: axes along which one slope is shared, for instance `[1, 2]` for images.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)

    def build(self, input_shape: Any) -> None:
        """Make the slopes, one an element of a sample unless axes share them."""
        shared = self.shared_axes or []
        shape = [1 if i in shared else n for i, n in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(
                f"Layer {self.name!r} (PReLU) needs known sizes or shared_axes; received {tuple(input_shape)}."
            )
        self.alpha = self.add_weight(
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        axes = {i: n for i, n in enumerate(input_shape) if i and i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Any) -> Any:
        """Return the function's values."""
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)


@LAYERS.register()
class ELU(_Elementwise):
    """`x` above 0, `alpha * (exp(x) - 1)` below.

    Args:
        alpha: the (negative) limit below.
        **kwargs: as for `Layer`.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs: Any) -> Any:
        """Return the function's values."""
        return ops.elu(inputs, self.alpha)


@LAYERS.register()
class Softmax(_Elementwise):
    """`exp(x) / sum(exp(x))`; masked elements get 0.

    Args:
        axis: of the sum, or several axes.
        **kwargs: as for `Layer`.
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the function's values.

        Args:
            inputs: an array.
            mask: bool, broadcasts to the inputs; False leaves an element out.
        """
        if mask is not None:
            inputs = ops.where(mask, inputs, -3e4 if ops.dtype(inputs) == "float16" else -1e9)
        return ops.softmax(inputs, axis=self.axis if isinstance(self.axis, int) else tuple(self.axis))

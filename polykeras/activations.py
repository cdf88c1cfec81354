"""Activation functions: those of `polykeras.ops`, and further ones of Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polykeras import ops
from polykeras.backend import registry as backends
from polykeras.backend.spec import Array
from polykeras.common import logits
from polykeras.common.types import ActivationLike, ArrayLike
from polykeras.saving.serialization import Registry, serialize_keras_object
from polykeras.variables import value_of

Activation = Callable[..., Any]

registry: Registry[Activation] = Registry("activation", "keras.activations")

celu = registry.register()(ops.celu)
elu = registry.register()(ops.elu)
glu = registry.register()(ops.glu)
hard_shrink = registry.register()(ops.hard_shrink)
hard_sigmoid = registry.register()(ops.hard_sigmoid)
hard_silu = hard_swish = registry.register("hard_swish")(ops.hard_silu)
hard_tanh = registry.register()(ops.hard_tanh)
leaky_relu = registry.register()(ops.leaky_relu)
log_sigmoid = registry.register()(ops.log_sigmoid)
log_softmax = registry.register()(ops.log_softmax)
relu6 = registry.register()(ops.relu6)
selu = registry.register()(ops.selu)
sigmoid = registry.register()(ops.sigmoid)
silu = swish = registry.register("swish")(ops.silu)
soft_shrink = registry.register()(ops.soft_shrink)
softplus = registry.register()(ops.softplus)
softsign = registry.register()(ops.softsign)
sparse_plus = registry.register()(ops.sparse_plus)
sparse_sigmoid = registry.register()(ops.sparse_sigmoid)
sparsemax = registry.register()(ops.sparsemax)
squareplus = registry.register()(ops.squareplus)
tanh = registry.register()(ops.tanh)
tanh_shrink = registry.register()(ops.tanh_shrink)
threshold = registry.register()(ops.threshold)


@registry.register()
def relu(x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """Return the rectified linear unit of `x`.

    Args:
        x: an array of any shape.
        negative_slope: the slope below the threshold.
        max_value: the upper bound; None for no bound.
        threshold: values below it become `negative_slope * (x - threshold)`.

    Example:
        >>> relu([-2.0, 0.5, 9.0], negative_slope=0.5, max_value=6.0).tolist()
        [-1.0, 0.5, 6.0]
    """
    if max_value is None and threshold == 0:
        return ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    y = ops.relu(x) if threshold == 0 else ops.where(ops.greater(x, threshold), x, 0)
    if max_value is not None:
        y = ops.clip(y, 0, max_value)
    if negative_slope:
        y = ops.subtract(y, ops.multiply(negative_slope, ops.relu(ops.subtract(threshold, x))))
    return y


@registry.register()
def gelu(x: ArrayLike, approximate: bool = False) -> Array:
    """Return `x` times the standard normal distribution function of `x`.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", https://arxiv.org/abs/1606.08415.

    Args:
        x: an array of any shape.
        approximate: whether to use an approximation with tanh.
    """
    return ops.gelu(x, approximate)


@registry.register()
def softmax(x: ArrayLike, axis: int | Sequence[int] = -1) -> Array:
    """Return `exp(x) / sum(exp(x))` along `axis`.

    Args:
        x: an array with at least one axis.
        axis: the axis, or several axes, along which the results sum to 1.

    Raises:
        ValueError: `x` is a scalar.
    """
    if ops.ndim(x) == 0:
        raise ValueError("softmax needs an array with at least one axis; received a scalar. Use sigmoid for one value.")
    x = value_of(x)
    probabilities = ops.softmax(x, axis)
    if backends.current().is_tensor(x):  # not for host arrays, which may change
        logits.remember(probabilities, axis, x)
    return probabilities


@registry.register()
def exponential(x: ArrayLike) -> Array:
    """Return e to the power `x`."""
    return ops.exp(x)


@registry.register()
def linear(x: ArrayLike) -> Array:
    """Return `x`."""
    return x


@registry.register()
def mish(x: ArrayLike) -> Array:
    """Return `x * tanh(softplus(x))`. Source: Misra, "Mish", https://arxiv.org/abs/1908.08681."""
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


@registry.register()
def hard_sigmoid_of_keras_2(x: ArrayLike) -> Array:
    """Return `clip(0.2 * x + 0.5, 0, 1)`, the `hard_sigmoid` of Keras 1 and 2, which their files refer to.

    Args:
        x: an array of any shape.

    Example:
        >>> hard_sigmoid_of_keras_2([-2.5, 0.0, 1.0]).tolist()
        [0.0, 0.5, 0.699999988079071]
    """
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


def get(identifier: ActivationLike) -> Activation:
    """Return an activation function.

    Args:
        identifier: a name such as `"relu"`, a config, a function, a layer, or None for `linear`.

    Raises:
        ValueError: the name is unknown, or the identifier has another type.
    """
    return linear if identifier is None else registry.get(identifier)


def serialize(activation: Activation) -> Any:
    """Return the name of a function of this module, or the config of another activation."""
    return serialize_keras_object(activation)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """Return the activation that a config describes.

    Args:
        config: the result of `serialize`.
        custom_objects: additional names that the config may use.
    """
    return registry.deserialize(config, custom_objects)

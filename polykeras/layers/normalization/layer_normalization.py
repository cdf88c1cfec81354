"""Layer normalization, and code shared with batch and group normalization."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight


class Scaled(Layer):
    """Base of normalizations with a learned scale and offset, which keep the variable dtype under mixed precision."""

    rms_scaling = False

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = axis if isinstance(axis, int) else list(axis)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        keep_options(self, locals(), "beta", "gamma")
        self.supports_masking = True

    def build(self, input_shape: InputShape) -> None:
        """Make the scale and the offset."""
        if not isinstance(self.axis, int):  # sorted, because Keras orders the weights' axes by number
            self.axis = sorted(a % len(input_shape) for a in self.axis)
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        shape = known_sizes(self, input_shape, axes)
        self.gamma = make_weight(self, "gamma", shape, autocast=False) if self.scale or self.rms_scaling else None
        offset = self.center and not self.rms_scaling
        self.beta = make_weight(self, "beta", shape, autocast=False) if offset else None
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(axes, shape, strict=True)))


@LAYERS.register()
class LayerNormalization(Scaled):
    """Normalizes each sample along `axis` (Ba et al., 2016, https://arxiv.org/abs/1607.06450).

    Args:
        axis: one axis, or several that are normalized together.
        epsilon: a small number added to the variance.
        center: whether to add a learned offset `beta`.
        scale: whether to multiply by a learned factor `gamma`.
        beta_initializer: initializer of the offset, which has the sizes of `axis`.
        gamma_initializer: initializer of the scale, which has the sizes of `axis`.
        beta_regularizer: penalty on the offset.
        gamma_regularizer: penalty on the scale.
        beta_constraint: constraint applied to the offset after each update.
        gamma_constraint: constraint applied to the scale after each update.
        rms_scaling: divide by the standard deviation without subtracting the mean, and learn only a scale. Deprecated:
            `RMSNormalization` divides by the root of the mean square.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the inputs lack an axis, or its size is not known.
    """

    sample_by_sample = True

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        *,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.autocast = False
        self.rms_scaling = rms_scaling
        if rms_scaling:
            warnings.warn(
                "LayerNormalization(rms_scaling=True) divides by the standard deviation, not by the root of the mean "
                "square. Use RMSNormalization, which does what the name says.",
                stacklevel=2,
            )

    def call(self, inputs: Array) -> Array:
        """Return the normalized inputs."""
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        if self.rms_scaling:
            wide = ops.cast(inputs, dtypes.result_type(ops.dtype(inputs), "float32"))
            inverse = ops.rsqrt(ops.add(ops.var(wide, axis, keepdims=True), self.epsilon))
            outputs = ops.multiply(ops.multiply(wide, inverse), along(self.gamma, inputs, axis))
        else:
            outputs = ops.layer_normalization(inputs, self.gamma, self.beta, axis=axis, epsilon=self.epsilon)
        return ops.cast(outputs, self.compute_dtype)


def along(weight: Any, x: Array, axis: int | Sequence[int]) -> Array:
    """Reshape a weight, which has the sizes of some axes of `x`, so that it broadcasts to `x`.

    Args:
        weight: the weight.
        x: the array to which it belongs.
        axis: the axes in increasing order.
    """
    shape = ops.shape(x)
    axes = [a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis)]
    return ops.reshape(weight, [n if i in axes else 1 for i, n in enumerate(shape)])

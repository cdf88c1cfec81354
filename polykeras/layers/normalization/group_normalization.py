"""Group normalization."""

from __future__ import annotations

from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array, Shape
from polykeras.common.types import ConstraintLike, InitializerLike, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.normalization.layer_normalization import Scaled, along


@LAYERS.register()
class GroupNormalization(Scaled):
    """Normalizes groups of channels in each sample (Wu and He, 2018, https://arxiv.org/abs/1803.08494).

    Args:
        groups: the number of groups of channels; -1 makes each channel a group (instance normalization).
        axis: the axis of the channels.
        epsilon: a small number added to the variance.
        center: whether to add a learned offset `beta`.
        scale: whether to multiply by a learned factor `gamma`.
        beta_initializer: initializer of the offset `(channels,)`.
        gamma_initializer: initializer of the scale `(channels,)`.
        beta_regularizer: penalty on the offset.
        gamma_regularizer: penalty on the scale.
        beta_constraint: constraint applied to the offset after each update.
        gamma_constraint: constraint applied to the scale after each update.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `groups` is neither positive nor -1, or does not divide the number of channels.

    Example:
        >>> from polykeras import layers
        >>> layers.GroupNormalization(groups=4)(layers.Input((16, 16, 8))).shape
        (None, 16, 16, 8)
    """

    sample_by_sample = True
    axis: int

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
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
        super().__init__(
            int(axis),
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
        if not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(f"GroupNormalization: `groups` must be a positive int, or -1; received {groups!r}.")
        self.groups = groups
        self.autocast = False

    def build(self, input_shape: Shape) -> None:
        """Make the scale and the offset."""
        super().build(input_shape)
        channels = input_shape[self.axis]
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise ValueError(
                f"{self._title()} cannot divide the {channels} channels of axis {self.axis} into {self.groups} groups "
                f"of equal size; received the shape {tuple(input_shape)}."
            )

    def call(self, inputs: Array) -> Array:
        """Return the normalized inputs."""
        shape = ops.shape(inputs)
        axis = self.axis % len(shape)
        divided = (*shape[:axis], self.groups, shape[axis] // self.groups, *shape[axis + 1 :])
        x = ops.reshape(ops.cast(inputs, dtypes.result_type(ops.dtype(inputs), "float32")), divided)
        mean, variance = ops.moments(x, axes=[i for i in range(1, len(divided)) if i != axis], keepdims=True)
        x = ops.multiply(ops.subtract(x, mean), ops.rsqrt(ops.add(variance, self.epsilon)))
        x = ops.reshape(x, shape)
        if self.gamma is not None:
            x = ops.multiply(x, along(self.gamma, x, axis))
        if self.beta is not None:
            x = ops.add(x, along(self.beta, x, axis))
        return ops.cast(x, self.compute_dtype)

"""Layer normalization, and what it shares with batch normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from polykeras import ops
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight


class Scaled(Layer):
    """A normalization with a learned scale and offset, in the dtype of variables even where the rest is narrower."""

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = axis if isinstance(axis, int) else list(axis)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        keep_options(
            self,
            beta=(beta_initializer, beta_regularizer, beta_constraint),
            gamma=(gamma_initializer, gamma_regularizer, gamma_constraint),
        )
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make scale and offset."""
        if not isinstance(self.axis, int):  # in the order of the weights' axes, which Keras takes from the numbers
            self.axis = sorted(a % len(input_shape) for a in self.axis)
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        shape = known_sizes(self, input_shape, axes)
        self.gamma = make_weight(self, "gamma", shape, autocast=False) if self.scale else None
        self.beta = make_weight(self, "beta", shape, autocast=False) if self.center else None
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(axes, shape, strict=True)))


@LAYERS.register()
class LayerNormalization(Scaled):
    """Brings each sample to mean 0 and variance 1 along `axis` (Ba et al., 2016, https://arxiv.org/abs/1607.06450).

    Args:
        axis: one or several, normalized together.
        epsilon: added to the variance.
        center: add a learned offset `beta`.
        scale: multiply by a learned `gamma`.
        beta_initializer: of the offset, of the sizes of `axis`.
        gamma_initializer: of the scale, of the sizes of `axis`.
        beta_regularizer: penalty on the offset.
        gamma_regularizer: penalty on the scale.
        beta_constraint: applied to the offset after each update.
        gamma_constraint: applied to the scale after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: the inputs lack one of the axes, or its size is not known.
    """

    sample_by_sample = True
    _lacks: ClassVar[dict[str, Any]] = {"rms_scaling": False}

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
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

    def call(self, inputs: Any) -> Any:
        """Return the normalized inputs."""
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        outputs = ops.layer_normalization(inputs, self.gamma, self.beta, axis=axis, epsilon=self.epsilon)
        return ops.cast(outputs, self.compute_dtype)

"""Layers that bring values to a common scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import constraints, dtypes, initializers, ops, regularizers
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer


class _Scaled(Layer):
    """Normalization with a learned scale and offset."""

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def _add_scale(self, shape: tuple[int, ...]) -> None:
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )

    def _sizes(self, input_shape: Any, axes: list[int]) -> tuple[int, ...]:
        sizes = tuple(input_shape[a] for a in axes)
        if None in sizes:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) needs a known size along axis {axes}; received the shape "
                f"{tuple(input_shape)}."
            )
        return sizes


@LAYERS.register()
class BatchNormalization(_Scaled):
    """Subtracts the mean of the batch and divides by its standard deviation; running ones when not training.

    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167. Frozen (`trainable=False`), it uses the running
    statistics in training too.

    Args:
        axis: of the channels.
        momentum: share of the old value in an update of the running statistics.
        epsilon: added to the variance.
        center: add a learned offset `beta`.
        scale: multiply by a learned `gamma`.
        beta_initializer: of the offset.
        gamma_initializer: of the scale.
        moving_mean_initializer: of the running mean.
        moving_variance_initializer: of the running variance.
        beta_regularizer: penalty on the offset.
        gamma_regularizer: penalty on the scale.
        beta_constraint: applied to the offset after each update.
        gamma_constraint: applied to the scale after each update.
        synchronized: accepted for Keras code; a process has one replica.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
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
        self.momentum = momentum
        self.synchronized = synchronized
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        """Make scale, offset and running statistics."""
        shape = self._sizes(input_shape, [self.axis])
        self._add_scale(shape)
        self.moving_mean = self.add_weight(
            shape=shape, initializer=self.moving_mean_initializer, trainable=False, autocast=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            shape=shape,
            initializer=self.moving_variance_initializer,
            trainable=False,
            autocast=False,
            name="moving_variance",
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Return the normalized inputs.

        Args:
            inputs: an array.
            training: use the batch's statistics, and update the running ones.
            mask: bool; masked places do not count in the statistics.
        """
        dtype = ops.dtype(inputs)
        if dtype in ("float16", "bfloat16"):
            inputs = ops.cast(inputs, "float32")  # 16 bits are too few for a variance
        if training and self.trainable:
            mean, variance = self._moments(inputs, mask)
            m = self.momentum
            self.moving_mean.assign(self.moving_mean * m + ops.stop_gradient(mean) * (1.0 - m))
            self.moving_variance.assign(self.moving_variance * m + ops.stop_gradient(variance) * (1.0 - m))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        gamma = None if self.gamma is None else ops.cast(self.gamma, ops.dtype(inputs))
        beta = None if self.beta is None else ops.cast(self.beta, ops.dtype(inputs))
        outputs = ops.batch_normalization(
            inputs, mean, variance, axis=self.axis, offset=beta, scale=gamma, epsilon=self.epsilon
        )
        return ops.cast(outputs, dtype) if dtype != ops.dtype(outputs) else outputs

    def _moments(self, inputs: Any, mask: Any) -> tuple[Any, Any]:
        ndim = len(ops.shape(inputs))
        axes = tuple(i for i in range(ndim) if i != self.axis % ndim)
        if mask is None:
            return ops.moments(inputs, axes)
        weight = ops.cast(mask, ops.dtype(inputs))
        weight = ops.reshape(weight, (*ops.shape(weight), *(1,) * (ndim - len(ops.shape(weight)))))
        weight = ops.broadcast_to(weight, ops.shape(inputs))
        total = ops.sum(weight, axes) + 1e-7
        mean = ops.sum(inputs * weight, axes) / total
        keep = [n if i == self.axis % ndim else 1 for i, n in enumerate(ops.shape(inputs))]
        distance = ops.square(inputs - ops.reshape(mean, keep))
        return mean, ops.sum(distance * weight, axes) / total


@LAYERS.register()
class LayerNormalization(_Scaled):
    """Brings each sample to mean 0 and variance 1 along `axis` (Ba et al., 2016, https://arxiv.org/abs/1607.06450).

    Args:
        axis: one or several, normalized together.
        epsilon: added to the variance.
        center: add a learned offset `beta`.
        scale: multiply by a learned `gamma`.
        beta_initializer: of the offset.
        gamma_initializer: of the scale.
        beta_regularizer: penalty on the offset.
        gamma_regularizer: penalty on the scale.
        beta_constraint: applied to the offset after each update.
        gamma_constraint: applied to the scale after each update.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self,
        axis: Any = -1,
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

    def build(self, input_shape: Any) -> None:
        """Make scale and offset."""
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        self._add_scale(self._sizes(input_shape, axes))

    def call(self, inputs: Any) -> Any:
        """Return the normalized inputs."""
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        gamma = None if self.gamma is None else self.gamma.value
        beta = None if self.beta is None else self.beta.value
        return ops.layer_normalization(inputs, gamma, beta, axis=axis, epsilon=self.epsilon)


@LAYERS.register()
class Normalization(Layer):
    """Subtracts a mean and divides by a standard deviation that come from data, not from training.

    Args:
        axis: the axes that keep statistics of their own, None for one mean and variance of everything.
        mean: the mean, where it is known; otherwise call `adapt`.
        variance: the variance, where it is known.
        invert: undo a normalization instead.
        **kwargs: as for `Layer`.
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"Normalization needs both `mean` and `variance`, or neither; received {mean!r}, {variance!r}."
            )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True

    def _kept(self, ndim: int) -> list[int]:
        return sorted(a % ndim for a in self.axis)

    def build(self, input_shape: Any) -> None:
        """Make mean and variance."""
        shape = tuple(input_shape[a] for a in self._kept(len(input_shape)))
        if None in shape:
            raise ValueError(
                f"Layer {self.name!r} (Normalization) needs known sizes along axis {self.axis}; received "
                f"{tuple(input_shape)}."
            )
        if self.input_mean is not None:
            values = [np.broadcast_to(np.asarray(v, "float32"), shape) for v in (self.input_mean, self.input_variance)]
        else:
            values = [np.zeros(shape, "float32"), np.ones(shape, "float32")]
        for name, value in zip(("mean", "variance"), values, strict=True):
            weight = self.add_weight(
                shape=shape, initializer=lambda s, dtype=None, v=value: v.astype(dtype), trainable=False, name=name
            )
            setattr(self, f"adapt_{name}", weight)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data.

        Args:
            data: an array `(samples, ...)`.

        Raises:
            ValueError: mean and variance were given.
        """
        if self.input_mean is not None:
            raise ValueError("Normalization was given `mean` and `variance`: there is nothing to adapt.")
        array = np.asarray(data, dtype="float64")
        if not self.built:
            self.build((None, *array.shape[1:]))
            self.built = True
        kept = self._kept(array.ndim)
        axes = tuple(i for i in range(array.ndim) if i not in kept)
        self.adapt_mean.assign(array.mean(axes).astype("float32"))
        self.adapt_variance.assign(array.var(axes).astype("float32"))

    def call(self, inputs: Any) -> Any:
        """Return the scaled inputs."""
        if not dtypes.is_float(ops.dtype(inputs)):
            inputs = ops.cast(inputs, self.compute_dtype)
        kept = self._kept(len(ops.shape(inputs)))
        shape = [n if i in kept else 1 for i, n in enumerate(ops.shape(inputs))]
        mean = ops.reshape(self.adapt_mean, shape)
        spread = ops.maximum(ops.sqrt(ops.reshape(self.adapt_variance, shape)), 1e-7)
        return inputs * spread + mean if self.invert else (inputs - mean) / spread

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        config = super().get_config()
        config |= {"axis": list(self.axis) or None, "mean": self.input_mean, "variance": self.input_variance}
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in config.items()}


@LAYERS.register()
class Rescaling(Layer):
    """`inputs * scale + offset`, for instance from 0..255 to 0..1.

    Args:
        scale: a number, or one a channel.
        offset: a number, or one a channel.
        **kwargs: as for `Layer`.
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the scaled inputs, as floats."""
        inputs = ops.cast(inputs, self.compute_dtype)
        scale, offset = (ops.convert_to_tensor(v, self.compute_dtype) for v in (self.scale, self.offset))
        return inputs * scale + offset

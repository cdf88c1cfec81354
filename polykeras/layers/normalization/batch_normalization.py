"""Batch normalization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras import config, initializers, ops
from polykeras.backend.spec import Array, Shape
from polykeras.collectives import sum_over_workers
from polykeras.common.types import ConstraintLike, InitializerLike, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.normalization.layer_normalization import Scaled
from polykeras.variables import Variable


@LAYERS.register()
class BatchNormalization(Scaled):
    """Normalizes by the mean and variance of the batch, or by running averages of them when not training.

    Sources: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167; for `renorm` Ioffe, 2017,
    https://arxiv.org/abs/1702.03275. A frozen layer (`trainable=False`) uses the running averages in training too.

    Args:
        axis: the axis of the channels.
        momentum: the share of the old value in an update of the running averages.
        epsilon: a small number added to the variance.
        center: whether to add a learned offset `beta`.
        scale: whether to multiply by a learned factor `gamma`.
        beta_initializer: initializer of the offset `(channels,)`.
        gamma_initializer: initializer of the scale `(channels,)`.
        moving_mean_initializer: initializer of the running mean.
        moving_variance_initializer: initializer of the running variance.
        beta_regularizer: penalty on the offset.
        gamma_regularizer: penalty on the scale.
        beta_constraint: constraint applied to the offset after each update.
        gamma_constraint: constraint applied to the scale after each update.
        renorm: whether to correct each batch towards the running averages in training too, which helps small batches.
        renorm_clipping: bounds of that correction: a dict with any of `"rmin"` and `"rmax"` (for the factor) and
            `"dmax"` (for the offset).
        renorm_momentum: the `momentum` for the statistics of the correction.
        synchronized: accepted for Keras code. Where workers share a batch, the statistics are always those of all of
            it.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the bounds are unknown or contradict each other; the size of the axis is not known.
    """

    sample_by_sample = "not in training"
    axis: int

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
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
        self.momentum = float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = _checked_clipping(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = float(renorm_momentum)
        self.synchronized = synchronized

    def build(self, input_shape: Shape) -> None:
        """Make the scale, the offset and the running averages."""
        super().build(input_shape)
        size = input_shape[self.axis]

        def running(name: str, initializer: InitializerLike) -> Variable:
            return self.add_weight((size,), initializer, trainable=False, autocast=False, name=name)

        def deviation(shape: Any, dtype: Any = None) -> Any:
            return ops.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

        self.moving_mean = running("moving_mean", self.moving_mean_initializer)
        self.moving_variance = running("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = running("moving_stddev", deviation)
            self.renorm_mean = running("renorm_mean", self.moving_mean_initializer)
            self.renorm_stddev = running("renorm_stddev", deviation)

    def call(self, inputs: Array, training: bool | None = None, mask: Array | None = None) -> Array:
        """Return the normalized inputs.

        Args:
            inputs: numbers of any shape.
            training: whether to use the batch's statistics, and update the running averages.
            mask: bool, with the shape of the inputs without the last axis; masked places do not count in the
                statistics.

        Raises:
            ValueError: the mask has another rank.
        """
        exact = ops.dtype(inputs) in ("float32", "float64")
        x = inputs if exact else ops.cast(inputs, "float32")  # for the variance
        y = self._train(x, mask) if training and self.trainable else self._infer(x)
        return y if ops.dtype(y) == self.compute_dtype else ops.cast(y, self.compute_dtype)

    def _infer(self, x: Array) -> Array:
        return ops.batch_normalization(
            x, self.moving_mean, self.moving_variance, self.axis, self.beta, self.gamma, self.epsilon
        )

    def _train(self, x: Array, mask: Array | None) -> Array:
        if mask is None and not self.renorm:
            y, mean, variance = ops.normalize_batch(x, self.axis, self.beta, self.gamma, self.epsilon)
            self._update(mean, variance)
            return y
        mean, variance = self._statistics(x, mask)
        gamma, beta = self.gamma, self.beta
        if self.renorm:
            r, d = self._correction(mean, variance)
            beta = _add(_multiply(d, gamma), beta)
            gamma = _multiply(r, gamma)
        self._update(mean, variance)
        return ops.batch_normalization(x, mean, variance, self.axis, beta, gamma, self.epsilon)

    def _statistics(self, x: Array, mask: Array | None) -> tuple[Array, Array]:
        """Return the mean and the variance of a batch, without masked places."""
        shape = ops.shape(x)
        axes = tuple(i for i in range(len(shape)) if i != self.axis % len(shape))
        if mask is None:
            return ops.moments(x, axes, synchronized=True)
        valid = self._valid(mask, x)

        def total(values: Array) -> Array:
            return sum_over_workers(ops.sum(values, axes, keepdims=True))

        count = total(ops.cast(valid, ops.dtype(x))) + config.epsilon()
        mean = total(ops.where(valid, x, 0)) / count
        variance = total(ops.square(ops.where(valid, ops.subtract(x, mean), 0))) / count
        return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))

    def _valid(self, mask: Array | None, x: Array) -> Any:
        have, want = ops.shape(mask), ops.shape(x)
        if len(have) != len(want) - 1:
            raise ValueError(
                f"Layer {self.name!r} (BatchNormalization) expects a mask with one axis less than its inputs; received "
                f"the shapes {have} and {want}."
            )
        return ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), want)

    def _update(self, mean: Array, variance: Array) -> None:
        """Move the running averages towards the statistics of the batch."""
        mean, variance = ops.stop_gradient(mean), ops.stop_gradient(variance)
        if not self.renorm:
            _move(self.moving_mean, mean, self.momentum)
            _move(self.moving_variance, variance, self.momentum)
            return
        deviation = ops.sqrt(variance + self.epsilon)
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, deviation, self.renorm_momentum)
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(ops.relu(ops.square(self.moving_stddev) - self.epsilon))

    def _correction(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Return the factor and offset that turn normalization by the batch into one by the running averages."""
        bounds = self.renorm_clipping or {}
        floor = self.epsilon**0.5  # avoids a division by 0 early in training
        spread = ops.maximum(ops.cast(self.renorm_stddev, ops.dtype(mean)), floor)
        r = ops.sqrt(variance + self.epsilon) / spread
        d = (mean - ops.cast(self.renorm_mean, ops.dtype(mean))) / spread
        if bounds.get("rmin") is not None:
            r = ops.maximum(r, bounds["rmin"])
        if bounds.get("rmax") is not None:
            r = ops.minimum(r, bounds["rmax"])
        if bounds.get("dmax") is not None:
            d = ops.clip(d, -bounds["dmax"], bounds["dmax"])
        return ops.stop_gradient(r), ops.stop_gradient(d)


def _move(variable: Variable, value: Any, momentum: float) -> None:
    variable.assign(ops.add(ops.multiply(variable, momentum), ops.multiply(value, 1.0 - momentum)))


def _multiply(x: Array, factor: Any) -> Array:
    return x if factor is None else ops.multiply(x, factor)


def _add(x: Array, other: Array) -> Array:
    return x if other is None else ops.add(x, other)


def _checked_clipping(clipping: Mapping[str, float] | None) -> dict[str, float]:
    bounds = dict(clipping or {})
    unknown = sorted(set(bounds) - {"rmin", "rmax", "dmax"})
    low, high, shift = bounds.get("rmin"), bounds.get("rmax"), bounds.get("dmax")
    crossed = low is not None and high is not None and high < low
    if unknown or crossed or (shift is not None and shift < 0):
        raise ValueError(
            f"BatchNormalization: expected `renorm_clipping` with rmin <= rmax and dmax >= 0; received {clipping!r}."
        )
    return bounds

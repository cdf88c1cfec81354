"""Layers that scale inputs with numbers that are not trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, InputShape
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import known_sizes
from polykeras.layers.preprocessing.host import batches, host_data


@LAYERS.register()
class Normalization(DataLayer):
    """Subtracts a mean and divides by a standard deviation, which are computed from data before training.

    Args:
        axis: the axes along which statistics differ; None for one mean and variance of all values.
        mean: the mean if it is known: a number, or an array that fits the sizes of `axis`. Otherwise call `adapt`.
        variance: the variance, in the shape of `mean`.
        invert: whether to undo the normalization instead.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: only one of mean and variance is given, or they do not fit each other or the axes.

    Example:
        >>> from polykeras import layers
        >>> layer = layers.Normalization()
        >>> layer.adapt([[0.0, 10.0], [2.0, 30.0]])
        >>> layer([[2.0, 10.0]]).tolist()
        [[1.0, -1.0]]
    """

    sample_by_sample = True
    _not_in_config = (*DataLayer._not_in_config, "mean", "variance")  # `get_config` adds them

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"Normalization needs both `mean` and `variance`, or neither; received {mean!r}, {variance!r}."
            )
        if np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis):
            raise ValueError(
                f"Normalization: `mean` and `variance` must be numbers, or arrays of one shape that fits axis={axis}; "
                f"received the shapes {np.shape(mean)} and {np.shape(variance)}."
            )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True

    def _kept(self, ndim: int) -> list[int]:
        return sorted(a % ndim for a in self.axis)

    def build(self, input_shape: InputShape) -> None:
        """Make the weights mean, variance and count, if they were not passed; count is only there for Keras's files."""
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ValueError(f"Normalization: `axis` is {self.axis}; the inputs {tuple(input_shape)} have {ndim} axes.")
        axes = self._kept(ndim)
        shape = known_sizes(self, input_shape, axes)
        # Inputs of another rank are broadcast, so the axes count from the end.
        self.input_spec = InputSpec(axes={axis - ndim: n for axis, n in zip(axes, shape, strict=True)})
        self._spread: list[Any] = [input_shape[i] if i in axes else 1 for i in range(ndim)]
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")
        else:
            self._given = [np.broadcast_to(host_data(v), shape) for v in (self.input_mean, self.input_variance)]

    def adapt(self, data: Any) -> None:
        """Compute mean and variance from data.

        Args:
            data: an array `(samples, ...)`, a nested list of numbers, or an iterable of batches: arrays, or tuples that
                begin with one, such as `(inputs, labels)`. A `tf.data.Dataset` of single vectors also works.

        Raises:
            ValueError: mean and variance were passed to the layer, the data are empty, or have other sizes than before.
        """
        if self.input_mean is not None:
            raise ValueError("Normalization has `mean` and `variance` already, so there is nothing to adapt.")
        mean = variance = np.float64(0.0)
        total = 0
        for batch in map(np.asarray, batches(data)):
            if batch.ndim == 1 and hasattr(type(data), "element_spec"):
                batch = batch[None]
            if not self.built:
                self.build(batch.shape if 0 in self._kept(batch.ndim) else (None, *batch.shape[1:]))
            kept = self._kept(batch.ndim)
            self._check_sizes(batch)
            axes = tuple(i for i in range(batch.ndim) if i not in kept)
            count = int(np.prod([batch.shape[i] for i in axes]))
            new = batch.mean(axes, dtype="float64")
            # Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
            # variances", 1979.
            share = count / (total + count)
            between = share * (1.0 - share) * (new - mean) ** 2
            variance = (1.0 - share) * variance + share * batch.var(axes, dtype="float64") + between
            mean, total = mean + share * (new - mean), total + count
        if total == 0:
            raise ValueError(f"Normalization.adapt needs data; received {data!r}, which is empty.")
        self.adapt_mean.assign(mean.astype(self.variable_dtype))
        self.adapt_variance.assign(variance.astype(self.variable_dtype))

    def _check_sizes(self, batch: np.ndarray) -> None:
        if batch.ndim != len(self._spread) or any(batch.shape[i] != self._spread[i] for i in self._kept(batch.ndim)):
            raise ValueError(
                f"{self._title()} was built for sizes {self._spread} (1 for axes with shared statistics); received "
                f"data of the shape {batch.shape}."
            )

    def finalize_state(self) -> None:
        """Do nothing. Keras code calls this after `adapt`; here, each call reads `adapt_mean` and `adapt_variance`."""

    @property
    def mean(self) -> Array | None:
        """The mean, with as many axes as the inputs; None before the layer is built."""
        return self._statistic(0) if self.built else None

    @property
    def variance(self) -> Array | None:
        """The variance, with as many axes as the inputs; None before the layer is built."""
        return self._statistic(1) if self.built else None

    def _statistic(self, which: int) -> Any:
        statistics = self._given if self.input_mean is not None else (self.adapt_mean, self.adapt_variance)
        return ops.reshape(ops.convert_to_tensor(statistics[which], self.compute_dtype), self._spread)

    def call(self, inputs: Array) -> Array:
        """Return the normalized inputs, as floats."""
        inputs = ops.cast(inputs, self.compute_dtype)
        deviation = ops.maximum(ops.sqrt(self._statistic(1)), config.epsilon())
        if self.invert:
            return ops.add(ops.multiply(inputs, deviation), self._statistic(0))
        return ops.divide(ops.subtract(inputs, self._statistic(0)), deviation)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        given = {"mean": self.input_mean, "variance": self.input_variance}
        plain = {
            name: None if value is None else np.asarray(host_data(value)).tolist() for name, value in given.items()
        }
        return super().get_config() | plain


@LAYERS.register()
class Rescaling(DataLayer):
    """Computes `inputs * scale + offset`, for instance to map 0..255 to 0..1.

    Args:
        scale: a number, or one for each channel.
        offset: a number, or one for each channel.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, scale: ArrayLike, offset: ArrayLike = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Return the scaled inputs, as floats."""
        inputs = ops.cast(inputs, self.compute_dtype)
        return ops.add(ops.multiply(inputs, self._by_channel(self.scale)), self._by_channel(self.offset))

    def _by_channel(self, value: Any) -> Any:
        if isinstance(value, (int, float)):
            return value
        array = ops.convert_to_tensor(value, self.compute_dtype)
        shape = ops.shape(array)
        if len(shape) == 1 and config.image_data_format() == "channels_first":
            return ops.reshape(array, (*shape, 1, 1))
        return array

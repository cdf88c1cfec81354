"""Encodings of labels, moments and normalization."""

from __future__ import annotations

from typing import Any

from polykeras import config, dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.job import shared_step
from polykeras.backend.spec import Array, Axis, Family, op


def refuse_sparse(sparse: bool | None, name: str) -> None:
    """Raise `ValueError` if a sparse result is asked for."""
    if sparse:
        raise ValueError(f"{name}: there are no sparse arrays on any backend; leave `sparse` out.")


class Normalization(Family):
    """Encodings and normalizations that layers use. Half-precision inputs are averaged in float32."""

    # ---- labels ------------------------------------------------------------------------------------------------

    @op("x")
    def one_hot(
        self, x: Array, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False
    ) -> Array:
        """Return vectors that are 1 at the index `x` and 0 elsewhere; all 0 where `x` is out of range.

        Args:
            x: integers.
            num_classes: the size of the new axis.
            axis: the position of the new axis in the result.
            dtype: the dtype of the result; by default the default float dtype.
            sparse: not supported; must not be set.
        """
        return self.cast(self._hot(x, num_classes, axis, sparse), dtype or config.floatx())

    def _hot(self, x: Array, num_classes: int, axis: int, sparse: bool = False) -> Array:
        """Return `one_hot` as bools."""
        refuse_sparse(sparse, "one_hot")
        if self.dtype(x) not in ("int32", "int64"):
            x = self.cast(x, "int32")
        shape = [1] * (self.ndim(x) + 1)
        shape[canonical_axis(axis, len(shape))] = num_classes
        places = self.reshape(self.arange(num_classes, dtype=self.dtype(x)), shape)
        return self.equal(self.expand_dims(x, axis), places)

    @op("inputs")
    def multi_hot(
        self,
        inputs: Array,
        num_classes: int | None = None,
        axis: int = -1,
        dtype: str | None = None,
        sparse: bool = False,
        **kwargs: Any,
    ) -> Array:
        """Return vectors that are 1 at each of several indices and 0 elsewhere.

        Args:
            inputs: integers, shape `(places,)` or `(batch, places, ...)`.
            num_classes: the size of the new axis.
            axis: the position of the new axis before `places` is reduced.
            dtype: the dtype of the result; by default the default float dtype.
            sparse: not supported; must not be set.
            **kwargs: `num_tokens`, an older name of `num_classes`.

        Raises:
            ValueError: if `num_classes` is missing, or another keyword is given.
        """
        count = kwargs.pop("num_tokens", num_classes)
        if kwargs or count is None:
            raise ValueError(f"multi_hot needs `num_classes`; received {num_classes} and {kwargs or 'nothing else'}.")
        hot = self._hot(inputs, count, axis, sparse)
        return self.cast(self.any(hot, 1 if self.ndim(inputs) > 1 else 0), dtype or config.floatx())

    # ---- normalization -----------------------------------------------------------------------------------------

    def _wide(self, x: Array) -> Array:
        """Return `x` in a float dtype of at least 32 bits."""
        dtype = self.dtype(x)
        wide = "float64" if dtype == "float64" else "float32"
        return x if dtype == wide else self.cast(x, wide)

    @op("x", "float")
    def moments(self, x: Array, axes: Axis, keepdims: bool = False, synchronized: bool = False) -> tuple[Array, Array]:
        """Return the mean and the (population) variance over `axes`.

        Args:
            x: an array.
            axes: one axis or several.
            keepdims: whether to keep reduced axes with size 1.
            synchronized: whether they are those of the whole batch, where workers share it. All have as many values.
        """
        dtype, wide = self.dtype(x), self._wide(x)
        mean = self.mean(wide, axes, True)
        variance = self.mean(self.square(wide - mean), axes, True)
        if synchronized and shared_step.get() is not None:
            mean, variance = self._moments_of_all(mean, variance)
        if not keepdims:
            dropped = tuple(range(self.ndim(x))) if axes is None else axes
            mean, variance = self.squeeze(mean, dropped), self.squeeze(variance, dropped)
        if self.dtype(mean) == dtype:
            return mean, variance  # the variance may be infinite
        return self.saturate_cast(mean, dtype), self.saturate_cast(variance, dtype)

    def _moments_of_all(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Return the moments of all values, of those of each worker."""
        moments = self.all_gather(self.stack([mean, variance]))
        means, variances = moments[:, 0], moments[:, 1]
        total = self.mean(means, 0)
        return total, self.mean(variances + self.square(means - total), 0)

    @op("x", "float")
    def normalize(self, x: Array, axis: Axis = -1, order: int = 2, epsilon: float | None = None) -> Array:
        """Return `x / max(norm(x), epsilon)`.

        Args:
            x: an array.
            axis: the axis, or axes, along which vectors lie.
            order: the order of the vector norm, at least 1.
            epsilon: the least norm to divide by; by default the configured one.

        Raises:
            ValueError: if `order` is not a positive int.
        """
        if not isinstance(order, int) or order < 1:
            raise ValueError(f"normalize: `order` must be an int of at least 1; received {order!r}.")
        if self.ndim(x) == 0:
            x = self.reshape(x, (1,))
        axes = tuple(range(self.ndim(x))) if axis is None else axis
        size = self._vector_norm(x, order, (axes,) if isinstance(axes, int) else axes, keepdims=True)
        return x / self.maximum(size, config.epsilon() if epsilon is None else epsilon)

    @op("x mean variance offset scale", "float")
    def batch_normalization(
        self,
        x: Array,
        mean: Array,
        variance: Array,
        axis: int,
        offset: Array | None = None,
        scale: Array | None = None,
        epsilon: float = 1e-3,
    ) -> Array:
        """Return `(x - mean) / sqrt(variance + epsilon) * scale + offset`.

        Args:
            x: an array.
            mean: a vector along `axis`.
            variance: a vector along `axis`.
            axis: the axis of the features.
            offset: a vector along `axis`.
            scale: a vector along `axis`.
            epsilon: added to the variance, so that the root is not 0.
        """
        shape = [1] * self.ndim(x)
        place = canonical_axis(axis, len(shape))
        shape[place] = self.shape(x)[place]
        factor = self.rsqrt(variance + epsilon)
        factor = factor if scale is None else factor * scale
        result = (x - self.reshape(mean, shape)) * self.reshape(factor, shape)
        return result if offset is None else result + self.reshape(offset, shape)

    @op("x offset scale", "float")
    def normalize_batch(
        self,
        x: Array,
        axis: int = -1,
        offset: Array | None = None,
        scale: Array | None = None,
        epsilon: float = 1e-3,
    ) -> tuple[Array, Array, Array]:
        """Return `x` normalized by its own mean and variance, and these; workers that share a batch take all of it.

        Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167.

        Args:
            x: an array, of at least 32 bits for accurate statistics.
            axis: the axis of the features.
            offset: a vector along `axis`.
            scale: a vector along `axis`.
            epsilon: added to the variance, so that the root is not 0.

        Returns:
            The normalized array, and the mean and the (population) variance, vectors along `axis`. Both are constants
            to differentiation, since they are meant for running averages.
        """
        place = canonical_axis(axis, self.ndim(x))
        mean, variance = self.moments(x, tuple(i for i in range(self.ndim(x)) if i != place), synchronized=True)
        result = self.batch_normalization(x, mean, variance, axis, offset, scale, epsilon)
        return result, self.stop_gradient(mean), self.stop_gradient(variance)

    @op("x gamma beta")
    def layer_normalization(
        self,
        x: Array,
        gamma: Array | None = None,
        beta: Array | None = None,
        axis: Axis = -1,
        epsilon: float | None = None,
    ) -> Array:
        """Return `x` with mean 0 and variance 1 over `axis`, times `gamma`, plus `beta` (Ba et al., 2016).

        Args:
            x: an array.
            gamma: of the shape of `axis`, or one that broadcasts to `x`.
            beta: like `gamma`.
            axis: the axis or axes to normalize over.
            epsilon: added to the variance; by default the configured one.

        Returns:
            An array of the dtype of `x`, computed in at least 32 bits.
        """
        wide, axes = self._wide(x), self._sorted_axes(x, axis)
        centred = wide - self.mean(wide, axes, True)
        inverse = self.rsqrt(self.mean(self.square(centred), axes, True) + self._epsilon(epsilon))
        result = self._scaled(centred * inverse, gamma, axes)
        if beta is not None:
            result = result + self._along(beta, result, axes)
        return self.cast(result, dtypes.float_type(self.dtype(x)))

    @op("x scale")
    def rms_normalization(
        self, x: Array, scale: Array | None = None, axis: Axis = -1, epsilon: float | None = None
    ) -> Array:
        """Return `x / sqrt(mean(x ** 2) + epsilon)` over `axis`, times `scale` (Zhang and Sennrich, 2019).

        Args:
            x: an array.
            scale: of the shape of `axis`, or one that broadcasts to `x`, such as a number.
            axis: the axis or axes to normalize over.
            epsilon: added to the mean square; by default the configured one.

        Returns:
            An array of the dtype of `x`, computed in at least 32 bits.
        """
        wide, axes = self._wide(x), self._sorted_axes(x, axis)
        inverse = self.rsqrt(self.mean(self.square(wide), axes, True) + self._epsilon(epsilon))
        return self.cast(self._scaled(wide * inverse, scale, axes), dtypes.float_type(self.dtype(x)))

    def _epsilon(self, epsilon: float | None) -> float:
        return config.epsilon() if epsilon is None else epsilon

    def _sorted_axes(self, x: Array, axis: Axis) -> tuple[int, ...]:
        ndim = self.ndim(x)
        if axis is None:
            return tuple(range(ndim))
        return tuple(sorted(canonical_axis(a, ndim) for a in ((axis,) if isinstance(axis, int) else axis)))

    def _along(self, vector: Array, x: Array, axes: tuple[int, ...]) -> Array:
        """Return `vector`, whose axes are `axes` of `x`, shaped to broadcast to `x` and in its dtype; or a scalar."""
        if self.ndim(vector) not in (0, self.ndim(x)):
            shape = self.shape(x)
            vector = self.reshape(vector, [n if i in axes else 1 for i, n in enumerate(shape)])
        return self.cast(vector, self.dtype(x))

    def _scaled(self, x: Array, scale: Array | None, axes: tuple[int, ...]) -> Array:
        return x if scale is None else x * self._along(scale, x, axes)

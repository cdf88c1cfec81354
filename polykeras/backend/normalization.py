"""Encodings of labels, moments, normalization and attention."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable
from typing import Any

from polykeras import config, dtypes
from polykeras.backend.pooling import PoolingMethods
from polykeras.backend.shaping import canonical_axis
from polykeras.backend.spec import Array, Axis, op


def refuse_sparse(sparse: bool | None, name: str) -> None:
    """Raise `ValueError` where a sparse result is asked for."""
    if sparse:
        raise ValueError(f"{name}: there are no sparse arrays on any backend; leave `sparse` out.")


class NormalizationMethods(PoolingMethods, ABC):
    """What layers compute besides products. Half-precision inputs are averaged in float32."""

    # ---- labels ------------------------------------------------------------------------------------------------

    @op("x")
    def one_hot(
        self, x: Array, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False
    ) -> Array:
        """Return vectors that are 1 at the place `x` and 0 elsewhere; all 0 where `x` is out of range.

        Args:
            x: integers.
            num_classes: the length of the new axis.
            axis: its place in the result.
            dtype: of the result; by default the default float dtype.
            sparse: refused.
        """
        return self.cast(self._hot(x, num_classes, axis, sparse), dtype or config.floatx())

    def _hot(self, x: Array, num_classes: int, axis: int, sparse: bool = False) -> Array:
        """Return `one_hot` as bool."""
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
        """Return vectors that are 1 at each of several places and 0 elsewhere.

        Args:
            inputs: integers, shape `(places,)` or `(batch, places, ...)`.
            num_classes: the length of the new axis.
            axis: its place before `places` is reduced.
            dtype: of the result; by default the default float dtype.
            sparse: refused.
            **kwargs: `num_tokens`, an older name of `num_classes`.
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
            keepdims: keep reduced axes with size 1.
            synchronized: refused: a computation sees all of its batch, on all backends.
        """
        if synchronized:
            raise ValueError("moments: `synchronized=True` is not supported; a batch is not divided among replicas.")
        dtype, wide = self.dtype(x), self._wide(x)
        mean = self.mean(wide, axes, True)
        variance = self.mean(self.square(wide - mean), axes, True)
        if not keepdims:
            dropped = tuple(range(self.ndim(x))) if axes is None else axes
            mean, variance = self.squeeze(mean, dropped), self.squeeze(variance, dropped)
        return self.saturate_cast(mean, dtype), self.saturate_cast(variance, dtype)

    @op("x", "float")
    def normalize(self, x: Array, axis: Axis = -1, order: int = 2, epsilon: float | None = None) -> Array:
        """Return `x / max(norm(x), epsilon)`.

        Args:
            x: an array.
            axis: the axis, or axes, along which vectors lie.
            order: of the vector norm, at least 1.
            epsilon: by default the configured one.
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
            epsilon: keeps the root from 0.
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
        """Return `batch_normalization` with the mean and variance of `x` itself, and these.

        Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167. The gradient is written out as there, which spares
        a third of the passes over memory.

        Args:
            x: an array, of 32 bits at least if its statistics are to be worth anything.
            axis: the axis of the features.
            offset: a vector along `axis`.
            scale: a vector along `axis`.
            epsilon: keeps the root from 0.

        Returns:
            The normalized array, and the mean and the (population) variance, vectors along `axis`. These two are
            constants to differentiation: they are meant for running averages.
        """
        place = canonical_axis(axis, self.ndim(x))
        spread = [n if i == place else 1 for i, n in enumerate(self.shape(x))]
        given = [None if vector is None else self.reshape(vector, spread) for vector in (offset, scale)]
        arrays = [x, *(vector for vector in given if vector is not None)]

        def normalize(x: Array, *vectors: Array) -> tuple[Any, Any]:
            rest = iter(vectors)
            shift, factor = (None if vector is None else next(rest) for vector in given)
            return self._normalized_and_gradient(x, shift, factor, place, epsilon)

        result, mean, variance = self._shorter_gradient(normalize)(*arrays)
        return result, self.reshape(self.stop_gradient(mean), (-1,)), self.reshape(self.stop_gradient(variance), (-1,))

    def _normalized_and_gradient(
        self, x: Array, offset: Array | None, scale: Array | None, place: int, epsilon: float
    ) -> tuple[tuple[Array, Array, Array], Any]:
        axes = tuple(i for i in range(self.ndim(x)) if i != place)
        count = math.prod(self.shape(x)[i] for i in axes)
        mean = self.mean(x, axes, True)
        centred = self.subtract(x, mean)
        variance = self.mean(self.square(centred), axes, True)
        inverse = self.rsqrt(variance + epsilon)
        factor = inverse if scale is None else self.multiply(inverse, scale)
        result = self.multiply(centred, factor)

        def gradient(d_result: Array, *_: Any) -> tuple[Array, ...]:
            d_offset = self.sum(d_result, axes, True)
            d_scale = self.sum(self.multiply(d_result, centred), axes, True) * inverse
            along = self.multiply(centred, d_scale * inverse * (1.0 / count))
            d_x = self.multiply(self.subtract(self.subtract(d_result, d_offset * (1.0 / count)), along), factor)
            others = [d for d, vector in ((d_offset, offset), (d_scale, scale)) if vector is not None]
            return (d_x, *others)

        return (result if offset is None else self.add(result, offset), mean, variance), gradient

    def _closed_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `custom_gradient(f)` for an `f` that uses no arrays but its arguments."""
        return self.custom_gradient(f)

    def _shorter_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `_closed_gradient(f)`, where `f` writes its gradient out only to spare passes over memory."""
        return self._closed_gradient(f)

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
            beta: as `gamma`.
            axis: the axis or axes to normalize over.
            epsilon: is added to the variance; by default the configured one.

        Returns:
            An array of the dtype of `x`; computed in 32 bits at least.
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
            scale: of the shape of `axis`, or one that broadcasts to `x`.
            axis: the axis or axes to normalize over.
            epsilon: by default the configured one.

        Returns:
            An array of the dtype of `x`; computed in 32 bits at least.
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
        """Return `vector`, whose axes are `axes` of `x`, so that it broadcasts to `x`, in its dtype."""
        if self.ndim(vector) != self.ndim(x):
            shape = self.shape(x)
            vector = self.reshape(vector, [n if i in axes else 1 for i, n in enumerate(shape)])
        return self.cast(vector, self.dtype(x))

    def _scaled(self, x: Array, scale: Array | None, axes: tuple[int, ...]) -> Array:
        return x if scale is None else x * self._along(scale, x, axes)

    # ---- attention ---------------------------------------------------------------------------------------------

    @op("query key value bias", "float", others="mask")
    def dot_product_attention(
        self,
        query: Array,
        key: Array,
        value: Array,
        bias: Array | None = None,
        mask: Array | None = None,
        scale: float | None = None,
        is_causal: bool = False,
        flash_attention: bool | None = None,
        attn_logits_soft_cap: float | None = None,
    ) -> Array:
        """Return the mean of values, weighted by the softmax of products of queries and keys (Vaswani et al., 2017).

        Args:
            query: shape `(batch, targets, heads, depth)`.
            key: shape `(batch, sources, key heads, depth)`; the key heads divide the heads, and each serves as many
                neighbouring heads as that makes.
            value: shape `(batch, sources, key heads, depth of values)`.
            bias: is added to the logits; broadcasts to `(batch, heads, targets, sources)`.
            mask: bool, where a target may see a source; broadcasts as `bias`. A target that sees none gets the plain
                mean of all.
            scale: of the products; by default `1 / sqrt(depth)`.
            is_causal: a target sees no later source.
            flash_attention: a hint for backends that have such a kernel; the result is the same.
            attn_logits_soft_cap: limits logits to this size, by a tanh.

        Returns:
            Shape `(batch, targets, heads, depth of values)`.
        """
        _, targets, heads, depth = self.shape(query)
        sources, key_heads = self.shape(key)[1:3]
        if self.shape(key)[:3] != self.shape(value)[:3] or heads % key_heads or self.shape(key)[3] != depth:
            raise ValueError(
                "dot_product_attention needs a query (batch, targets, heads, depth) and a key and a value (batch, "
                f"sources, key heads, depth), whose heads divide the query's; received shapes {self.shape(query)}, "
                f"{self.shape(key)} and {self.shape(value)}."
            )
        if key_heads != heads:
            key, value = (self._repeated_heads(x, heads // key_heads) for x in (key, value))
        q, k, v = (self.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
        q = q * (1.0 / math.sqrt(depth) if scale is None else scale)
        logits = self._wide(self.matmul(q, self._transposed(k)))
        if bias is not None:
            logits = logits + self.cast(bias, self.dtype(logits))
        if attn_logits_soft_cap is not None:
            logits = self.tanh(logits * (1.0 / attn_logits_soft_cap)) * attn_logits_soft_cap
        if is_causal:
            seen = self.arange(sources, dtype="int32") <= self.expand_dims(self.arange(targets, dtype="int32"), 1)
            mask = seen if mask is None else self.logical_and(mask, seen)
        if mask is not None:
            logits = self.where(self.cast(mask, "bool"), logits, 0.7 * dtypes.limits(self.dtype(logits))[0])
        weights = self.cast(self.softmax(logits), self.dtype(v))
        return self.transpose(self.matmul(weights, v), (0, 2, 1, 3))

    def _repeated_heads(self, x: Array, times: int) -> Array:
        batch, sources, heads, depth = self.shape(x)
        x = self.broadcast_to(self.expand_dims(x, 3), (batch, sources, heads, times, depth))
        return self.reshape(x, (batch, sources, heads * times, depth))

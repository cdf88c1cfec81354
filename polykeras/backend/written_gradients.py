"""Normalization with its gradients written out, for backends whose compiler does not simplify derivatives.

This is no family of the contract: it implements parts of one, as a backend's own classes do, for several backends.
"""

from __future__ import annotations

import math
from typing import Any

from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.normalization import Normalization
from polykeras.backend.job import shared_step
from polykeras.backend.spec import Array


class WrittenGradients(Normalization):
    """The family with written gradients. A backend uses it by naming this class before `Backend`.

    If batch normalization is differentiated operation by operation, it passes over memory half as often again, which
    slows steps of convolutional networks down on TensorFlow and torch. XLA, on JAX, fuses the plain form better. A
    backend may leave parts of this to kernels, except the moments: the frameworks' own kernels add up the values of a
    feature one by one, and with three million values their variance is wrong by 1e-3, here by 1e-7.
    """

    def normalize_batch(
        self,
        x: Array,
        axis: int = -1,
        offset: Array | None = None,
        scale: Array | None = None,
        epsilon: float = 1e-3,
    ) -> tuple[Array, Array, Array]:
        place = canonical_axis(axis, self.ndim(x))
        spread = [n if i == place else 1 for i, n in enumerate(self.shape(x))]
        given = [None if vector is None else self.reshape(vector, spread) for vector in (offset, scale)]

        def normalize(x: Array, *vectors: Array) -> tuple[Any, Any]:
            rest = iter(vectors)
            shift, factor = (None if vector is None else next(rest) for vector in given)
            return self._normalized_and_gradient(x, shift, factor, place, epsilon)

        arrays = (x, *(vector for vector in given if vector is not None))
        result, mean, variance = self._closed_gradient(normalize)(*arrays)
        return result, self.reshape(self.stop_gradient(mean), (-1,)), self.reshape(self.stop_gradient(variance), (-1,))

    def _normalized_and_gradient(
        self, x: Array, offset: Array | None, scale: Array | None, place: int, epsilon: float
    ) -> tuple[tuple[Array, Array, Array], Any]:
        axes = tuple(i for i in range(self.ndim(x)) if i != place)
        count = math.prod(self.shape(x)[i] for i in axes)
        mean = self.mean(x, axes, True)
        centred = self.subtract(x, mean)
        variance = self.mean(self.square(centred), axes, True)
        workers = 1
        if (shared := shared_step.get()) is not None:
            mean, variance = self._moments_of_all(mean, variance)
            centred, workers = self.subtract(x, mean), shared.workers
        count *= workers
        inverse = self.rsqrt(variance + epsilon)
        factor = inverse if scale is None else self.multiply(inverse, scale)
        result = self.multiply(centred, factor)

        def gradient(d_result: Array, *_: Any) -> tuple[Array, ...]:
            d_offset = self.sum(d_result, axes, True)
            d_scale = self.sum(self.multiply(d_result, centred), axes, True) * inverse
            # The moments depend on the samples of all workers.
            offsets, scales = (d_offset, d_scale) if workers == 1 else self.all_reduce([d_offset, d_scale])
            along = self.multiply(centred, scales * inverse * (1 / count))
            d_x = self.multiply(self.subtract(self.subtract(d_result, offsets * (1 / count)), along), factor)
            others = [d for d, vector in ((d_offset, offset), (d_scale, scale)) if vector is not None]
            return (d_x, *others)

        return (result if offset is None else self.add(result, offset), mean, variance), gradient

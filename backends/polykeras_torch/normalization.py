"""Normalization on torch's kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polykeras.backend.job import shared_step
from polykeras.backend.spec import Axis
from polykeras.backend.written_gradients import WrittenGradients
from polykeras_torch.private import BATCH_NORM, BATCH_NORM_BACKWARD, is_transformed


class TorchNormalization(WrittenGradients):
    """Batch normalization in three passes over memory; the composites make a dozen, forward and backward."""

    def layer_normalization(
        self,
        x: Tensor,
        gamma: Tensor | None = None,
        beta: Tensor | None = None,
        axis: Axis = -1,
        epsilon: float | None = None,
    ) -> Tensor:
        axes = self._sorted_axes(x, axis)
        shape = x.shape[x.ndim - len(axes) :]
        last = axes == tuple(range(x.ndim - len(axes), x.ndim))
        given = [vector for vector in (gamma, beta) if vector is not None]
        plain = all(vector.dtype == x.dtype and vector.shape == shape for vector in given)
        if not (last and plain and axes and x.dtype in (torch.float32, torch.float64)):
            return super().layer_normalization(x, gamma, beta, axis, epsilon)
        return torch.layer_norm(x, shape, gamma, beta, self._epsilon(epsilon))

    def _normalized_and_gradient(
        self, x: Tensor, offset: Tensor | None, scale: Tensor | None, place: int, epsilon: float
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Any]:
        vectors = [vector for vector in (offset, scale) if vector is not None]
        known = x.dtype in (torch.float32, torch.float64) and all(vector.dtype is x.dtype for vector in vectors)
        known = known and (BATCH_NORM and BATCH_NORM_BACKWARD) is not None and shared_step.get() is None
        # The backward kernel has no derivative of its own that takes the origin of the moments into account.
        if not (known and x.numel() and place in (1, x.ndim - 1)) or torch.is_grad_enabled() or is_transformed():
            return super()._normalized_and_gradient(x, offset, scale, place, epsilon)
        count = x.numel() // x.shape[place]
        mean = _sums(x, place) / count
        variance = _sums(self.square(x - mean), place) / count  # not the kernel's, which adds values one by one
        images = _images(x, place)
        factor, shift = (None if vector is None else vector.flatten() for vector in (scale, offset))
        moments = mean.flatten(), variance.flatten()
        result, *_ = BATCH_NORM(images, factor, shift, *moments, False, 0.0, epsilon)
        inverse = self.rsqrt(variance + epsilon).flatten()

        def gradient(d_result: Tensor, *_: Any) -> tuple[Tensor, ...]:
            d_x, d_scale, _ = BATCH_NORM_BACKWARD(
                _images(d_result, place),
                images,
                factor,
                None,
                None,
                moments[0],
                inverse,
                True,
                epsilon,
                [True, scale is not None, False],
            )
            others = []
            if offset is not None:
                others.append(_sums(d_result, place))
            if scale is not None:
                others.append(d_scale.reshape(scale.shape))
            return (_from_images(d_x, x, place), *others)

        return (_from_images(result, x, place), mean, variance), gradient


_LARGE = 2**16  # elements


def _sums(x: Tensor, place: int) -> Tensor:
    """Return the sums over all axes except `place`, kept with size 1."""
    axes = [i for i in range(x.ndim) if i != place]
    if len(axes) > 1 and x.numel() >= _LARGE:  # image by image, which is several times as fast
        return x.sum(axes[1:], True).sum(0, True)
    return x.sum(axes, True)


def _images(x: Tensor, place: int) -> Tensor:
    """Return `x`, whose features lie along the second or last axis `place`, in the layout that the kernels take."""
    features = x.shape[place]
    if place == x.ndim - 1:
        return x.reshape(1, -1, 1, features).permute(0, 3, 1, 2)
    return x.reshape(x.shape[0], features, -1, 1)


def _from_images(images: Tensor, x: Tensor, place: int) -> Tensor:
    """Return images in the shape of `x`."""
    return (images.permute(0, 2, 3, 1) if place == x.ndim - 1 else images).reshape(x.shape)

"""Layers that make one array of several."""

from __future__ import annotations

from functools import reduce
from typing import Any

from polykeras import ops
from polykeras.layers.layer import LAYERS, Layer


class Merge(Layer):
    """Base class: several arrays that broadcast, combined two by two."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def _merge(self, inputs: list[Any]) -> Any:
        raise NotImplementedError

    def _check(self, inputs: Any, least: int = 2) -> list[Any]:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < least:
            received = f"{len(inputs)} of them" if isinstance(inputs, (list, tuple)) else type(inputs).__name__
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) takes a list of at least {least} inputs; received {received}."
            )
        return list(inputs)

    def call(self, inputs: Any) -> Any:
        """Return the combination of a list of arrays; missing leading axes (after the batch) are added."""
        arrays = self._check(inputs)
        rank = max(len(ops.shape(x)) for x in arrays)
        aligned = []
        for x in arrays:
            shape = ops.shape(x)
            aligned.append(
                ops.reshape(x, (shape[0], *(1,) * (rank - len(shape)), *shape[1:])) if len(shape) < rank else x
            )
        try:
            return self._merge(aligned)
        except ValueError as error:
            error.add_note(
                f"In layer {self.name!r} ({type(self).__name__}), inputs {[tuple(ops.shape(x)) for x in arrays]}."
            )
            raise

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return where all inputs are valid."""
        masks = [m for m in previous_mask or () if m is not None]
        return reduce(ops.logical_and, masks) if masks else None


@LAYERS.register()
class Add(Merge):
    """The sum of a list of arrays."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.add, inputs)


@LAYERS.register()
class Subtract(Merge):
    """The difference of two arrays."""

    def _merge(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ValueError(f"Subtract takes two inputs; received {len(inputs)}.")
        return ops.subtract(*inputs)


@LAYERS.register()
class Multiply(Merge):
    """The product of a list of arrays."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.multiply, inputs)


@LAYERS.register()
class Average(Merge):
    """The mean of a list of arrays."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.add, inputs) / len(inputs)


@LAYERS.register()
class Maximum(Merge):
    """The elementwise maximum of a list of arrays."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.maximum, inputs)


@LAYERS.register()
class Minimum(Merge):
    """The elementwise minimum of a list of arrays."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.minimum, inputs)


@LAYERS.register()
class Concatenate(Merge):
    """A list of arrays joined along an axis.

    Args:
        axis: which.
        **kwargs: as for `Layer`.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        """Return the joined arrays."""
        arrays = self._check(inputs, least=1)
        shapes = [list(ops.shape(x)) for x in arrays]
        for shape in shapes:
            if len(shape) != len(shapes[0]):
                break
            shape[self.axis] = 0
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                f"Layer {self.name!r} (Concatenate) joins along axis {self.axis} and needs arrays that agree elsewhere; received "
                f"shapes {[tuple(ops.shape(x)) for x in arrays]}."
            )
        return ops.concatenate(arrays, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the masks joined in the same way, inputs without one being valid."""
        masks = list(previous_mask or ())
        if all(mask is None for mask in masks):
            return None
        parts = []
        for x, mask in zip(inputs, masks, strict=True):
            full = ops.ones_like(x, dtype="bool") if mask is None else mask
            while len(ops.shape(full)) < len(ops.shape(x)):
                full = ops.expand_dims(full, -1)
            parts.append(ops.broadcast_to(full, ops.shape(x)))
        return ops.all(ops.concatenate(parts, axis=self.axis), axis=-1)


@LAYERS.register()
class Dot(Merge):
    """Products of two arrays, summed along an axis of each, sample by sample.

    Args:
        axes: which: one for both, or one for each.
        normalize: scale the vectors to length 1 first, for cosines.
        **kwargs: as for `Layer`.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes if isinstance(axes, int) else list(axes)
        self.normalize = normalize

    def call(self, inputs: Any) -> Any:
        """Return the batch-wise tensor product, summed along `axes`."""
        x, y = self._check(inputs)
        axes = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        a, b = (axis % len(ops.shape(z)) for axis, z in zip(axes, (x, y), strict=True))
        if ops.shape(x)[a] != ops.shape(y)[b]:
            raise ValueError(
                f"Layer {self.name!r} (Dot): axis {a} of {tuple(ops.shape(x))} and axis {b} of {tuple(ops.shape(y))} differ in size."
            )
        if self.normalize:
            x, y = ops.normalize(x, axis=a), ops.normalize(y, axis=b)
        batch, size = ops.shape(x)[0], ops.shape(x)[a]
        rest_x = [n for i, n in enumerate(ops.shape(x)) if i not in (0, a)]
        rest_y = [n for i, n in enumerate(ops.shape(y)) if i not in (0, b)]
        left = ops.reshape(ops.moveaxis(x, a, -1), (batch, -1, size))
        right = ops.reshape(ops.moveaxis(y, b, 1), (batch, size, -1))
        rest = (*rest_x, *rest_y) or (1,)
        return ops.reshape(ops.matmul(left, right), (batch, *rest))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return None."""
        return None


def add(inputs: Any, **kwargs: Any) -> Any:
    """Return `Add(**kwargs)(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """Return `Subtract(**kwargs)(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """Return `Multiply(**kwargs)(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """Return `Average(**kwargs)(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """Return `Maximum(**kwargs)(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """Return `Minimum(**kwargs)(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Return `Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Return `Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)

"""Layers that combine several arrays into one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.symbolic.dims import agree, broadcast, merge
from polykeras.layers.base.layer import LAYERS, Layer


class Merge(Layer):
    """Base class: combines several arrays, which are broadcast to each other, one after another.

    Args:
        **kwargs: further arguments of `Layer`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the combination of arrays that have the same rank.

        Args:
            inputs: at least two arrays.
            masks: for each input a bool mask of the same rank, or None.
        """
        raise NotImplementedError

    def call(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array:
        """Return the combination of a list of arrays.

        Args:
            inputs: arrays that broadcast to each other; axes are added after the batch axis of those with a lower rank.
            mask: for each input a bool array `(batch, ...)`, or None.

        Raises:
            ValueError: the inputs are not a list, or their shapes do not broadcast.
        """
        arrays = self._checked(inputs)
        shapes = [ops.shape(x) for x in arrays]
        rank = max(map(len, shapes))
        shapes = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
        broadcast(*shapes, where=f"Layer {self.name!r} ({type(self).__name__})")
        masks = [None] * len(arrays) if mask is None else [self._fitted(m, rank) for m in mask]
        aligned = [x if ops.ndim(x) == rank else ops.reshape(x, s) for x, s in zip(arrays, shapes, strict=True)]
        return self.merge(aligned, masks)

    def _checked(self, inputs: Sequence[Array], least: int = 1, most: int | None = None) -> list[Any]:
        """Return the list of inputs; raise `ValueError` if they are not a list, or if it is too short or too long."""
        if isinstance(inputs, (list, tuple)) and least <= len(inputs) <= (most or len(inputs)):
            return list(inputs)
        count = f"{least}" if most else f"at least {least}"
        received = f"{len(inputs)} of them" if isinstance(inputs, (list, tuple)) else type(inputs).__name__
        raise ValueError(
            f"Layer {self.name!r} ({type(self).__name__}) takes a list of {count} inputs; received {received}."
        )

    @staticmethod
    def _fitted(mask: Any, rank: int) -> Any:
        while mask is not None and ops.ndim(mask) < rank:
            mask = ops.expand_dims(mask, -1)
        return mask

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array | None:
        """Return a mask that is True where any input is valid; None if an input has no mask.

        Args:
            inputs: the inputs of the call.
            mask: a list of the inputs' masks, with None for an input without a mask.
        """
        masks = list(mask or [None])
        return None if any(mask is None for mask in masks) else reduce(ops.logical_or, masks)


@LAYERS.register()
class Add(Merge):
    """The sum of a list of arrays."""

    sample_by_sample = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the sum."""
        return reduce(ops.add, inputs)


@LAYERS.register()
class Subtract(Merge):
    """The difference of two arrays."""

    sample_by_sample = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the difference."""
        return ops.subtract(*self._checked(inputs, 2, 2))


@LAYERS.register()
class Multiply(Merge):
    """The product of a list of arrays; masked factors count as 1, and the product is 0 if all are masked."""

    sample_by_sample = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the product."""
        factors = [x if mask is None else ops.where(mask, x, 1) for x, mask in zip(inputs, masks, strict=True)]
        product = reduce(ops.multiply, factors)
        if any(mask is None for mask in masks):
            return product
        return ops.where(reduce(ops.logical_or, masks), product, 0)


@LAYERS.register()
class Average(Merge):
    """The mean of a list of arrays."""

    sample_by_sample = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the mean."""
        return ops.divide(reduce(ops.add, inputs), len(inputs))


class _Extreme(Merge):
    """The largest or smallest of the elements that are not masked."""

    def _choose(self, choose: Any, inputs: list[Array], masks: list[Array | None]) -> Any:
        best, valid = inputs[0], masks[0]
        for x, mask in zip(inputs[1:], masks[1:], strict=True):
            x = x if mask is None else ops.where(mask, x, best)
            best = choose(best if valid is None else ops.where(valid, best, x), x)
            valid = None if valid is None or mask is None else ops.logical_or(valid, mask)
        return best


@LAYERS.register()
class Maximum(_Extreme):
    """The elementwise maximum of a list of arrays, without masked elements."""

    sample_by_sample = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the maximum."""
        return self._choose(ops.maximum, inputs, masks)


@LAYERS.register()
class Minimum(_Extreme):
    """The elementwise minimum of a list of arrays, without masked elements."""

    sample_by_sample = True

    def merge(self, inputs: list[Array], masks: list[Array | None]) -> Array:
        """Return the minimum."""
        return self._choose(ops.minimum, inputs, masks)


@LAYERS.register()
class Concatenate(Merge):
    """Joins a list of arrays along an axis.

    Args:
        axis: the axis to join along; the batch axis counts.
        **kwargs: further arguments of `Layer`.
    """

    sample_by_sample = True

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Sequence[Array]) -> Array:
        """Return the joined arrays.

        Raises:
            ValueError: the inputs are not a list, or their shapes differ along other axes.
        """
        arrays = self._checked(inputs)
        shapes = [ops.shape(x) for x in arrays]
        if not -len(shapes[0]) <= self.axis < len(shapes[0]):
            raise ValueError(
                f"Layer {self.name!r} (Concatenate): the inputs have no axis {self.axis}; received {shapes}."
            )
        merge(shapes, self.axis % len(shapes[0]), where=f"Layer {self.name!r} (Concatenate)")
        return ops.concatenate(arrays, axis=self.axis)

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array | None:
        """Return the joined masks; an input without a mask counts as valid. None if no input has a mask."""
        masks = list(mask or [None])
        if all(mask is None for mask in masks):
            return None
        parts = []
        for x, mask in zip(inputs, masks, strict=True):
            if mask is None:
                parts.append(ops.ones_like(x, dtype="bool"))
            else:
                mask = self._fitted(mask, ops.ndim(x))
                parts.append(ops.logical_or(mask, ops.zeros_like(x, dtype="bool")))
        return ops.any(ops.concatenate(parts, axis=self.axis), axis=-1)


@LAYERS.register()
class Dot(Merge):
    """Multiplies two arrays sample by sample and sums over one axis of each.

    Args:
        axes: one axis for both arrays, or a pair with one for each; not the batch axis.
        normalize: whether to scale the vectors to length 1 first, which gives cosines.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `axes` has another form.
    """

    sample_by_sample = True

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes if isinstance(axes, int) else list(axes)
        pair = [axes, axes] if isinstance(axes, int) else list(axes)
        if len(pair) != 2 or not all(isinstance(axis, int) and axis != 0 for axis in pair):
            raise ValueError(f"Dot: `axes` must be an int or two, none of them 0 (the batch axis); received {axes!r}.")
        self._pair = pair
        self.normalize = normalize

    def call(self, inputs: Sequence[Array]) -> Array:
        """Return the sample-wise product, summed along `axes`, with the other axes of both inputs; else `(batch, 1)`.

        Raises:
            ValueError: the inputs are not a list of two, or the axes differ in size.
        """
        x, y = self._checked(inputs, 2, 2)
        shapes = ops.shape(x), ops.shape(y)
        a, b = (axis % len(shape) for axis, shape in zip(self._pair, shapes, strict=True))
        if not agree(shapes[0][a], shapes[1][b]):
            raise ValueError(
                f"Layer {self.name!r} (Dot): axis {a} of {shapes[0]} and axis {b} of {shapes[1]} differ in size."
            )
        if self.normalize:
            x, y = ops.normalize(x, axis=a), ops.normalize(y, axis=b)
        batch, size = shapes[0][0], shapes[0][a]
        rest_x = [n for i, n in enumerate(shapes[0]) if i not in (0, a)]
        rest_y = [n for i, n in enumerate(shapes[1]) if i not in (0, b)]
        left = ops.reshape(ops.moveaxis(x, a, -1), (batch, prod(rest_x), size))
        right = ops.reshape(ops.moveaxis(y, b, 1), (batch, size, prod(rest_y)))
        return ops.reshape(ops.matmul(left, right), (batch, *((*rest_x, *rest_y) or (1,))))

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array | None:
        """Return None."""
        return None

"""Reads and writes at computed indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.handles import convert
from polykeras.backend.spec import Array, Family, Shape, op, required
from polykeras.common import budget

_PLAIN = (int, slice, type(None))  # keys that are no arrays


class Indexing(Family):
    """Reads and writes at computed indices. Indices are integers; negative ones count from the end."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x", indices="indices")
    def take(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        """Return the slices of `x` at `indices` along `axis`, or elements of the flat array.

        On the numpy backend, an index out of range is an error. Elsewhere the result at that index is unspecified, but
        no other element is affected. The gradient adds up over equal indices.

        Args:
            x: an array of any shape.
            indices: integers of any shape; negative ones count from the end.
            axis: one axis; None takes elements of `x` in row-major order, as one vector.

        Returns:
            Shape `x.shape[:axis] + indices.shape + x.shape[axis+1:]`.
        """
        raise NotImplementedError

    @required("x", indices="indices")
    def take_along_axis(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        """Return `x` at `indices` along `axis` only; the two arrays broadcast along all other axes.

        Args:
            x: an array of any shape.
            indices: integers, with as many axes as `x`; negative ones count from the end.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.

        Returns:
            The dtype of `x`; the shape of `indices`, broadcast with that of `x` along all axes but `axis`.
        """
        raise NotImplementedError

    @required("x values", "common", indices="indices")
    def scatter_reduce(
        self, x: Array, indices: Array, values: Array, reduction: Literal["set", "add", "max", "min", "mul"] = "add"
    ) -> Array:
        """Return `x` with `values` put at, or combined into, the places `indices`.

        Args:
            x: an array.
            indices: integers, shape `[..., k]`: each row indexes the first `k` axes of `x`.
            values: shape `indices.shape[:-1] + x.shape[k:]`.
            reduction: how to combine values. `"set"` with equal indices keeps an unspecified one of the values.
                Gradients are required for `"set"` and `"add"` only.
        """
        raise NotImplementedError

    @required("x", indices="start_indices")
    def dynamic_slice(self, x: Array, start_indices: Array, shape: Shape) -> Array:
        """Return the block of `shape` that starts at `start_indices` (one integer an axis; may be traced).

        A block that would exceed the bounds is moved inward to fit.
        """
        raise NotImplementedError

    @required("x updates", "common", indices="start_indices")
    def dynamic_update_slice(self, x: Array, start_indices: Array, updates: Array) -> Array:
        """Return `x` with the block at `start_indices` replaced; indices as for `dynamic_slice`."""
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x")
    def get_item(self, x: Array, key: Any) -> Array:
        """Return `x[key]`.

        Args:
            x: an array.
            key: ints, slices (of any step except 0), `None`, `...` and integer arrays, or a tuple of them. Arrays
                broadcast to each other. As in NumPy, their axes replace the first of them if they are adjacent, and
                otherwise come first. A mask, an array of bools, stands for the indices where it is True.

        Raises:
            IndexError: if there are more indices than axes, or a mask has another shape than its axes.
            TypeError: for a mask inside a compiled function, because the number of its indices is unknown there.
        """
        given = key if isinstance(key, tuple) else (key,)
        place = next((i for i, k in enumerate(given) if k is Ellipsis), None)
        keys = [k if i == place or isinstance(k, _PLAIN) else self.array(k) for i, k in enumerate(given)]
        if place is not None:
            used = sum(self._axes_of(k) for i, k in enumerate(keys) if i != place)
            keys[place : place + 1] = [slice(None)] * (self.ndim(x) - used)
        keys = self._without_masks(keys, self.shape(x))
        if sum(k is not None for k in keys) > self.ndim(x):
            raise IndexError(f"Too many indices for an array of shape {self.shape(x)}: {key!r}.")
        arrays = {i: self._index(k) for i, k in enumerate(keys) if not isinstance(k, _PLAIN)}
        if arrays:  # an int beside arrays counts as an array
            arrays |= {i: self.asarray(k, "int32") for i, k in enumerate(keys) if isinstance(k, int)}
        x = self._basic_item(x, [slice(None) if i in arrays else k for i, k in enumerate(keys)])
        if not arrays:
            return x
        gone = [i for i, k in enumerate(keys) if isinstance(k, int) and i not in arrays]
        return self._gather(x, {i - sum(g < i for g in gone): index for i, index in sorted(arrays.items())})

    def _is_mask(self, key: Any) -> bool:
        return not isinstance(key, _PLAIN) and self.dtype(key) == "bool"

    def _axes_of(self, key: Any) -> int:
        """Return how many axes of an array a key stands for."""
        return self.ndim(key) if self._is_mask(key) else int(key is not None)

    def _without_masks(self, keys: list[Any], shape: Shape) -> list[Any]:
        """Return keys with integer arrays in the place of masks."""
        found: list[Any] = []
        for key in keys:
            if self._is_mask(key):
                axis = sum(k is not None for k in found)
                if self.shape(key) != tuple(shape[axis : axis + self.ndim(key)]):
                    raise IndexError(
                        f"A mask must have the shape of the axes that it indexes; received a mask {self.shape(key)} "
                        f"for an array of shape {shape}, from axis {axis} on."
                    )
                found += self.nonzero(key)
            else:
                found.append(key)
        return found

    def _index(self, index: Array) -> Array:
        if not self.dtype(index).lstrip("u").startswith("int"):
            raise TypeError(f"An index must hold integers, or be a mask of bools; received dtype {self.dtype(index)}.")
        return index

    def _basic_item(self, x: Array, keys: Sequence[Any]) -> Array:
        """Return `x[keys]` for ints, slices and None. A negative step is a flip, as frameworks differ on it."""
        shape, axis, forward, flips = self.shape(x), 0, [], []
        for k in keys:
            if isinstance(k, slice) and k.step is not None and k.step < 0:
                taken = range(*k.indices(shape[axis]))
                flips.append(sum(not isinstance(done, int) for done in forward))
                last = taken[-1] if taken else 0
                k = slice(last, taken[0] + 1 if taken else 0, -k.step)
            forward.append(k)
            axis += k is not None
        x = x[tuple(forward)]
        return self.flip(x, tuple(flips)) if flips else x

    def _gather(self, x: Array, arrays: dict[int, Array]) -> Array:
        """Return `x` indexed by arrays at some of its axes, by one `take` from a flattened axis."""
        axes = list(arrays)
        if len(axes) == 1:
            return self.take(x, arrays[axes[0]], axes[0])
        shape = self.shape(x)
        flat: Array = 0
        dtype = dtypes.result_type(*(self.dtype(index) for index in arrays.values()))
        for a in axes:
            index, n = self.cast(arrays[a], dtype), shape[a]
            index = self.where(self.less(index, 0), index + n, index)
            flat = flat * n + index
        x = self.moveaxis(x, axes, range(len(axes)))
        x = self.reshape(x, (-1, *self.shape(x)[len(axes) :]))
        x = self.take(x, flat, 0)
        neighbours = axes == list(range(axes[0], axes[0] + len(axes)))
        ndim = self.ndim(flat)
        return self.moveaxis(x, range(ndim), range(axes[0], axes[0] + ndim)) if neighbours and axes[0] else x

    @op("x")
    def repeat(self, x: Array, repeats: Any, axis: int | None = None) -> Array:
        """Return `x` with each slice along `axis` repeated in place.

        Args:
            x: an array; flattened if `axis` is None.
            repeats: an int, or one int for each slice (host values, since they determine the shape).
            axis: the axis, or None.

        Raises:
            TypeError: if `repeats` does not hold integers.
            ValueError: if the number of `repeats` is not the size of the axis.
        """
        if axis is None:
            x, axis = self.ravel(x), 0
        shape = self.shape(x)
        axis = canonical_axis(axis, len(shape))
        counts = self.to_numpy(repeats) if self.is_tensor(repeats) else np.asarray(repeats)
        if counts.dtype.kind not in "iu":
            raise TypeError(f"repeat: `repeats` must be an integer, or one for each slice; received {repeats!r}.")
        if counts.size == 1:
            count = repeats if isinstance(repeats, int) else int(counts.item())
            wide = (*shape[: axis + 1], count, *shape[axis + 1 :])
            x = self.broadcast_to(self.expand_dims(x, axis + 1), wide)
            return self.reshape(x, (*shape[:axis], shape[axis] * count, *shape[axis + 1 :]))
        if counts.shape != (shape[axis],):
            raise ValueError(f"repeat: expected {shape[axis]} counts for axis {axis} of shape {shape}; got {repeats}.")
        budget.spend(int(np.sum(counts)))
        return self.take(x, self.host_constant(np.repeat(np.arange(counts.size), counts), "int32"), axis)

    @op("choicelist default", "common")
    def select(self, condlist: Sequence[Any], choicelist: Sequence[Array], default: Any = 0) -> Array:
        """Return, elementwise, the first choice whose condition holds.

        Args:
            condlist: the conditions, bool arrays.
            choicelist: one array for each condition; all broadcast.
            default: the value where no condition holds.

        Raises:
            ValueError: if the numbers of conditions and choices differ.
        """
        if len(condlist) != len(choicelist) or not condlist:
            raise ValueError(
                f"select: expected as many conditions as choices; received {len(condlist)} and {len(choicelist)}."
            )
        result = default
        for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
            result = self.where(self.array(condition), choice, result)
        return result

    @op("values", indices="indices")
    def scatter(self, indices: Array, values: Array, shape: Shape) -> Array:
        """Return zeros of `shape` with `values` added at `indices`; values of equal indices add up.

        Args:
            indices: integers, shape `[..., k]`: each row indexes the first `k` axes of the result.
            values: shape `indices.shape[:-1] + shape[k:]`.
            shape: the sizes of the axes.
        """
        return self.scatter_reduce(self.zeros(shape, self.dtype(values)), indices, values, "add")

    @op("inputs updates", "common", indices="indices")
    def scatter_update(
        self,
        inputs: Array,
        indices: Array,
        updates: Array,
        reduction: Literal["add", "max", "min", "mul"] | None = None,
    ) -> Array:
        """Return `inputs` with `updates` put at `indices`, or combined into those places.

        Args:
            inputs: an array.
            indices: integers, shape `[..., k]`: each row indexes the first `k` axes of `inputs`.
            updates: shape `indices.shape[:-1] + inputs.shape[k:]`.
            reduction: how to combine values; None replaces.
        """
        return self.scatter_reduce(inputs, indices, updates, reduction or "set")

    @op("inputs")
    def slice(self, inputs: Array, start_indices: Any, shape: Shape) -> Array:
        """Return a block of an array.

        Args:
            inputs: an array.
            start_indices: the start of the block, one integer for each axis: a list of ints, or an array.
            shape: the sizes of the block; -1 takes the rest of an axis.

        Raises:
            ValueError: if a size is negative and not -1.
        """
        if any(type(n) is int and n < -1 for n in shape):  # a size may be unknown, and cannot be compared then
            raise ValueError(f"slice: a size must be 0 or more, or -1 for the rest; received shape {tuple(shape)}.")
        backend: Any = self
        starts = convert(backend, start_indices)
        if -1 in shape:
            known = isinstance(start_indices, (list, tuple)) and all(isinstance(i, int) for i in start_indices)
            message = "slice: the start of an axis of size -1 is unknown while a function is compiled."
            firsts = start_indices if known else [self.size_from(starts[i], message) for i in range(len(shape))]
            sizes = zip(self.shape(inputs), firsts, shape, strict=True)
            shape = [size - first if n == -1 else n for size, first, n in sizes]
        return self.dynamic_slice(inputs, starts, shape)

    @op("inputs updates", "common", indices="start_indices")
    def slice_update(self, inputs: Array, start_indices: Array, updates: Array) -> Array:
        """Return `inputs` with the block at `start_indices` replaced by `updates`.

        Args:
            inputs: an array of any shape.
            start_indices: integers, one for each axis of `inputs`: the first corner of the block.
            updates: the new block, with as many axes as `inputs`, none of them longer.
        """
        return self.dynamic_update_slice(inputs, start_indices, updates)

    @op(indices="indices")
    def unravel_index(self, indices: Array, shape: Shape) -> tuple[Array, ...]:
        """Return the index along each axis of `shape` for indices into the flat array.

        Args:
            indices: integers of any shape, into the elements in row-major order.
            shape: the sizes of the axes.

        Returns:
            One array of the shape of `indices` for each axis.
        """
        result = []
        for n in reversed(shape):
            result.append(self.mod(indices, n))
            indices = self.floor_divide(indices, n)
        return tuple(reversed(result))

"""Sorting and searching, and uses of sorted order: largest elements, membership, unique values."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Family, op, required


class Sorting(Family):
    """Composed from `argsort`, `searchsorted`, and reads and writes at the indices that they return."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def sort(self, x: Array, axis: int | None = -1) -> Array:
        """Return `x` in ascending order along `axis` (of the flat array if None); nan comes last.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
        """
        raise NotImplementedError

    @required("x")
    def argsort(self, x: Array, axis: int | None = -1) -> Array:
        """Return int32 indices that sort `x` along `axis` (of the flat array if None); equal elements keep their order.

        Args:
            x: an array of any shape; nan counts as largest.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
        """
        raise NotImplementedError

    @required("sorted_sequence values", "common")
    def searchsorted(self, sorted_sequence: Array, values: Array, side: Literal["left", "right"] = "left") -> Array:
        """Return the int32 indices at which to insert `values` into a sorted vector to keep it sorted.

        Args:
            sorted_sequence: a vector in ascending order.
            values: an array of any shape.
            side: `"left"`: before elements equal to a value; `"right"`: after them.

        Returns:
            The shape of `values`.
        """
        raise NotImplementedError

    @required("x")
    def nonzero(self, x: Array) -> tuple[Array, ...]:
        """Return the int32 indices of elements that are not 0, one vector for each axis.

        Raises:
            TypeError: inside a compiled function, because the number of such elements is unknown there.
        """
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x")
    def argpartition(self, x: Array, kth: int, axis: int | None = -1) -> Array:
        """Return int32 indices that put the `kth` element along `axis` in its sorted place, smaller ones before it.

        Args:
            x: an array of any shape.
            kth: the index of the element, counted from 0.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
        """
        return self.argsort(x, axis)

    @op("x")
    def top_k(self, x: Array, k: int, sorted: bool = True, is_stable: bool = True) -> tuple[Array, Array]:
        """Return the `k` largest elements along the last axis, in descending order, and their int32 indices.

        Args:
            x: an array; nan counts as smallest.
            k: the number of elements.
            sorted: a hint; the order is descending in any case.
            is_stable: a hint; of equal elements the first comes first in any case.

        Raises:
            ValueError: if `k` is above the size of the last axis, or there is no axis.
        """
        if not self.shape(x) or k > self.shape(x)[-1]:
            raise ValueError(f"top_k: expected k of at most the last axis' size; received {k} for {self.shape(x)}.")
        descending = -x if self.dtype(x) in dtypes.FLOATS else self.bitwise_invert(x)
        indices = self.argsort(descending, -1)[..., :k]
        return self.take_along_axis(x, indices, -1), indices

    @op("x1 x2", "common")
    def isin(self, x1: Array, x2: Array, assume_unique: bool = False, invert: bool = False) -> Array:
        """Return whether each element of `x1` is an element of `x2`, as bool.

        Args:
            x1: the elements to look for.
            x2: the set to look in, of any shape.
            assume_unique: a hint.
            invert: whether to return the opposite.
        """
        x1, x2 = self.both_arrays(x1, x2)
        if self.dtype(x1) == "bool":
            x1, x2 = self.cast(x1, "int32"), self.cast(x2, "int32")
        values, n = self.ravel(x1), self.size(x2)
        if n == 0:
            found = self.full(self.shape(x1), False, "bool")
        else:
            ordered = self.sort(self.ravel(x2))
            place = self.minimum(self.searchsorted(ordered, values), n - 1)
            found = self.reshape(self.equal(self.take(ordered, place, 0), values), self.shape(x1))
        return self.logical_not(found) if invert else found

    # ---- unique ------------------------------------------------------------------------------------------------

    @op("x")
    def unique(
        self,
        x: Array,
        sorted: bool = True,
        return_index: bool = False,
        return_inverse: bool = False,
        return_counts: bool = False,
        axis: int | None = None,
        size: int | None = None,
        fill_value: Any = None,
    ) -> Any:
        """Return the different elements of `x` in ascending order; each nan counts as distinct.

        Args:
            x: an array.
            sorted: a hint; the result is always sorted.
            return_index: whether to also return, as int32, the first index of each element.
            return_inverse: whether to also return, as int32, the index in the result of each element of `x`.
            return_counts: whether to also return, as int32, how often each element occurs.
            axis: the axis along which slices are compared; None compares the elements of the flat array.
            size: the length of the result, which is cut or filled up to it. Required if the number of different
                elements cannot be read, as in compiled functions.
            fill_value: the value to fill up with; by default the smallest element. Indices and counts there are 0.

        Returns:
            An array, or a tuple of it and the requested arrays, in the order of the arguments.

        Raises:
            TypeError: if `size` is needed but not given.
        """
        shape = self.shape(x)
        place = 0 if axis is None else canonical_axis(axis, len(shape))
        lines = self.reshape(x, (-1, 1)) if axis is None else self.moveaxis(x, place, 0)
        rest = self.shape(lines)[1:]
        rows = self.reshape(lines, (self.shape(lines)[0], prod(rest)))
        order = self._row_order(rows)
        ordered = self.take(rows, order, 0)
        starts = self._starts(ordered)
        group = self.cumsum(self.cast(starts, "int32"), 0) - 1
        if size is None:
            count: int = self.size_from(
                self.sum(self.cast(starts, "int32")),
                "unique: the number of different elements is unknown while a function is compiled. Give `size`.",
            )
            size = count
        # A group beyond `size` goes to one extra entry, which is cut off.
        target = self.minimum(group, size)[:, None]

        def at_groups(values: Array, initial: Array, reduction: Any) -> Array:
            return self.scatter_reduce(initial, target, values, reduction)[:size]

        width = self.shape(rows)[1]
        filling = (
            ordered[:1]
            if fill_value is None and self.shape(ordered)[0]
            else self.full((1, width), fill_value or 0, self.dtype(x))
        )
        values = at_groups(ordered, self.broadcast_to(filling, (size + 1, width)), "set")
        values = self.reshape(values, (size, *rest))
        results = [self.reshape(values, (size,)) if axis is None else self.moveaxis(values, 0, place)]
        none = self.zeros((size + 1,), "int32")
        if return_index:
            far = self.full((size + 1,), self.shape(rows)[0], "int32")
            first = at_groups(order, far, "min")
            results.append(self.where(self.equal(first, self.shape(rows)[0]), 0, first))
        if return_inverse:
            inverse = self.scatter_reduce(self.zeros_like(order), order[:, None], group, "set")
            results.append(self.reshape(inverse, shape) if axis is None else inverse)
        if return_counts:
            results.append(at_groups(self.ones_like(order), none, "add"))
        return results[0] if len(results) == 1 else tuple(results)

    def _row_order(self, rows: Array) -> Array:
        """Return the int32 order that sorts rows by their first column, then the second, ...; it is stable."""
        count, width = self.shape(rows)
        order = self.arange(count, dtype="int32")
        for column in reversed(range(width)):
            order = self.take(order, self.argsort(self.take(rows[:, column], order, 0), 0), 0)
        return order

    def _starts(self, ordered: Array) -> Array:
        """Return whether each row differs from the previous one; nan differs from nan, as in Keras."""
        same = self.all(self.equal(ordered[:-1], ordered[1:]), -1)
        first = self.full((min(1, self.shape(ordered)[0]),), True, "bool")
        return self.concatenate([first, self.logical_not(same)], 0)

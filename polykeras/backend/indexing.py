"""Indexing by arrays, sorting and searching."""

from __future__ import annotations

from abc import ABC
from typing import Literal

from polykeras.backend.reduction import ReductionMethods
from polykeras.backend.spec import Array, Shape, required


class IndexingMethods(ReductionMethods, ABC):
    """Reads and writes at computed places. Indices are integers; negative ones count from the end."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x", others="indices")
    def take(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        """Return the slices of `x` at `indices` along `axis`, or elements of the flat array.

        An index out of range is an error on the numpy backend; elsewhere the result there is unspecified, but no
        other element is touched. The gradient adds up over equal indices.

        Returns:
            Shape `x.shape[:axis] + indices.shape + x.shape[axis+1:]`.
        """
        raise NotImplementedError

    @required("x", others="indices")
    def take_along_axis(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        """Return `x` at `indices` along `axis` only: the two broadcast along all other axes."""
        raise NotImplementedError

    @required("x values", "common", others="indices")
    def scatter_reduce(
        self, x: Array, indices: Array, values: Array, reduction: Literal["set", "add", "max", "min", "mul"] = "add"
    ) -> Array:
        """Return `x` with `values` put at, or combined into, the places `indices`.

        Args:
            x: an array.
            indices: integers, shape `[..., k]`: each row indexes the first `k` axes of `x`.
            values: shape `indices.shape[:-1] + x.shape[k:]`.
            reduction: `"set"` with equal indices leaves one of the values, unspecified which. Gradients are
                required for `"set"` and `"add"` only.
        """
        raise NotImplementedError

    @required("x", others="start_indices")
    def dynamic_slice(self, x: Array, start_indices: Array, shape: Shape) -> Array:
        """Return the block of `shape` that starts at `start_indices` (one integer an axis; may be traced).

        A block that would stick out is moved inward to fit.
        """
        raise NotImplementedError

    @required("x updates", "common", others="start_indices")
    def dynamic_update_slice(self, x: Array, start_indices: Array, updates: Array) -> Array:
        """Return `x` with the block at `start_indices` replaced; indices as for `dynamic_slice`."""
        raise NotImplementedError

    @required("x")
    def sort(self, x: Array, axis: int | None = -1) -> Array:
        """Return `x` in ascending order along `axis` (flattened where None); nan comes last."""
        raise NotImplementedError

    @required("x")
    def argsort(self, x: Array, axis: int | None = -1) -> Array:
        """Return int32 indices that sort `x` along `axis` (flattened where None); equal elements keep their order."""
        raise NotImplementedError

    @required("sorted_sequence values", "common")
    def searchsorted(self, sorted_sequence: Array, values: Array, side: Literal["left", "right"] = "left") -> Array:
        """Return the int32 places at which `values` would be inserted into a sorted vector to keep it sorted."""
        raise NotImplementedError

    @required("x")
    def nonzero(self, x: Array) -> tuple[Array, ...]:
        """Return the int32 indices of elements that are not 0, one vector an axis.

        Raises:
            TypeError: inside a compiled function, where the number of such elements is not known.
        """
        raise NotImplementedError

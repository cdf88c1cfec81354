"""Gradients and transformations of functions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from polykeras.backend.spec import Array, Family, required


class Autodiff(Family):
    """Gradients of pure functions of arrays. Gradients over variables are built on these, in `polykeras.autodiff`."""

    @required("variable")
    def stop_gradient(self, variable: Array) -> Array:
        """Return the same values, through which no gradient flows."""
        raise NotImplementedError

    @abstractmethod
    def value_and_grad(
        self, fn: Callable[[list[Array]], tuple[Array, Any]], arrays: list[Array]
    ) -> tuple[Array, Any, list[Array]]:
        """Run `fn` once and differentiate its first result.

        Args:
            fn: takes the list of arrays, returns `(value, aux)`: a float scalar, and any tree (its leaves may be
                arrays that depend on the input, other arrays, or anything else).
            arrays: float arrays.

        Returns:
            `(value, aux, gradients)`: the gradients have the shapes and dtypes of `arrays`, and are zeros for an
            array that `value` does not depend on. May be nested: inside `fn` of an outer call the gradients are
            differentiable themselves. The leaves of `aux` carry no trace of this call.

        Raises:
            TypeError: if an array is not of a float dtype, or the backend cannot differentiate an op (it names those
                backends that can).
        """

    @abstractmethod
    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose gradient the caller defines.

        Args:
            f: takes arrays and returns `(output, grad)`; `grad(*upstream)`, or `grad(upstream=...)`, takes the
                gradient of the output(s) and returns that of each argument (one array, or a tuple).
        """

    def _closed_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `custom_gradient(f)` for an `f` that uses no arrays but its arguments."""
        return self.custom_gradient(f)

    @abstractmethod
    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `f` so that its intermediate values are computed again in the backward pass, not kept."""

    @abstractmethod
    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        """Apply `function` to each slice along the first axis of (the arrays of the tree) `elements`.

        Args:
            function: takes one slice, a tree like `elements` without the first axis, and returns a tree of arrays.
            elements: arrays of one length along the first axis.

        Returns:
            The results, stacked along a new first axis.
        """

"""Gradients and transformations of functions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from polykeras.backend.spec import Array, Family, required


class Autodiff(Family):
    """Gradients of pure functions of arrays. `polykeras.autodiff` builds gradients over variables on these."""

    @required("variable")
    def stop_gradient(self, variable: Array) -> Array:
        """Return the same values, with no gradient flowing through them."""
        raise NotImplementedError

    @abstractmethod
    def value_and_grad(
        self, fn: Callable[[list[Array]], tuple[Array, Any]], arrays: list[Array]
    ) -> tuple[Array, Any, list[Array]]:
        """Run `fn` once and differentiate its first result.

        Args:
            fn: takes the list of arrays and returns `(value, aux)`: a float scalar, and any tree. Leaves of the tree
                may be arrays that depend on the input, other arrays, or anything else.
            arrays: float arrays.

        Returns:
            `(value, aux, gradients)`. The gradients have the shapes and dtypes of `arrays`, and are zeros for an
            array that `value` does not depend on. Calls may be nested: inside the `fn` of an outer call, the gradients
            are differentiable themselves. The leaves of `aux` carry no trace of this call.

        Raises:
            TypeError: if an array is not of a float dtype, or the backend cannot differentiate an op (it names those
                backends that can do so).
        """

    @abstractmethod
    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose gradient the caller defines.

        Args:
            f: takes arrays and returns `(output, grad)`. `grad(*upstream)`, or `grad(upstream=...)`, takes the
                gradient of the output(s) and returns the gradient of each argument (one array, or a tuple).
        """

    def _closed_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `custom_gradient(f)` for an `f` that uses no arrays except its arguments."""
        return self.custom_gradient(f)

    @abstractmethod
    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `f`, changed to compute its intermediate values again in the backward pass instead of keeping them."""

    def _closed_remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return `remat(f)` for an `f` that uses no arrays except its arguments."""
        return self.remat(f)

    @abstractmethod
    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        """Apply `function` to each slice of the arrays in the tree `elements`, along the first axis.

        Args:
            function: takes one slice, a tree like `elements` without the first axis, and returns a tree of arrays.
            elements: arrays of one length along the first axis.

        Returns:
            The results, stacked along a new first axis.
        """

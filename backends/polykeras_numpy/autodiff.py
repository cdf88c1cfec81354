"""Gradients and transformations of functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend.families.autodiff import Autodiff
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras_numpy.private import level_of, node_of, value_of
from polykeras_numpy.tape import Node, backward, isbox, new_box, new_level, raw


def _takes_positional(grad: Callable[..., Any]) -> bool:
    kinds = {p.kind for p in inspect.signature(grad).parameters.values()}
    return bool(kinds & {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
                         inspect.Parameter.VAR_POSITIONAL})  # fmt: skip


class NumpyAutodiff(Autodiff):
    """Reverse mode on a tape of polykeras (see `polykeras_numpy.tape`)."""

    def stop_gradient(self, variable: Array) -> Array:
        return raw(variable)

    def value_and_grad(
        self, fn: Callable[[list[Array]], tuple[Array, Any]], arrays: list[Array]
    ) -> tuple[Array, Any, list[Array]]:
        for i, x in enumerate(arrays):
            if self.dtype(x) not in dtypes.FLOATS:
                raise TypeError(f"Gradients are taken of float arrays; array {i} has dtype {self.dtype(x)}.")
        level = new_level()
        roots = [Node.custom((), lambda g: ()) for _ in arrays]

        def untraced(leaf: Any) -> Any:
            return value_of(leaf) if isbox(leaf) and level_of(leaf) == level else leaf

        with np.errstate(all="ignore"):
            value, aux = fn([new_box(x, level, root) for x, root in zip(arrays, roots, strict=True)])
            value = self.asarray(value)
            if self.shape(value) != () or self.dtype(value) not in dtypes.FLOATS:
                raise ValueError(
                    "Expected a float scalar to differentiate; received an array of shape "
                    f"{self.shape(value)} and dtype {self.dtype(value)}."
                )
            if isbox(value) and level_of(value) == level:
                grads = backward(node_of(value), np.ones((), raw(value).dtype), roots)
            else:
                grads = [None] * len(roots)
            grads = [self._as_gradient(g, x) for g, x in zip(grads, arrays, strict=True)]
        return untraced(value), nested.map_structure(untraced, aux), grads

    def _as_gradient(self, g: Any, x: Array) -> Array:
        """Return `g` in the dtype of `x`: a user's function may mix dtypes of different widths."""
        if g is None:
            return np.zeros(self.shape(x), raw(x).dtype)
        return g if raw(g).dtype == raw(x).dtype else self.cast(g, self.dtype(x))

    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            level = max((level_of(x) for x in args if isbox(x)), default=-1)
            if level < 0:
                return f(*args, **kwargs)[0]

            def untraced(x: Any) -> Any:
                return value_of(x) if isbox(x) and level_of(x) >= level else x

            inner = [untraced(x) for x in args]
            output, grad = f(*inner, **kwargs)
            if any(isbox(x) for x in inner):  # an outer tape sees the custom gradient too, and the gradient of `grad`
                output = call(*inner, **kwargs)
            places = [i for i, x in enumerate(args) if isbox(x) and level_of(x) == level]
            parts = [untraced(x) for x in output] if isinstance(output, (list, tuple)) else [untraced(output)]

            def vjp(g: Any) -> list[Any]:
                upstream = [g[i] for i in range(len(parts))]
                result = grad(*upstream) if _takes_positional(grad) else grad(upstream=_single(upstream))
                grads = result if isinstance(result, (list, tuple)) else (result,)
                if len(grads) != len(args):
                    raise ValueError(f"custom_gradient: {f} took {len(args)} arguments; its `grad` returned "
                                     f"{len(grads)} gradients. Return one for each.")  # fmt: skip
                return [self._as_gradient(grads[i], inner[i]) for i in places]

            node = Node.custom(tuple(node_of(args[i]) for i in places), vjp, f)
            box = new_box(tuple(parts), level, node)
            boxes = [box[i] for i in range(len(parts))]
            return type(output)(boxes) if isinstance(output, (list, tuple)) else boxes[0]

        return call

    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f  # functions on this backend are small: the tape takes little memory

    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        leaves = nested.flatten(elements)
        lengths = {self.shape(leaf)[0] for leaf in leaves}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"vectorized_map: expected the same first length, 1 or more; received {lengths}.")
        results = [function(nested.map_structure(lambda x, i=i: x[i], elements)) for i in range(lengths.pop())]
        return nested.map_structure(lambda *parts: self.stack([self.asarray(p) for p in parts]), *results)


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)

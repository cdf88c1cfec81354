"""Control flow that a compiled function may contain."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Family, op
from polykeras.common import nested


class Control(Family):
    """Branches and loops over traced values."""

    @abstractmethod
    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        """Return the result of one of two functions.

        Args:
            pred: a bool scalar, traced or not.
            true_fn: called without arguments; returns a tree of arrays.
            false_fn: returns a tree of the same structure, shapes and dtypes.
        """

    @abstractmethod
    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        """Repeat `loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds.

        Args:
            cond: returns a bool scalar.
            body: returns values of the same structure, shapes and dtypes.
            loop_vars: a tuple or list (unpacked into arguments), or one array.
            maximum_iterations: an upper bound of the number of iterations.

        Gradients are not required.
        """

    @abstractmethod
    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        """Carry a value along the first axis of `xs`: `carry, y = f(carry, x)` for each slice.

        Args:
            f: takes and returns trees of arrays; the carry keeps structure, shapes and dtypes. `y` may be None.
            init: the first carry.
            xs: a tree of arrays with one length, or None with `length`.
            length: the number of steps if `xs` is None.
            reverse: run from the last slice to the first; each `y` stays at the index of its slice.
            unroll: a hint.

        Returns:
            `(carry, ys)`, with all `y` stacked along a new first axis. Differentiable.
        """

    # ---- composed ----------------------------------------------------------------------------------------------

    def map(self, f: Callable[[Any], Any], xs: Any) -> Any:
        """Apply `f` to each slice of the arrays in the tree `xs`, along the first axis, one after the other.

        Args:
            f: takes one slice, a tree like `xs` without the first axis, and returns a tree of arrays.
            xs: arrays of one length along the first axis.

        Returns:
            The results, stacked along a new first axis.
        """
        return self.scan(lambda carry, x: (carry, f(x)), self.zeros((), "int32"), xs)[1]

    def fori_loop(self, lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
        """Repeat `val = body_fun(i, val)` for `i` from `lower` to `upper - 1`.

        Args:
            lower: an int, or an int32 scalar array.
            upper: like `lower`. The loop is differentiable if both are Python ints.
            body_fun: returns a tree of the structure, shapes and dtypes of `init_val`.
            init_val: the first value.

        Returns:
            The last value; `init_val` if the range is empty.
        """
        if isinstance(lower, int) and isinstance(upper, int):
            if lower >= upper:
                return init_val
            counts = self.arange(lower, upper, dtype="int32")
            return self.scan(lambda val, i: (body_fun(i, val), None), init_val, counts)[0]
        first, last = self.asarray(lower, "int32"), self.asarray(upper, "int32")
        return self.while_loop(
            lambda i, val: self.less(i, last), lambda i, val: (i + 1, body_fun(i, val)), (first, init_val)
        )[1]

    def switch(self, index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
        """Return `branches[index](*operands)`; an index out of range is moved to the nearer end.

        Args:
            index: an integer scalar, traced or not.
            branches: functions that return trees of one structure, with the same shapes and dtypes.
            *operands: the arguments of the branch.

        Raises:
            ValueError: if `branches` is empty.
        """
        if not branches:
            raise ValueError("switch needs at least one branch; received an empty list.")
        if len(branches) == 1:
            return branches[0](*operands)
        half = len(branches) // 2
        return self.cond(
            self.less(self.asarray(index), half),
            lambda: self.switch(index, branches[:half], *operands),
            lambda: self.switch(index - half, branches[half:], *operands),
        )

    def associative_scan(self, f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
        """Return all prefixes of a reduction by an associative function: `[a, f(a, b), f(f(a, b), c), ...]`.

        The distance between the combined elements doubles in each pass, as in W. D. Hillis and G. L. Steele, "Data
        Parallel Algorithms" (1986): about log2(n) calls of `f`, each on whole arrays.

        Args:
            f: takes two trees like `elems`, of any one length along `axis`, and returns such a tree.
            elems: a tree of arrays of one length along `axis`.
            reverse: combine from the end: `[..., f(f(c, b), a)]`, `f(c, b)`, `c`.
            axis: the axis to scan along.

        Returns:
            A tree of the shapes of `elems`.

        Raises:
            ValueError: if the arrays have different lengths along `axis`.
        """
        leaves, definition = nested.flatten_with_def(elems)
        places = [canonical_axis(axis, self.ndim(leaf)) for leaf in leaves]
        lengths = {self.shape(leaf)[place] for leaf, place in zip(leaves, places, strict=True)}
        if len(lengths) != 1:
            raise ValueError(f"associative_scan needs arrays of one length along axis {axis}; received {lengths}.")
        length = lengths.pop()

        def part(arrays: list[Array], start: int, stop: int) -> list[Array]:
            return [self._axis_slice(x, place, start, stop) for x, place in zip(arrays, places, strict=True)]

        def turned(arrays: list[Array]) -> list[Array]:
            return [self.flip(x, place) for x, place in zip(arrays, places, strict=True)] if reverse else arrays

        values, distance = turned(leaves), 1
        while distance < length:
            earlier, later = part(values, 0, length - distance), part(values, distance, length)
            combined = nested.flatten(f(nested.unflatten(definition, earlier), nested.unflatten(definition, later)))
            kept = part(values, 0, distance)
            values = [self.concatenate([a, b], p) for a, b, p in zip(kept, combined, places, strict=True)]
            distance *= 2
        return nested.unflatten(definition, turned(values))

    def _axis_slice(self, x: Array, axis: int, start: int, stop: int) -> Array:
        """Return `x[..., start:stop, ...]` along one axis, counted from the front."""
        shape = self.shape(x)
        starts, stops = [0] * len(shape), list(shape)
        starts[axis], stops[axis] = start, stop
        return self.strided_slice(x, starts, stops, [1] * len(shape))

    @op("x")
    def unstack(self, x: Array, num: int | None = None, axis: int = 0) -> list[Array]:
        """Return the slices of `x` along `axis`, without that axis.

        Args:
            x: an array.
            num: the number of slices; checked if given.
            axis: the axis to take apart.

        Raises:
            ValueError: if `num` is not the size of the axis.
        """
        place = canonical_axis(axis, self.ndim(x))
        length = self.shape(x)[place]
        if num is not None and num != length:
            raise ValueError(f"unstack: `num` is {num}, but axis {axis} of shape {self.shape(x)} has size {length}.")
        return [self.squeeze(self._axis_slice(x, place, i, i + 1), place) for i in range(int(length))]

    @op("x")
    def saturate_cast(self, x: Array, dtype: str) -> Array:
        """Return `x` converted to `dtype`; values that it cannot hold become its lowest or highest.

        Args:
            x: an array.
            dtype: the dtype of the result. nan becomes 0 in an integer dtype.
        """
        source = self.dtype(x)
        if source == "bool":
            return self.cast(x, dtype)
        (low, high), (source_low, source_high) = dtypes.limits(dtype), dtypes.limits(source)
        if dtypes.is_float(source) and dtypes.is_int(dtype):
            x = self.where(self.isnan(x), 0, x)
            if high > 2 / dtypes.eps(source):  # 2**31 - 1 is not a float32: take the next lower one
                above = self.greater_equal(x, float(high))
                near = self.minimum(self.maximum(x, low), (high + 1) * (1 - dtypes.eps(source) / 2))
                return self.where(above, high, self.cast(near, dtype))
        elif dtypes.is_int(source):
            low, high = math.ceil(low), math.floor(high)
        if low > source_low or dtypes.is_float(source):
            x = self.maximum(x, max(low, source_low))
        if high < source_high or dtypes.is_float(source):
            x = self.minimum(x, min(high, source_high))
        return self.cast(x, dtype)

    def jvp(
        self, fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
    ) -> tuple[Any, ...]:
        """Return the value of `fun` and its directional derivative.

        Forward mode by two reverse passes: the gradient of `u . fun(x)` is linear in `u`. Its own gradient in `u`,
        weighted by the tangents, is the directional derivative.

        Args:
            fun: takes the primals, returns a tree of float arrays; `(tree, aux)` with `has_aux`.
            primals: float arrays.
            tangents: the direction, of the shapes of `primals`.
            has_aux: whether `fun` returns a second result, which is not differentiated.

        Returns:
            `(value, derivative)`, or `(value, derivative, aux)`.
        """
        arrays = [self.asarray(x) for x in primals]
        direction = [self.asarray(x, self.dtype(p)) for x, p in zip(tangents, arrays, strict=True)]
        result = fun(*arrays)
        value, aux = result if has_aux else (result, None)
        leaves, definition = nested.flatten_with_def(value)

        def weighted(inputs: list[Array], weights: list[Array]) -> Array:
            outputs = fun(*inputs)
            outputs = nested.flatten(outputs[0] if has_aux else outputs)
            return self._total([y * w for y, w in zip(outputs, weights, strict=True)])

        def along(weights: list[Array]) -> tuple[Array, None]:
            gradients = self.value_and_grad(lambda inputs: (weighted(inputs, weights), None), arrays)[2]
            return self._total([g * t for g, t in zip(gradients, direction, strict=True)]), None

        derivative = nested.unflatten(definition, self.value_and_grad(along, [self.zeros_like(y) for y in leaves])[2])
        return (value, derivative, aux) if has_aux else (value, derivative)

    def _total(self, arrays: Sequence[Array]) -> Array:
        total = self.sum(arrays[0])
        for x in arrays[1:]:
            total = total + self.sum(x)
        return total

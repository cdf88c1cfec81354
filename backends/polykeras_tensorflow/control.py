"""Control flow: Python's own for eager arrays, TensorFlow's while a graph is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras.backend.families.control import Control
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras_tensorflow.graphs import result_specs, spec_of
from polykeras_tensorflow.sizes import GraphSize, sizes_of


class TensorflowControl(Control):
    """Branches and loops over traced values."""

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        if not tf.is_symbolic_tensor(pred):
            return true_fn() if bool(pred) else false_fn()
        definitions: list[Any] = []

        def flat(fn: Callable[[], Any]) -> Callable[[], list[Array]]:
            def branch() -> list[Array]:
                leaves, definition = nested.flatten_with_def(fn())
                definitions.append(definition)
                return [self.asarray(leaf) for leaf in leaves]

            return branch

        results = tf.cond(self.cast(pred, "bool"), flat(true_fn), flat(false_fn))
        first, second = definitions
        if first != second:
            raise ValueError(f"cond: both functions must return the same structure; received {first} and {second}.")
        return nested.unflatten(first, results)

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        single = not isinstance(loop_vars, (tuple, list))
        loop_vars = (loop_vars,) if single else loop_vars
        leaves, definition = nested.flatten_with_def(tuple(loop_vars))
        state = [self.asarray(leaf) for leaf in leaves]

        def flat_cond(*state: Array) -> Any:
            return cond(*nested.unflatten(definition, state))

        def flat_body(*state: Array) -> list[Array]:
            result = body(*nested.unflatten(definition, state))
            result = (result,) if single and not isinstance(result, (tuple, list)) else tuple(result)
            leaves, returned = nested.flatten_with_def(result)
            if returned != definition:
                raise ValueError(f"while_loop: body must return the structure {definition}; received {returned}.")
            return [self.asarray(leaf, x.dtype.name) for leaf, x in zip(leaves, state, strict=True)]

        if tf.executing_eagerly():
            turns = 0
            while (maximum_iterations is None or turns < maximum_iterations) and bool(flat_cond(*state)):
                state = flat_body(*state)
                turns += 1
        else:
            state = tf.while_loop(flat_cond, flat_body, state, maximum_iterations=maximum_iterations)
        result = nested.unflatten(definition, state)
        return result[0] if single else type(loop_vars)(result)

    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        leaves, definition = nested.flatten_with_def(xs)
        leaves = [self.asarray(leaf) for leaf in leaves]
        counts = {sizes_of(leaf)[0] for leaf in leaves} or {length}
        count = counts.pop()
        if counts or count is None:
            raise ValueError(f"scan: expected arrays `xs` of one length, or `length`; received {[*counts, count]}.")
        init = nested.map_structure(self.asarray, init)
        if tf.executing_eagerly():
            return self._eager_scan(f, init, leaves, definition, count, reverse)
        return self._graph_scan(f, init, leaves, definition, count, reverse)

    def _eager_scan(
        self, f: Callable[..., Any], init: Any, leaves: list[Array], definition: Any, count: int, reverse: bool
    ) -> tuple[Any, Any]:
        if count == 0:
            return init, self._no_results(f, init, leaves, definition)
        columns = [tf.unstack(leaf) for leaf in leaves]
        carry, ys, structure = init, [], None
        for i in reversed(range(count)) if reverse else range(count):
            carry, y = f(carry, nested.unflatten(definition, [column[i] for column in columns]))
            parts, structure = nested.flatten_with_def(y)
            ys.append(parts)
        if reverse:
            ys.reverse()
        return carry, nested.unflatten(structure, [tf.stack(column) for column in zip(*ys, strict=True)])

    def _no_results(self, f: Callable[..., Any], init: Any, leaves: list[Array], definition: Any) -> Any:
        """Return the ys of a scan without steps, which have a shape all the same."""
        carry, structure = nested.flatten_with_def(init)
        found: Any = None

        def flat(*parts: Array) -> list[Array]:
            nonlocal found
            state = nested.unflatten(structure, parts[: len(carry)])
            results, found = nested.flatten_with_def(f(state, nested.unflatten(definition, parts[len(carry) :]))[1])
            return [self.asarray(y) for y in results]

        rows = [tf.TensorSpec(x.shape[1:], x.dtype) for x in leaves]
        specs = result_specs(flat, [*map(spec_of, carry), *rows])
        return nested.unflatten(found, [tf.zeros((0, *spec.shape), spec.dtype) for spec in specs])

    def _graph_scan(
        self, f: Callable[..., Any], init: Any, leaves: list[Array], definition: Any, count: int, reverse: bool
    ) -> tuple[Any, Any]:
        carry, structure = nested.flatten_with_def(init)
        size = len(carry)
        y_structure: Any = None

        def flat(*parts: Array) -> list[Array]:
            nonlocal y_structure
            state, y = f(nested.unflatten(structure, parts[:size]), nested.unflatten(definition, parts[size:]))
            state, returned = nested.flatten_with_def(state)
            if returned != structure:
                raise ValueError(f"scan: f must return a carry of structure {structure}; received {returned}.")
            ys, y_structure = nested.flatten_with_def(y)
            return [*(self.asarray(s, c.dtype.name) for s, c in zip(state, carry, strict=True)), *map(self.asarray, ys)]

        rows = [tf.TensorSpec(x.shape[1:], x.dtype) for x in leaves]
        specs = result_specs(flat, [*map(spec_of, carry), *rows])[size:]
        inputs = [tf.TensorArray(x.dtype, count, element_shape=x.shape[1:]).unstack(x) for x in leaves]
        outputs = [tf.TensorArray(spec.dtype, count, element_shape=spec.shape) for spec in specs]

        def body(turn: Array, carry: list[Array], outputs: list[Any]) -> tuple[Any, ...]:
            place = count - 1 - turn if reverse else turn
            results = flat(*carry, *(column.read(place) for column in inputs))
            written = [column.write(place, y) for column, y in zip(outputs, results[size:], strict=True)]
            return turn + 1, results[:size], written

        _, carry, outputs = tf.while_loop(
            lambda turn, *_: turn < count, body, (tf.constant(0), carry, outputs), maximum_iterations=count
        )
        turns = None if isinstance(count, GraphSize) else count
        ys = [
            tf.ensure_shape(column.stack(), (turns, *spec.shape)) for column, spec in zip(outputs, specs, strict=True)
        ]
        return nested.unflatten(structure, carry), nested.unflatten(y_structure, ys)

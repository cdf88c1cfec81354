"""One graph over several batches: for a small batch, calling a graph takes longer than its computation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras.backend.execution_policy import CannotRunBatches
from polykeras.backend.spec import Array
from polykeras.backend.steps import State
from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras_tensorflow.graphs import Flat, functions_run_plainly, spec_of, tracing_settings
from polykeras_tensorflow.private import call
from polykeras_tensorflow.programs import Program, Traced

raw = tf.raw_ops
_AT_ONCE = 4  # batches: the kernels of one of them, as those of a recurrent layer, may keep a single core busy


class PredictionRunner:
    """Runs a function on several batches in one graph; see `ExecutionPolicy.compile_batches`.

    Args:
        fn: the function.
    """

    def __init__(self, fn: Callable[[State, Any], Any]) -> None:
        self._fn = fn
        self._programs: LRUCache[tuple[Program, Any]] = LRUCache()

    def __call__(self, state: State, batches: Any, count: int) -> Any:
        """Return the outputs of the first `count` of `batches`."""
        if functions_run_plainly() or not tf.executing_eagerly():
            raise CannotRunBatches("functions run eagerly here")
        leaves, definition = nested.flatten_with_def(batches)
        columns = [tf.convert_to_tensor(leaf) for leaf in leaves]
        specs = [spec_of(x) for x in (*columns, *state)]
        key = (definition, tuple((spec.dtype, *spec.shape) for spec in specs), tracing_settings())
        found = self._programs.get(key) or self._programs.put(key, self._trace(definition, specs, len(columns)))
        program, structure = found
        return nested.unflatten(structure, program([tf.constant(count, tf.int32), *columns, *state]))

    def _trace(self, definition: Any, specs: list[tf.TensorSpec], columns: int) -> tuple[Program, Any]:
        structure: Any = None

        def once(*arrays: Array) -> list[Array]:
            nonlocal structure
            outputs = self._fn(list(arrays[columns:]), nested.unflatten(definition, arrays[:columns]))
            leaves, structure = nested.flatten_with_def(outputs)
            return [tf.convert_to_tensor(leaf) for leaf in leaves]

        room = specs[0].shape[0]
        rows = [tf.TensorSpec(spec.shape[1:], spec.dtype) for spec in specs[:columns]]
        traced = Traced(once, [*rows, *specs[columns:]], "batches of a prediction", repeated=False)

        def around(traced: Traced, xla: bool) -> Flat:
            outputs = [spec_of(x) for x in traced.graph.structured_outputs[: traced.size]]

            def loop(count: Array, *arrays: Array) -> list[Array]:
                written = [tf.TensorArray(spec.dtype, room, element_shape=spec.shape) for spec in outputs]

                def body(i: Array, written: list[Any]) -> tuple[Array, list[Any]]:
                    batch = [raw.GatherV2(params=column, indices=i, axis=0) for column in arrays[:columns]]
                    results = call(traced.graph, [*batch, *arrays[columns:]])[: traced.size]
                    return i + 1, [place.write(i, y) for place, y in zip(written, results, strict=True)]

                start = (tf.constant(0), written)
                _, written = tf.while_loop(lambda i, _: i < count, body, start, parallel_iterations=_AT_ONCE)
                return [place.stack() for place in written]

            return loop

        return Program(traced, [tf.TensorSpec((), tf.int32), *specs], around), structure

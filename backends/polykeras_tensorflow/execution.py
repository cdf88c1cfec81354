"""Compilation of functions, and chunks of training steps.

Functions of trees become graphs of flat lists of tensors, one for each set of shapes and dtypes. The cache is kept
here: a `tf.function` never sees a second signature, so it neither traces again for a Python number nor warns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras import fast
from polykeras.backend.execution_policy import BatchesRunner
from polykeras.backend.families.execution import Execution, arrays_and_statics
from polykeras.backend.spec import Array, Shape
from polykeras.backend.steps import PureStep, State, StepRunner, check_state, specs_of
from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras_tensorflow.arrays import computes_on_cpu
from polykeras_tensorflow.graphs import Flat, apart, functions_run_plainly, result_specs, spec_of, tracing_settings
from polykeras_tensorflow.predictions import PredictionRunner
from polykeras_tensorflow.private import shape_of
from polykeras_tensorflow.programs import Program, Traced

raw = tf.raw_ops


def _signature(arrays: Sequence[Array], first: int = 0) -> tuple[Hashable, ...]:
    """Return the dtypes and shapes of arrays, without the axes before `first`."""
    return tuple([(x.dtype, *shape_of(x)[first:]) for x in arrays])


XLA_PROGRAMS = 32
"""How many sets of shapes of one step XLA compiles. XLA keeps every program, at 3 to 5 MB each. Further sets of shapes
run on TensorFlow's kernels."""


def _for_xla(programs: int, what: str) -> bool:
    """Return whether XLA may compile one more program of a step, in addition to those that it has."""
    if programs == XLA_PROGRAMS:
        fast.explain(what, "TensorFlow's kernels", f"XLA keeps all programs, and already has {programs} of this step")
    return programs < XLA_PROGRAMS


class _Compiled:
    """A function of trees, traced for each structure, set of shapes and dtypes, and other (static) leaves."""

    def __init__(self, backend: TensorflowExecution, fn: Callable[..., Any], trains: bool) -> None:
        self.backend = backend
        self.fn = fn
        self.trains = trains
        self.in_xla = 0
        self.programs: LRUCache[tuple[Program, Any]] = LRUCache()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, definition = nested.flatten_with_def((args, kwargs))
        arrays, statics = arrays_and_statics(leaves, tf.Tensor, self.backend.asarray)
        if functions_run_plainly():
            args, kwargs = nested.unflatten(definition, nested.interleave(arrays, statics))
            return nested.map_structure(self.backend.asarray, self.fn(*args, **kwargs))
        program, structure = self._program_for(definition, statics, arrays)
        return nested.unflatten(structure, program(arrays))

    def program(self, stage: str, *args: Any) -> str | None:
        """Return as text what runs for these arguments; see `Backend.compile`."""
        if functions_run_plainly():
            return None
        leaves, definition = nested.flatten_with_def((args, {}))
        arrays, statics = arrays_and_statics(leaves, tf.Tensor, self.backend.asarray)
        return self._program_for(definition, statics, arrays)[0].text(stage, arrays)

    def _program_for(self, definition: Any, statics: dict[int, Any], arrays: list[Array]) -> tuple[Program, Any]:
        key = (definition, tuple(statics.items()), _signature(arrays), tracing_settings())
        return self.programs.get(key) or self.programs.put(key, self._trace(definition, statics, arrays))

    def _trace(self, definition: Any, statics: dict[int, Any], arrays: list[Array]) -> tuple[Program, Any]:
        structure: Any = None

        def flat(*arrays: Array) -> list[Array]:
            nonlocal structure
            args, kwargs = nested.unflatten(definition, nested.interleave(arrays, statics))
            result = self.fn(*args, **kwargs)
            leaves, structure = nested.flatten_with_def(result)
            try:
                return [self.backend.asarray(leaf) for leaf in leaves]
            except TypeError as error:
                found = ", ".join(
                    f"{path} is {type(leaf).__name__}" for path, leaf in zip(nested.paths(result), leaves, strict=True)
                )
                raise TypeError(f"A compiled function must return trees of arrays and numbers; {found}.") from error

        specs = [spec_of(x) for x in arrays]
        what = "a compiled function"
        traced = Traced(flat, specs, what, repeated=self.trains and _for_xla(self.in_xla, what))
        self.in_xla += traced.xla
        return Program(traced, specs), structure


@lru_cache(maxsize=256)
def _number(value: int) -> Array:
    """Return an int32 scalar on the host, cached, since chunks of a stream begin and end with few different numbers."""
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(value, tf.int32)


class _StepLoop:
    """Runs a training step. Each set of shapes and dtypes has one graph that contains the loop."""

    def __init__(self, backend: TensorflowExecution, step: PureStep) -> None:
        self.backend = backend
        self.step = step
        self.programs: LRUCache[tuple[Program, Any]] = LRUCache()
        self.in_xla = 0
        self.last_indices: tuple[Any, Any] = (None, None)  # read-only indices, and the tensor that was made of them

    def __call__(self, state: State, data: Any, indices: Array, start: int, stop: int) -> tuple[State, Any]:
        if not tf.executing_eagerly():
            raise RuntimeError("Training steps cannot run within a graph: call `fit` outside of `tf.function`.")
        columns, definition = nested.flatten_with_def(data)
        batch = indices.shape[1]
        if functions_run_plainly():
            return self._run_eagerly(state, data, indices, start, stop)
        key = (definition, _signature(state), batch, _signature(columns, first=1), tracing_settings())
        found = self.programs.get(key)
        if found is None:
            rows = [tf.TensorSpec((batch, *x.shape[1:]), x.dtype) for x in columns]
            found = self.programs.put(key, self._trace(definition, [spec_of(x) for x in state], rows, batch))
        program, structure = found
        results = program([_number(start), _number(stop), self._places(indices), *columns, *state])
        return list(results[: len(state)]), nested.unflatten(structure, results[len(state) :])

    def _run_eagerly(self, state: State, data: Any, indices: Any, start: int, stop: int) -> tuple[State, Any]:
        logs: Any = {}
        for i in range(start, stop):
            state, logs = self.step(list(state), self.backend.rows(data, tf.convert_to_tensor(indices[i])))
            state = [self.backend.asarray(x) for x in state]
        return state, nested.map_structure(self.backend.asarray, logs)

    def _places(self, indices: Any) -> Array:
        """Return indices as a tensor. Read-only indices, such as those of a stream's buffer, are converted once."""
        lasts = isinstance(indices, np.ndarray) and not indices.flags.writeable
        if not lasts or not tf.executing_eagerly() or not computes_on_cpu():
            return tf.convert_to_tensor(indices)
        last = self.last_indices  # which other threads may exchange
        if last[0] is not indices:
            self.last_indices = last = indices, tf.convert_to_tensor(indices)
        return last[1]

    def _trace(
        self, definition: Any, state: list[tf.TensorSpec], rows: list[tf.TensorSpec], batch: int
    ) -> tuple[Program, Any]:
        size = len(state)
        structure: Any = None

        def flat_step(*arrays: Array) -> list[Array]:
            nonlocal structure
            results, logs = self.step(list(arrays[:size]), nested.unflatten(definition, arrays[size:]))
            results = [self.backend.asarray(x) for x in results]
            check_state(*(specs_of(arrays, attrgetter("name")) for arrays in (state, results)))
            leaves, structure = nested.flatten_with_def(logs)
            return [*results, *(self.backend.asarray(leaf) for leaf in leaves)]

        # The graph fixes neither the number of steps nor that of rows. (XLA compiles again for each.)
        number, places = tf.TensorSpec((), tf.int32), tf.TensorSpec((None, batch), tf.int32)
        columns = [tf.TensorSpec((None, *row.shape[1:]), row.dtype) for row in rows]
        specs = [number, number, places, *columns, *state]

        def loop(step: Traced, xla: bool) -> Flat:
            return _loop(step, xla, len(rows), size)

        # The step is a separate graph, so that its logs are known before the loop around it is built.
        what = "a chunk of steps"
        step = Traced(flat_step, [*state, *rows], what, repeated=_for_xla(self.in_xla, what), alone=True)
        self.in_xla += step.xla
        return Program(step, specs, loop), structure


def _loop(step: Traced, xla: bool, columns: int, size: int) -> Flat:
    """Return the function that runs a step in a loop.

    Args:
        step: returns the new state, logs and perhaps a check.
        xla: whether the function is for XLA.
        columns: the number of columns of data.
        size: the number of arrays in the state.
    """
    checked = xla and step.has_check
    run = step.for_xla() if xla else apart(step.graph, step.specs)
    logs = [spec_of(x) for x in step.graph.structured_outputs[size : step.size]]

    def flat_loop(start: Array, stop: Array, indices: Array, *arrays: Array) -> list[Array]:
        data, state = arrays[:columns], arrays[columns:]

        def body(i: Array, *carried: Array) -> list[Array]:
            places = raw.GatherV2(params=indices, indices=i, axis=0)
            parts = [raw.GatherV2(params=column, indices=places, axis=0) for column in data]
            results = run(*carried[:size], *parts)
            checks = [raw.LogicalAnd(x=carried[-1], y=results[-1])] if checked else []
            return [i + 1, *results[: step.size], *checks]

        logged = [tf.zeros(spec.shape, spec.dtype) for spec in logs]
        first = [start, *state, *logged, *[tf.constant(True)] * checked]
        return list(tf.while_loop(lambda i, *_: i < stop, body, first)[1:])

    return flat_loop


def compile_batches(fn: Callable[[State, Any], Any]) -> BatchesRunner | None:
    """Return a function that runs `fn` over several batches; see `ExecutionPolicy.compile_batches`."""
    return PredictionRunner(fn) if computes_on_cpu() and fast.enabled("predict-batches") else None


class TensorflowExecution(Execution):
    """Compilation by `tf.function`, without autograph."""

    def compile(
        self, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
    ) -> Callable[..., Any]:
        # Nothing is donated: TensorFlow reuses the memory of a tensor that is no longer referenced.
        # A step that changes state is repeated. A prediction, or a user's function, may see each shape only once.
        return _Compiled(self, fn, trains=donate_first)

    def compile_steps(self, step: PureStep, collective: bool = False) -> StepRunner:
        return _StepLoop(self, step)

    def synchronize(self, x: Any = None) -> None:
        if tf.executing_eagerly():
            tf.test.experimental.sync_devices()

    def infer_shapes(
        self,
        fn: Callable[[list[Array], Callable[[], AbstractContextManager[Any]]], Sequence[Array]],
        specs: Sequence[tuple[Shape, str]],
    ) -> list[tuple[tuple[int | None, ...], str]]:
        given = [tf.TensorSpec(shape, dtype) for shape, dtype in specs]
        found = result_specs(lambda *arrays: list(fn(list(arrays), tf.init_scope)), given)
        for spec in found:
            if spec.shape.rank is None:
                raise ValueError("The number of axes of a tensor is unknown. Set it with `tensor.set_shape(...)`.")
        return [(tuple(spec.shape), spec.dtype.name) for spec in found]

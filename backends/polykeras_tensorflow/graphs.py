"""Functions of flat lists of tensors as graphs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.common.process_switch import ProcessSwitch
from polykeras_tensorflow.private import (
    NO_INLINE,
    FuncGraph,
    call,
    dtype_conversion_mode,
    is_deterministic,
    op_callbacks,
)

Flat = Callable[..., list[Array]]
_has_tf32 = tf.config.experimental.tensor_float_32_execution_enabled
_Key = tuple[int, str, bytes]
_constants: ContextVar[dict[_Key, Array] | None] = ContextVar("polykeras_tensorflow_constants", default=None)


def constant(x: Any, dtype: tf.DType) -> Array:
    """Return a number as a tensor without axes. In a graph that `trace` makes, equal numbers share one node.

    Each node adds to the time of a first epoch. Use this only for operands that stay hidden: a gradient is taken by the
    identity of tensors, so a user's number must be a separate node.
    """
    value = np.asarray(x, dtype.as_numpy_dtype)
    known = _constants.get()
    if known is None or tf.executing_eagerly():
        return tf.constant(value)
    graph = tf.compat.v1.get_default_graph()
    key = (id(graph), dtype.name, value.tobytes())  # a graph lives as long as a tensor of it
    if key not in known:
        with graph.control_dependencies(None):  # only the node that uses it has to wait
            known[key] = tf.constant(value)
    return known[key]


def tracing_settings() -> tuple[Hashable, ...]:
    """Return the TensorFlow settings that affect how a graph is traced, and how XLA compiles it.

    A `tf.function` ignores later changes of them: it keeps its first trace.
    """
    return (*op_callbacks(), is_deterministic(), _has_tf32(), dtype_conversion_mode())


def spec_of(x: Array) -> tf.TensorSpec:
    """Return the shape and dtype of a tensor."""
    return tf.TensorSpec(x.shape, x.dtype)


class Flattened:
    """The arguments of a call as a flat list of their tensors, for code that accepts only such a list.

    Args:
        args: the positional arguments.
        kwargs: the keyword arguments.

    Attributes:
        arrays: the tensors among the arguments.
    """

    def __init__(self, args: Any, kwargs: Any) -> None:
        leaves, self._definition = nested.flatten_with_def((args, kwargs))
        self.arrays: list[Array] = [leaf for leaf in leaves if isinstance(leaf, tf.Tensor)]
        self._others = {place: leaf for place, leaf in enumerate(leaves) if not isinstance(leaf, tf.Tensor)}
        self._structure: Any = None

    def flat(self, function: Callable[..., Any]) -> Flat:
        """Return a function as one of these tensors alone that returns a flat list."""

        def on_tensors(*arrays: Array) -> list[Any]:
            args, kwargs = nested.unflatten(self._definition, nested.interleave(arrays, self._others))
            results, self._structure = nested.flatten_with_def(function(*args, **kwargs))
            return results

        return on_tensors

    def result(self, results: Sequence[Any]) -> Any:
        """Return the function's result, after it was called, from its flat list of results."""
        return nested.unflatten(self._structure, results)


def trace(fn: Flat, specs: Sequence[tf.TensorSpec], inline: bool = True, xla: bool = False) -> Any:
    """Return a function of tensors as a graph, a concrete `tf.function`.

    Args:
        fn: takes tensors and returns a list of tensors.
        specs: the specs of its arguments.
        inline: whether the runtime may inline the graph into another graph that calls it.
        xla: whether XLA compiles the graph, for each set of shapes, when it is called.

    Raises:
        Exception: whatever `fn` raises, with its cause and traceback, both of which `tf.function` would cut off.
    """
    raised: list[tuple[Any, ...]] = []

    def guarded(*arrays: Array) -> list[Array]:
        token = _constants.set({})
        try:
            return fn(*arrays)
        except Exception as error:
            raised.append((error, error.__traceback__, error.__cause__, error.__suppress_context__))
            raise
        finally:
            _constants.reset(token)

    attributes = None if inline or NO_INLINE is None else {NO_INLINE: True}
    function = tf.function(
        guarded,
        autograph=False,
        reduce_retracing=False,
        jit_compile=xla or None,
        experimental_attributes=attributes,
    )
    try:
        return function.get_concrete_function(*specs)
    except Exception as error:
        if raised and raised[-1][0] is error:
            _, traceback, error.__cause__, error.__suppress_context__ = raised[-1]
            raise error.with_traceback(traceback)  # noqa: B904 (the cause is its own)
        raise


def _inline() -> bool:
    users_choice = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    return users_choice


_inlining = ProcessSwitch(_inline, tf.config.run_functions_eagerly)
_inlines_here: ContextVar[bool] = ContextVar("_inlines_here", default=False)


@contextmanager
def inlined_functions() -> Iterator[None]:
    """Run a user's `tf.function`s as plain functions within this context.

    They become part of the graph that is being made. A separate graph would capture only what it saw when it was first
    traced, and could not assign to the variables of a scope.
    """
    with _inlining:
        token = _inlines_here.set(True)
        try:
            yield
        finally:
            _inlines_here.reset(token)


def functions_run_plainly() -> bool:
    """Return whether functions should not be traced here: the user asks for it, or this thread inlines them."""
    if _inlines_here.get():
        return True
    with _inlining.lock:
        return _inlining.before if _inlining.within else tf.config.functions_run_eagerly()


def apart(graph: Any, specs: Sequence[tf.TensorSpec]) -> Flat:
    """Return a function that calls a graph, which stays a separate graph if that is done in a loop.

    The nodes of a loop form a cycle. There, TensorFlow's rewriting for oneDNN may visit a gradient before the node it
    belongs to, depending on addresses in memory, and then leaves the gradient of pooling to a slow kernel. In half of
    the processes, such a step takes almost twice as long (TensorFlow 2.21, `mkl_layout_pass.cc`).

    Args:
        graph: a concrete function.
        specs: the specs of its arguments.
    """
    outer = trace(lambda *arrays: call(graph, list(arrays)), specs, inline=False)
    return lambda *arrays: call(outer, list(arrays))


def result_specs(fn: Flat, specs: Sequence[tf.TensorSpec]) -> list[tf.TensorSpec]:
    """Return the specs of the results of `fn` for arguments of these specs, by tracing it into a temporary graph."""
    if FuncGraph is None:
        return [spec_of(x) for x in trace(fn, specs).structured_outputs]
    with FuncGraph("specs").as_default():
        return [spec_of(x) for x in fn(*(tf.compat.v1.placeholder(spec.dtype, spec.shape) for spec in specs))]


def listing(graph: Any) -> str:
    """Return the nodes of a concrete function as text, one on each line, then those of the functions it calls."""
    definition = graph.graph.as_graph_def()
    parts = [(graph.name.decode(), definition.node)]
    parts += [(function.signature.name, function.node_def) for function in definition.library.function]
    lines: list[str] = []
    for name, nodes in parts:
        lines.append(f"{name}:")
        lines += [f"    {node.name} = {node.op}({', '.join([*node.input, *_called(node)])})" for node in nodes]
    return "\n".join(lines)


def _called(node: Any) -> list[str]:
    """Return the functions that a node of a graph calls, each with the name of the argument."""
    return [f"{name}={value.func.name}" for name, value in sorted(node.attr.items()) if value.HasField("func")]

"""Functions of flat lists of tensors as graphs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras.common import nested
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
    """Return a number as a tensor of no axes: in a graph that `trace` makes, one node for all equal ones.

    A node takes 0.1 to 0.3 ms of a first epoch. This is for operands that nobody else comes to see: a gradient is asked
    for by the identity of tensors, so that a user's number must be a node of its own.
    """
    value = np.asarray(x, dtype.as_numpy_dtype)
    known = _constants.get()
    if known is None or tf.executing_eagerly():
        return tf.constant(value)
    graph = tf.compat.v1.get_default_graph()
    key = (id(graph), dtype.name, value.tobytes())  # a graph lives as long as a tensor of it
    if key not in known:
        with graph.control_dependencies(None):  # what has to wait is the node whose operand it is
            known[key] = tf.constant(value)
    return known[key]


def tracing_settings() -> tuple[Hashable, ...]:
    """Return the settings of TensorFlow that a graph is traced, and compiled by XLA, by.

    A `tf.function` does not look at them: it goes on as it was traced first.
    """
    return (*op_callbacks(), is_deterministic(), _has_tf32(), dtype_conversion_mode())


def spec_of(x: Array) -> tf.TensorSpec:
    """Return the shape and dtype of a tensor."""
    return tf.TensorSpec(x.shape, x.dtype)


class Flattened:
    """The arguments of a call as a flat list of their tensors, for what knows only such.

    Args:
        args: of the call.
        kwargs: of the call.

    Attributes:
        arrays: the tensors among them.
    """

    def __init__(self, args: Any, kwargs: Any) -> None:
        leaves, self._definition = nested.flatten_with_def((args, kwargs))
        self.arrays: list[Array] = [leaf for leaf in leaves if isinstance(leaf, tf.Tensor)]
        self._others = {place: leaf for place, leaf in enumerate(leaves) if not isinstance(leaf, tf.Tensor)}
        self._structure: Any = None

    def flat(self, function: Callable[..., Any]) -> Flat:
        """Return a function as one of these tensors alone, which returns a flat list."""

        def on_tensors(*arrays: Array) -> list[Any]:
            args, kwargs = nested.unflatten(self._definition, nested.interleave(arrays, self._others))
            results, self._structure = nested.flatten_with_def(function(*args, **kwargs))
            return results

        return on_tensors

    def result(self, results: Sequence[Any]) -> Any:
        """Return what the function gave, which was called meanwhile, of a flat list."""
        return nested.unflatten(self._structure, results)


def trace(fn: Flat, specs: Sequence[tf.TensorSpec], inline: bool = True, xla: bool = False) -> Any:
    """Return a function of tensors as a graph, a concrete `tf.function`.

    Args:
        fn: takes tensors, returns a list of them.
        specs: of its arguments.
        inline: let the runtime put the graph in place of a call of it from another graph.
        xla: have XLA compile the graph, for each set of shapes, when it is called.

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


# TensorFlow's switch is one for the whole process: the first thread that inlines turns it on, the last one back.
_switch = threading.Lock()
_inlining = 0
_users_choice = False
_inlines_here: ContextVar[bool] = ContextVar("_inlines_here", default=False)


@contextmanager
def inlined_functions() -> Iterator[None]:
    """Within this context what a user made a `tf.function` runs as the plain function that it was.

    It is to be a part of the graph that is made: a graph of its own could keep nothing of this one but what it met when
    it was traced first, and could assign to no variable of a scope.
    """
    global _inlining, _users_choice
    with _switch:
        if not _inlining:
            _users_choice = tf.config.functions_run_eagerly()
            tf.config.run_functions_eagerly(True)
        _inlining += 1
    token = _inlines_here.set(True)
    try:
        yield
    finally:
        _inlines_here.reset(token)
        with _switch:
            _inlining -= 1
            if not _inlining:
                tf.config.run_functions_eagerly(_users_choice)


def functions_run_plainly() -> bool:
    """Return whether functions are not to be traced here: the user asks for it, or this thread inlines them."""
    if _inlines_here.get():
        return True
    with _switch:
        return _users_choice if _inlining else tf.config.functions_run_eagerly()


def apart(graph: Any, specs: Sequence[tf.TensorSpec]) -> Any:
    """Return a concrete function that calls another one, and stays a graph of its own where it is called in a loop.

    A loop's nodes form a cycle, in which TensorFlow's rewriting for oneDNN may come to a gradient before what it is the
    gradient of, by the addresses of nodes in memory, and then leaves pooling's to a slow kernel: a step of 19 ms in
    half of the processes, of 11 in the others (TensorFlow 2.21, `mkl_layout_pass.cc`).

    Args:
        graph: a concrete function.
        specs: of its arguments.
    """
    return trace(lambda *arrays: call(graph, list(arrays)), specs, inline=False)


def result_specs(fn: Flat, specs: Sequence[tf.TensorSpec]) -> list[tf.TensorSpec]:
    """Return what `fn` gives for arrays of these specs, tracing it into a graph that is thrown away."""
    if FuncGraph is None:
        return [spec_of(x) for x in trace(fn, specs).structured_outputs]
    with FuncGraph("specs").as_default():
        return [spec_of(x) for x in fn(*(tf.compat.v1.placeholder(spec.dtype, spec.shape) for spec in specs))]


def listing(graph: Any) -> str:
    """Return the nodes of a concrete function as text, a line each, and below those of the functions that it calls."""
    definition = graph.graph.as_graph_def()
    parts = [(graph.name.decode(), definition.node)]
    parts += [(function.signature.name, function.node_def) for function in definition.library.function]
    lines: list[str] = []
    for name, nodes in parts:
        lines.append(f"{name}:")
        lines += [f"    {node.name} = {node.op}({', '.join([*node.input, *_called(node)])})" for node in nodes]
    return "\n".join(lines)


def _called(node: Any) -> list[str]:
    """Return the functions that a node of a graph calls, each by the name of the argument that it is."""
    return [f"{name}={value.func.name}" for name, value in sorted(node.attr.items()) if value.HasField("func")]

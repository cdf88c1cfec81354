"""Every private name of TensorFlow that this backend uses, each with its fallback.

`tf.raw_ops` is public. Names under `tensorflow.python` and `tensorflow.core` that have no public alias are private.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

import tensorflow as tf

from polykeras.backend.private_names import find
from polykeras.backend.spec import Array

# ---- calling a graph ---------------------------------------------------------------------------------------------

_FLAT_CALL = "tensorflow.python.eager.polymorphic_function.concrete_function:ConcreteFunction._call_flat"
_context = find("tensorflow.python.eager.context:context")
_Options = find("tensorflow.python.eager.context:FunctionCallOptions")
_Config = find("tensorflow.core.protobuf.config_pb2:ConfigProto")
_Rewriter = find("tensorflow.core.protobuf.rewriter_config_pb2:RewriterConfig")
_ARITHMETIC = "arithmetic_optimization"


def _call(graph: Any, arrays: list[Array]) -> list[Array]:
    here: Any = _context()
    outer = here.function_call_options
    here.function_call_options = _options(outer.config_proto_serialized)
    try:
        return graph._call_flat(arrays, graph.captured_inputs)
    finally:
        here.function_call_options = outer


@lru_cache(maxsize=64)
def _options(given: bytes) -> Any:
    """Return call options with which the graph optimizer leaves arithmetic unchanged, and all else as given."""
    config = _Config.FromString(given)
    config.graph_options.rewrite_options.arithmetic_optimization = _Rewriter.OFF
    return _Options(config_proto=config)


def _call_plainly(graph: Any, arrays: list[Array]) -> list[Array]:
    options = tf.config.optimizer
    before = options.get_experimental_options().get(_ARITHMETIC, True)
    options.set_experimental_options({_ARITHMETIC: False})
    try:
        return list(graph(*arrays))
    finally:
        options.set_experimental_options({_ARITHMETIC: before})


call: Callable[[Any, list[Array]], list[Array]] = (
    _call_plainly if None in (find(_FLAT_CALL), _context, _Options, _Config, _Rewriter) else _call
)
"""`(graph, arrays)`: call a graph made by `trace` with tensors of its specs.

The arguments are known to fit the specs, so they are not bound and checked.

The graph optimizer leaves arithmetic unchanged. Inside a loop, it would turn `y + y` into a product with a constant
without a shape; after a step, the gradient, the weight and the model would silently have shape (0,) (TensorFlow 2.21;
compare https://github.com/tensorflow/tensorflow/issues/22504). Steps are as fast without its arithmetic.

If one of the names is missing, arguments are bound and checked in each call, and the option is set for the process
meanwhile.
"""

NO_INLINE: str | None = find("tensorflow.python.eager.polymorphic_function.attributes:NO_INLINE")
"""The attribute by which a called graph stays a separate graph. Without it, steps may be slow: see `apart`."""

FuncGraph: Any = find("tensorflow:__internal__.FuncGraph")
"""A temporary graph for tracing. Without it, a whole `tf.function` is made, which takes longer."""

TensorType: Any = find("tensorflow:__internal__.types.Tensor", type("_Nothing", (), {}))
"""The class of objects that operations accept as tensors, even in lists. Without it, no size may be unknown."""

Trackable: Any = find("tensorflow:__internal__.tracking.Trackable", type("_Nobody", (), {}))
"""The class of objects that checkpoints hold. Without it, `tf.train.Checkpoint` refuses polykeras objects."""


def track(checkpoint: Any, part: Any, name: str) -> None:
    """Make a checkpoint hold a part under a name, replacing an earlier part of that name."""
    checkpoint._track_trackable(part, name, overwrite=True)


# ---- settings by which a graph is traced ---------------------------------------------------------------------------

_has_callbacks = hasattr(_context and _context(), "op_callbacks")


def op_callbacks() -> Sequence[Any]:
    """Return the callbacks for each operation, as `tf.debugging.enable_check_numerics` sets; without the name, none."""
    return _context().op_callbacks if _has_callbacks else ()


is_deterministic: Callable[[], bool] = find(
    "tensorflow.python.framework.config:is_op_determinism_enabled", lambda: False
)
"""Return whether `tf.config.experimental.enable_op_determinism` was called. Without the name, graphs ignore it."""

dtype_conversion_mode: Callable[[], Any] = find(
    "tensorflow.python.framework.ops:get_dtype_conversion_mode", lambda: None
)
"""Return what `enable_numpy_behavior` set. Without the name, graphs stay as they were traced."""

# ---- the surroundings of a call ------------------------------------------------------------------------------------

are_tapes_stopped: Callable[[], bool] = find("tensorflow.python.pywrap_tfe:TFE_Py_TapeSetIsStopped", lambda: False)
"""Return whether tapes record nothing here. Without the name, gradients are zero there, as in TensorFlow itself."""

_autograph = find("tensorflow.python.autograph.core.config")
_rules = find("tensorflow.python.autograph.core.config:CONVERSION_RULES")
_DoNotConvert = find("tensorflow.python.autograph.core.config:DoNotConvert")


@cache
def leave_to_python(*packages: str) -> None:
    """Keep autograph from rewriting packages. Without the names, it rewrites them within a user's `tf.function`."""
    if None not in (_autograph, _rules, _DoNotConvert):
        _autograph.CONVERSION_RULES = (*map(_DoNotConvert, packages), *_rules)


# ---- variables under tapes ---------------------------------------------------------------------------------------

_no_tapes = find("tensorflow.python.pywrap_tfe:TFE_Py_TapeSetIsEmpty")


def _always() -> bool:
    return True


def _are_tapes_open() -> bool:
    return not _no_tapes()


ResourceVariable: Any = find("tensorflow.python.ops.resource_variable_ops:ResourceVariable", tf.Variable)
"""The class of variables. Without the name, a `tf.function` that runs a second time does not allow new ones."""

are_tapes_open: Callable[[], bool] = _always if _no_tapes is None else _are_tapes_open
"""Return whether a tape may be open. Without the name always, so each variable that is read becomes a `tf.Variable`."""


def _read_for_tapes(variable: Any) -> None:
    if variable.trainable:
        variable.handle  # noqa: B018 (which makes the variable one of TensorFlow's)
        variable.native_object.value()


note_accessed: Callable[[Any], None] = find("tensorflow.python.pywrap_tfe:TFE_Py_TapeVariableAccessed", _read_for_tapes)
"""Make active tapes watch a variable, by its `handle`, if they watch what is read."""

is_recorded: Callable[[list[Any]], bool] = find(
    "tensorflow.python.pywrap_tfe:TFE_Py_TapeSetShouldRecordBackprop", lambda tensors: True
)
"""Return whether a tape watches one of the tensors; True without the name."""

_record = find("tensorflow.python.eager.record:record_operation")


def _recorded(value: Array, handle: Array) -> Array:
    result = tf.identity(value)
    _record("ReadVariableOp", [result], [handle], lambda gradient: [gradient])
    return result


def _recorded_plainly(value: Array, handle: Array) -> Array:
    if is_recorded([value]):  # the gradient would go to the handle alone, and be zero for who asks for the value's
        raise RuntimeError(
            f"This TensorFlow, {tf.__version__}, lacks `record_operation`, by which polykeras tells the gradient by a "
            "variable that a `tf.Variable` stores from that by its value. Take no gradient within another one, or use "
            "a version that polykeras is tested with."
        )

    @tf.custom_gradient
    def read(_: Array) -> Any:
        return tf.identity(value), lambda gradient: gradient

    return read(handle)


read_from: Callable[[Array, Array], Array] = _recorded_plainly if _record is None else _recorded
"""`(value, handle)`: return the value, which tapes then treat as read from a variable by its handle.

Without the name, it raises if a tape also watches the value.
"""


def _linked(value: Array, handle: Array) -> Array:
    _record("AssignVariableOp", [handle], [value], lambda gradient: [gradient])
    return handle


def _linked_plainly(value: Array, handle: Array) -> Array:
    @tf.custom_gradient
    def assigned(_: Array) -> Any:
        return tf.identity(handle), lambda gradient: gradient

    return assigned(value)


assigned_to: Callable[[Array, Array], Array] = _linked_plainly if _record is None else _linked
"""`(value, handle)`: return the handle; tapes then treat what is read by it as the value."""

# ---- functions of a SavedModel -----------------------------------------------------------------------------------


def _call_on_captures(graph: Any, arrays: Sequence[Array], captured: Sequence[Array]) -> list[Array]:
    return list(graph._call_flat(list(arrays), list(captured)))


call_on_captures: Callable[[Any, Sequence[Array], Sequence[Array]], list[Array]] | None = (
    None if find(_FLAT_CALL) is None else _call_on_captures
)
"""`(graph, arrays, captured)`: call a concrete function with other captures; None without the name."""

anonymous_name: Callable[[], str] = find(
    "tensorflow.python.eager.context:anonymous_name", lambda: "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
)
"""Return a name with which a node makes a resource in each run, freed with its last handle."""

_read_only = find("tensorflow.python.framework.auto_control_deps_utils:get_read_only_resource_input_indices_graph")


def read_only_captures(graph: Any) -> set[int]:
    """Return the indices of the inputs that a concrete function does not assign to; empty without the name."""
    return set() if _read_only is None else set(_read_only(graph.graph))


# ---- nodes of a graph --------------------------------------------------------------------------------------------

CAN_REPLACE_NODES = None not in (
    find("tensorflow:Operation._update_input"),
    find("tensorflow:Operation._control_outputs"),
)
"""Whether the two functions below may be called. If not, nodes that are slow to convert for XLA stay."""


def has_control_outputs(node: Any) -> bool:
    """Return whether other nodes have to wait for this one."""
    return bool(node._control_outputs)


def exchange_input(node: Any, place: int, tensor: Array) -> None:
    """Replace one of the inputs of a node."""
    node._update_input(place, tensor)


# ---- a cluster ---------------------------------------------------------------------------------------------------

_CoordinatedJob = find(
    "tensorflow.python.distribute.collective_all_reduce_strategy:coordination_config_pb2.CoordinatedJob"
)
_HEARTBEAT = 60_000  # milliseconds without a sign of life after which a process counts as lost


def coordinate(size: int, timeout: float) -> None:
    """Set how long the workers of a cluster wait for one another, before `MultiWorkerMirroredStrategy` connects them.

    Without the names, TensorFlow waits an hour for workers at the start, and ten seconds for one that does not answer.
    Heartbeats are threads of their own, which no computation and no slow file delays.

    Args:
        size: the number of workers.
        timeout: seconds.
    """
    if hasattr(_context and _context(), "configure_coordination_service") and _CoordinatedJob is not None:
        wait = int(1000 * timeout)
        _context().configure_coordination_service(
            service_type="standalone",
            service_leader="/job:worker/replica:0/task:0",
            coordinated_jobs=[_CoordinatedJob(name="worker", num_tasks=size)],
            cluster_register_timeout_in_ms=wait,
            heartbeat_timeout_in_ms=min(wait, _HEARTBEAT),
        )
        _context().coordination_service.cluster_register_with_barrier = True  # or the first one waits without limit


def tell_failure(message: str) -> None:
    """Tell the other workers of a cluster that this one leaves in the middle of a run.

    Without the name, they miss its heartbeats sooner or later.
    """
    if hasattr(_context and _context(), "report_error_to_cluster"):
        with suppress(tf.errors.OpError):  # the others may have ended
            _context().report_error_to_cluster(tf.errors.ABORTED, message)


def _outside_of_loops(x: Array) -> Array:
    graph: Any = tf.compat.v1.get_default_graph()
    while getattr(graph, "is_control_flow_graph", False):
        graph = graph.outer_graph
    if tf.executing_eagerly() or not isinstance(graph, FuncGraph):
        return x
    with graph.as_default():
        return graph.capture(x)


def _itself(x: Array) -> Array:
    return x


outside_of_loops: Callable[[Array], Array] = _outside_of_loops if hasattr(FuncGraph, "capture") else _itself
"""Return an eager tensor as one of the function that is being traced, outside of its loops and branches.

The gradient of a loop can use such a tensor, but no eager one. Without the names, it is returned as it is.
"""

_write_block = find("tensorflow.compiler.tf2xla.ops.gen_xla_ops:xla_dynamic_update_slice")


def _written_block(x: Array, begin: Array, updates: Array) -> Array:
    return _write_block(input=x, update=updates, indices=begin)


def _gradient_of_written_block(operation: Any, gradient: Array) -> tuple[Array, Array, None]:
    _, updates, begin = operation.inputs
    taken = tf.slice(gradient, begin, tf.shape(updates, out_type=begin.dtype))
    return _written_block(gradient, begin, tf.zeros_like(updates)), taken, None


def write_slice(x: Array, begin: Array, updates: Array) -> Array:
    """Return `x` with a block that lies within it."""
    end, steps = begin + tf.shape(updates, out_type=begin.dtype), tf.ones_like(begin)
    return tf.raw_ops.TensorStridedSliceUpdate(input=x, begin=begin, end=end, strides=steps, value=updates)


if _write_block is not None:
    with suppress(KeyError):  # somebody has registered one
        tf.RegisterGradient("XlaDynamicUpdateSlice")(_gradient_of_written_block)

write_in_loop: Callable[[Array, Array, Array], Array] = write_slice if _write_block is None else _written_block
"""`(x, begin, updates)`: as `write_slice`, in a loop or a branch.

XLA compiles TensorFlow's public operation there only if it knows `begin` beforehand. Without the name, XLA refuses it.
"""


def is_in_control_flow() -> bool:
    """Return whether the graph that is being traced is the body of a loop or a branch, or is called in one."""
    if tf.executing_eagerly():
        return False
    graph: Any = tf.compat.v1.get_default_graph()
    while graph is not None and not getattr(graph, "is_control_flow_graph", False):
        graph = getattr(graph, "outer_graph", None)
    return graph is not None


# ---- faster access, and hidden facts -----------------------------------------------------------------------------


def _quick_shape(x: Array) -> Sequence[int | None]:
    return x._shape_tuple()


def _plain_shape(x: Array) -> Sequence[int | None]:
    return x.shape.as_list()


shape_of: Callable[[Array], Sequence[int | None]] = (
    _plain_shape if find("tensorflow:Tensor._shape_tuple") is None else _quick_shape
)
"""Return the sizes of a tensor's axes. Without the name, a `TensorShape` is made, which takes ten times as long."""

_is_mkl_enabled = find("tensorflow.python.util._pywrap_util_port:IsMklEnabled")


@cache
def has_onednn() -> bool:
    """Return whether TensorFlow uses oneDNN, which no public function tells; False without the name.

    By default it does so on CPUs with instructions for neural networks (AVX-512 VNNI, AMX, ...). The variable
    `TF_ENABLE_ONEDNN_OPTS` overrides this.
    """
    return _is_mkl_enabled is not None and bool(_is_mkl_enabled())

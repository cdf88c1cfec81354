"""Nodes that XLA takes over at once, in the place of others.

When XLA takes a graph over, some kinds of nodes become a module of MLIR each, which runs through all passes that lower
TensorFlow to XLA: 2.6 ms a node (TensorFlow 2.21, `mlir_xla_op_kernel.cc`), where others take some microseconds. A relu
and its gradient are two of them, a tenth of the first epoch of a perceptron of 20 layers. They are replaced by nodes of
which the same XLA operations are made: no number changes. TensorFlow's own kernels, and gradients, are another matter:
the graph must be for XLA alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras_tensorflow.elementwise import WIDE

raw = tf.raw_ops


def _relu(x: Array) -> Array:
    return raw.Maximum(x=x, y=tf.zeros((), x.dtype))


def _relu_grad(gradients: Array, features: Array) -> Array:
    zero = tf.zeros((), features.dtype)
    return raw.SelectV2(condition=raw.Greater(x=features, y=zero), t=gradients, e=zero)


def _reciprocal(x: Array) -> Array:
    return raw.RealDiv(x=tf.ones((), x.dtype), y=x)


_OTHERS: dict[str, Callable[..., Array]] = {
    "Relu": _relu,
    "ReluGrad": _relu_grad,
    "Reciprocal": _reciprocal,
}


def replace_slow_nodes(graph: Any, results: Sequence[Array]) -> list[Array]:
    """Put other nodes in the place of those that are slow to take over, but for those in loops and called functions.

    Args:
        graph: a `FuncGraph` that is being traced, for XLA alone: nobody differentiates it.
        results: its tensors that will be given out.

    Returns:
        Them, or what stands in their place.
    """
    instead: dict[int, Array] = {}
    for node in graph.get_operations():
        # Of other dtypes it is not known that the same code comes out.
        if node.type in _OTHERS and node.outputs[0].dtype in WIDE and not node._control_outputs:
            old = node.outputs[0]
            with graph.control_dependencies(node.control_inputs):
                new = instead[id(old)] = _OTHERS[node.type](*node.inputs)
            for user in old.consumers():
                for place, tensor in enumerate(user.inputs):
                    if tensor is old:
                        user._update_input(place, new)
    return [instead.get(id(x), x) for x in results]

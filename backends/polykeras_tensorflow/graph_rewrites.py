"""Replaces nodes of a graph that are slow to convert for XLA.

When XLA takes over a graph, some kinds of nodes each become a module of MLIR, which runs through all passes that lower
TensorFlow to XLA. This takes some milliseconds for each node (TensorFlow 2.21, `mlir_xla_op_kernel.cc`), ten times as
long as for others. The step of a 20-layer perceptron with Adam has 43 square roots, 20 relus and as many gradients of
them. They are replaced by nodes that become the same XLA operations, or others with the same bits. This does not hold
for TensorFlow's own kernels or for gradients, so the graph must be for XLA alone.

Some nodes are kept, since no replacement with their bits is known: exp, expm1, tanh, abs, sign, cos, floor, softmax,
rsqrt, and square roots, unless something is added to the root or divided by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras_tensorflow.elementwise import WIDE
from polykeras_tensorflow.graphs import constant
from polykeras_tensorflow.private import CAN_REPLACE_NODES, exchange_input, has_control_outputs

raw = tf.raw_ops


def _relu(x: Array) -> Array:
    return raw.Maximum(x=x, y=constant(0, x.dtype))


def _relu_grad(gradients: Array, features: Array) -> Array:
    zero = constant(0, features.dtype)
    return raw.SelectV2(condition=raw.Greater(x=features, y=zero), t=gradients, e=zero)


def _reciprocal(x: Array) -> Array:
    return raw.RealDiv(x=constant(1, x.dtype), y=x)


def _sigmoid(x: Array) -> Array:
    return raw.SoftplusGrad(gradients=raw.OnesLike(x=x), features=x)  # one times XLA's `logistic`


def _log1p(x: Array) -> Array:
    return raw.Xlog1py(x=constant(1, x.dtype), y=x)


def _sqrt(x: Array) -> Array:
    # The compiler turns the power into a square root, which has its bits for all numbers above zero. (A power of -0 and
    # of -inf differs.) The product preserves the signs of zeros. Subnormal numbers are zeros in XLA.
    zero = constant(0, x.dtype)
    undefined = constant(np.copysign(np.nan, -1.0), x.dtype)  # as the processor's instruction returns it
    root = raw.Pow(x=x, y=constant(0.5, x.dtype))
    rest = raw.SelectV2(condition=raw.Less(x=x, y=zero), t=undefined, e=raw.Mul(x=x, y=zero))
    return raw.SelectV2(condition=raw.Greater(x=x, y=zero), t=root, e=rest)


_OTHERS: dict[str, Callable[..., Array]] = {
    "Relu": _relu,
    "ReluGrad": _relu_grad,
    "Reciprocal": _reciprocal,
    "Sigmoid": _sigmoid,
    "Log1p": _log1p,
}
if tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 21):  # in older versions, the compiled power has other bits
    _OTHERS["Sqrt"] = _sqrt


def _is_replaced(node: Any) -> bool:
    """Return whether a node is to be replaced by others."""
    result = node.outputs[0] if node.type in _OTHERS else None
    # For other dtypes, it is not known whether the result is the same code.
    if result is None or result.dtype not in WIDE or has_control_outputs(node):
        return False
    before = node.inputs[0].op.type
    if before == "Const":  # XLA folds it, by other code
        return False
    # XLA has special rules for roots in products, in logarithms, in denominators and of exponentials.
    return node.type != "Sqrt" or (before != "Exp" and all(_leaves_alone(user, result) for user in result.consumers()))


def _leaves_alone(user: Any, root: Array) -> bool:
    """Return whether XLA has no rule for a node that uses a square root: a sum, or a quotient of the root."""
    return user.type == "AddV2" or (user.type == "RealDiv" and user.inputs[1] is not root)


def replace_slow_nodes(graph: Any, results: Sequence[Array]) -> list[Array]:
    """Replace the nodes that are slow to convert, except in loops and called functions.

    Args:
        graph: a `FuncGraph` that is being traced for XLA alone, and is not differentiated.
        results: the tensors of the graph that will be returned.

    Returns:
        The results, or their replacements.
    """
    instead: dict[int, Array] = {}
    for node in graph.get_operations() if CAN_REPLACE_NODES else ():
        if _is_replaced(node):
            old = node.outputs[0]
            with graph.control_dependencies(node.control_inputs):
                new = instead[id(old)] = _OTHERS[node.type](*node.inputs)
            for user in old.consumers():
                for place, tensor in enumerate(user.inputs):
                    if tensor is old:
                        exchange_input(user, place, new)
    return [instead.get(id(x), x) for x in results]

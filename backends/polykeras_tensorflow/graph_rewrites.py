"""Nodes that XLA takes over at once, in the place of others.

When XLA takes a graph over, some kinds of nodes become a module of MLIR each, which runs through all passes that lower
TensorFlow to XLA: some milliseconds a node (TensorFlow 2.21, `mlir_xla_op_kernel.cc`), where others take a tenth of
one. The step of a perceptron of 20 layers by Adam has 43 square roots, 20 relus and as many gradients of them. They
are replaced by nodes of which the same XLA operations are made, or others that give the same bits. TensorFlow's own
kernels, and gradients, are another matter: the graph must be for XLA alone.

Left, as nothing else is known to give their bits: exp, expm1, tanh, abs, sign, cos, floor, softmax, rsqrt, and square
roots but for those to which something is added or which are divided.
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
    # The compiler makes a square root of the power, whose bits it gives for all numbers above zero. (A power of -0 and
    # of -inf is another number.) Zeros keep their signs by the product; subnormal numbers are zeros in XLA.
    zero = constant(0, x.dtype)
    undefined = constant(np.copysign(np.nan, -1.0), x.dtype)  # as the processor's instruction gives it
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
if tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 21):  # before, the compiler gave the power other bits
    _OTHERS["Sqrt"] = _sqrt


def _is_replaced(node: Any) -> bool:
    """Return whether other nodes are to stand in the place of one."""
    result = node.outputs[0] if node.type in _OTHERS else None
    # Of other dtypes it is not known that the same code comes out.
    if result is None or result.dtype not in WIDE or has_control_outputs(node):
        return False
    before = node.inputs[0].op.type
    if before == "Const":  # XLA computes it beforehand, by other code
        return False
    # XLA has rules of its own for roots in products, logarithms, under a fraction and of exponentials.
    return node.type != "Sqrt" or (before != "Exp" and all(_leaves_alone(user, result) for user in result.consumers()))


def _leaves_alone(user: Any, root: Array) -> bool:
    """Return whether XLA has no rule for what a node makes of a square root: sums, and quotients of it."""
    return user.type == "AddV2" or (user.type == "RealDiv" and user.inputs[1] is not root)


def replace_slow_nodes(graph: Any, results: Sequence[Array]) -> list[Array]:
    """Put other nodes in the place of those that are slow to take over, but for those in loops and called functions.

    Args:
        graph: a `FuncGraph` that is being traced, for XLA alone: nobody differentiates it.
        results: its tensors that will be given out.

    Returns:
        Them, or what stands in their place.
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

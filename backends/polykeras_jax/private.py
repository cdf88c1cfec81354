"""All private names of JAX that this backend uses, and what happens without them.

`jax.extend` and `jax.interpreters` may change in any release. They are used to define primitives of our own:
convolutions (`conv_kernels.py`) and sums of rows (`rows.py`), with gradients for which XLA has fast code. If one of the
names is missing, JAX's own operations compute both.

JAX's record of its connection with other processes lets a process end after an error without waiting for them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from polykeras.backend.private_names import find

_Primitive = find("jax.extend.core:Primitive")  # the class of primitives: a name, an implementation, a type rule
_def_jvp = find("jax.interpreters.ad:defjvp")  # defines how a primitive transforms tangents
_def_bilinear = find("jax.interpreters.ad:defbilinear")  # the same for a product, with the transposes for both factors
_transposes = find("jax.interpreters.ad:primitive_transposes")  # how a linear primitive transforms gradients
_Zero = find("jax.interpreters.ad:Zero")  # a gradient that is all zeros
_batchers = find("jax.interpreters.batching:primitive_batchers")  # how `jax.vmap` batches a primitive
_register_lowering = find("jax.interpreters.mlir:register_lowering")  # how a primitive becomes part of a program
_lower_fun = find("jax.interpreters.mlir:lower_fun")  # makes a lowering from a function

_ALL = (_Primitive, _def_jvp, _def_bilinear, _transposes, _Zero, _batchers, _register_lowering, _lower_fun)
CAN_DEFINE_PRIMITIVES = all(found is not None for found in _ALL)
"""Whether primitives of our own can be defined; if not, nothing may call `bind`."""


def primitive(name: str) -> Any:
    """Return a new primitive that has only a name so far, or None if primitives cannot be defined."""
    return _Primitive(name) if CAN_DEFINE_PRIMITIVES else None


def _define(primitive: Any, fn: Callable[..., Any], shape: Callable[..., Any], batches: Callable[..., Any]) -> None:
    primitive.def_impl(fn)
    primitive.def_abstract_eval(shape)
    _batchers[primitive] = batches
    _register_lowering(primitive, _lower_fun(fn, multiple_results=False))


def define_linear(
    primitive: Any, fn: Callable[..., Any], shape: Callable[..., Any], slope: Callable[..., Any], gradient: Any
) -> None:
    """Define a function of two arrays that is linear in the first.

    Args:
        primitive: the primitive; nothing is done if primitives cannot be defined.
        fn: the implementation.
        shape: the rule for the type of the result.
        slope: `(tangent, x, indices, **arguments)`, the tangent of the result.
        gradient: `(upstream, x, indices, **arguments)`, the gradient of `x`, of which only the type is passed.
    """
    if not CAN_DEFINE_PRIMITIVES:
        return

    def transpose(upstream: Any, x: Any, indices: Any, **arguments: Any) -> list[Any]:
        if type(upstream) is _Zero:
            return [_Zero(x.aval), None]
        return [gradient(upstream, x, indices, **arguments), None]

    def over_batches(arrays: Any, axes: Any, **arguments: Any) -> tuple[Any, int]:
        return jax.vmap(partial(fn, **arguments), tuple(axes))(*arrays), 0

    _define(primitive, fn, shape, over_batches)
    _def_jvp(primitive, slope, None)
    _transposes[primitive] = transpose


def define_product(
    primitive: Any,
    fn: Callable[..., Any],
    on_cpu: Callable[..., Any],
    shape: Callable[..., Any],
    gradients: tuple[Callable[..., Any], Callable[..., Any]],
    batches: Callable[..., Any],
) -> None:
    """Define a function of two arrays that is linear in each.

    Args:
        primitive: the primitive; nothing is done if primitives cannot be defined.
        fn: the implementation.
        on_cpu: the implementation for the CPU.
        shape: the rule for the type of the result.
        gradients: for each array `(upstream, x, y, **arguments)`, its gradient; only the type of that array is passed.
        batches: `(arrays, axes, **arguments)`, the result over an additional axis, and the place of that axis in it.
    """
    if not CAN_DEFINE_PRIMITIVES:
        return
    _define(primitive, fn, shape, batches)
    primitive.def_impl(on_cpu)
    _def_bilinear(primitive, *gradients)
    _register_lowering(primitive, _lower_fun(on_cpu, multiple_results=False), platform="cpu")


_connection = find("jax._src.distributed:global_state")  # what `jax.distributed.shutdown` ends


def forget_connection() -> None:
    """Let this process end without waiting for the others; without the private name, JAX waits for its timeouts.

    JAX has no public way to leave a run of which a process is lost: `jax.distributed.shutdown` waits for all processes,
    and aborts this one when they do not come. So do the destructors of its objects, which are therefore never called.
    """
    for name in ("preemption_sync_manager", "client", "service"):
        held = getattr(_connection, name, None)
        if held is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
            setattr(_connection, name, None)

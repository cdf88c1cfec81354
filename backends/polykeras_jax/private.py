"""Every private name of JAX that this backend uses, each with what happens without it.

`jax.extend` and `jax.interpreters` come without a promise from release to release. What is used of them defines
primitives of our own: convolutions (`conv_kernels.py`) and sums of rows (`rows.py`), whose gradients XLA has fast code
for. Without one of the names JAX's own operations compute both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from polykeras.backend.private_names import find

_Primitive = find("jax.extend.core:Primitive")  # a primitive's name, how it is computed and what its result is like
_def_jvp = find("jax.interpreters.ad:defjvp")  # what it makes of a tangent
_def_bilinear = find("jax.interpreters.ad:defbilinear")  # the same of a product of two, and both transposes
_transposes = find("jax.interpreters.ad:primitive_transposes")  # what a linear one makes of a gradient
_Zero = find("jax.interpreters.ad:Zero")  # a gradient of nothing but zeros
_batchers = find("jax.interpreters.batching:primitive_batchers")  # what `jax.vmap` makes of it
_register_lowering = find("jax.interpreters.mlir:register_lowering")  # what a program is made of
_lower_fun = find("jax.interpreters.mlir:lower_fun")  # a lowering from a function

_ALL = (_Primitive, _def_jvp, _def_bilinear, _transposes, _Zero, _batchers, _register_lowering, _lower_fun)
CAN_DEFINE_PRIMITIVES = all(found is not None for found in _ALL)
"""Whether there are primitives of our own; otherwise nobody may `bind` one."""


def primitive(name: str) -> Any:
    """Return a new primitive, of which JAX knows the name alone; None where there are none."""
    return _Primitive(name) if CAN_DEFINE_PRIMITIVES else None


def _define(primitive: Any, fn: Callable[..., Any], shape: Callable[..., Any], batches: Callable[..., Any]) -> None:
    primitive.def_impl(fn)
    primitive.def_abstract_eval(shape)
    _batchers[primitive] = batches
    _register_lowering(primitive, _lower_fun(fn, multiple_results=False))


def define_linear(
    primitive: Any, fn: Callable[..., Any], shape: Callable[..., Any], slope: Callable[..., Any], gradient: Any
) -> None:
    """Tell JAX all about a function of two arrays that is linear in the first.

    Args:
        primitive: its name in programs; where there are none nothing is done.
        fn: what a program is made of.
        shape: the type of what it gives.
        slope: `(tangent, x, indices, **arguments)`, what it makes of a tangent.
        gradient: `(upstream, x, indices, **arguments)`, what it makes of a gradient; of `x` there is the type alone.
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
    """Tell JAX all about a function of two arrays that is linear in each.

    Args:
        primitive: its name in programs; where there are none nothing is done.
        fn: what a program is made of.
        on_cpu: the same for the CPU.
        shape: the type of what it gives.
        gradients: for each array `(upstream, x, y, **arguments)`, its gradient; of that array there is the type alone.
        batches: `(arrays, axes, **arguments)`, what it gives over a further axis, and which that is in there.
    """
    if not CAN_DEFINE_PRIMITIVES:
        return
    _define(primitive, fn, shape, batches)
    primitive.def_impl(on_cpu)
    _def_bilinear(primitive, *gradients)
    _register_lowering(primitive, _lower_fun(on_cpu, multiple_results=False), platform="cpu")

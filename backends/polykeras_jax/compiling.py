"""Programs for XLA: with which options they are compiled, and what one may count on while they are traced."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any

import jax

from polykeras import fast, recent
from polykeras_jax.arrays import on_cpu
from polykeras_jax.loops import traced_with

_LEVEL = "xla_backend_optimization_level"
_LIBRARY = "xla_cpu_experimental_ynn_fusion_type"
# What XLA leaves to the library YNNPACK by itself (jax 0.10), but for convolutions. Options of a program replace the
# list; `XLA_FLAGS` alone knows a form that takes one from it.
_WITHOUT_CONVOLUTIONS = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"

_kernels: ContextVar[bool] = ContextVar("polykeras_jax_convolution_kernels", default=False)


def has_convolution_kernels() -> bool:
    """Return whether what is traced now is compiled so that XLA's own kernels compute its convolutions."""
    return _kernels.get()


def step_options() -> dict[str, Any]:
    """Return how XLA is to compile steps; a level in the environment's `XLA_FLAGS` counts more.

    LLVM's third level, XLA's default, takes longer than the second and makes small steps slower: in the step of a text
    CNN 0.7 s are spent instead of 0.4, and two small inputs with an embedding train at 0.107 ms a step, not 0.084.
    """
    tuned = not on_cpu() or _LEVEL in os.environ.get("XLA_FLAGS", "")
    return {} if tuned or not fast.enabled() else {_LEVEL: 2}


def compiled(fn: Callable[..., Any], options: dict[str, Any] | None = None, **jit: Any) -> Callable[..., Any]:
    """Return `fn` compiled with options.

    As part of another program it is compiled with that: JAX takes options at the outermost level only.

    Args:
        fn: the function.
        options: those of XLA; more are added for convolutions.
        **jit: what else `jax.jit` is told.
    """
    kernels = _kernel_options()
    traces = 0

    @wraps(fn)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal traces
        traces += 1
        return fn(*args, **kwargs)

    def jitted() -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Return the function for the outermost level, and for others, with caches of their own."""
        own = {**(options or {}), **kernels} or None
        outer = jax.jit(traced_with(_kernels, bool(kernels), counted), compiler_options=own, **jit)
        return outer, jax.jit(traced_with(_kernels, False, counted), static_argnames=jit.get("static_argnames"))

    outer, inner = jitted()

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal outer, inner, traces
        if traces > recent.PROGRAMS:  # JAX drops what it keeps for a function all at once, with the function
            traces = 0
            outer, inner = jitted()
        try:
            return outer(*args, **kwargs)
        except ValueError as error:  # arguments do not tell: those of a part may all be constants
            if "`compiler_options` can only be passed to top-level" not in str(error):
                raise
        return inner(*args, **kwargs)

    return run


def _kernel_options() -> dict[str, Any]:
    """Return the options with which XLA's own kernels compute convolutions.

    Since YNNPACK computes them, in jax 0.10, they take up to five times as long: 77 ms, not 15, for 32 images of 32x32
    with 64 channels and as many filters of 3x3 on two cores. One that a maximum of windows or a sum follows stays with
    the library, which then computes both at once.

    None off the CPU, where the environment names the option, where this XLA has none, and with `POLYKERAS_FAST=0`.
    """
    if not on_cpu() or not fast.enabled() or _LIBRARY in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {_LIBRARY: _WITHOUT_CONVOLUTIONS} if _knows(_LIBRARY, _WITHOUT_CONVOLUTIONS) else {}


@lru_cache
def _knows(option: str, value: str) -> bool:
    """Return whether this XLA has an option with such a value."""
    try:
        jax.jit(lambda: 0, compiler_options={option: value}).lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if option not in str(error):
            raise
        fast.explain("convolutions on JAX's CPU", "products of slices in loops", f"XLA has no option {option}")
        return False
    return True

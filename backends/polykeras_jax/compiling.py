"""Programs for XLA: with which options they are compiled, and what one may count on while they are traced."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any

import jax

from polykeras import fast
from polykeras_jax.arrays import on_cpu

_LEVEL = "xla_backend_optimization_level"
_LIBRARY = "xla_cpu_experimental_ynn_fusion_type"
# What XLA leaves to the library YNNPACK by itself, but for convolutions.
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
    outer = jax.jit(_traced_with(bool(kernels), fn), compiler_options={**(options or {}), **kernels} or None, **jit)
    inner = jax.jit(_traced_with(False, fn))

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return outer(*args, **kwargs)
        except ValueError as error:  # arguments do not tell: those of a part may all be constants
            if "`compiler_options` can only be passed to top-level" not in str(error):
                raise
        return inner(*args, **kwargs)

    return run


def _traced_with(kernels: bool, fn: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(fn)
    def traced(*args: Any, **kwargs: Any) -> Any:
        token = _kernels.set(kernels)
        try:
            return fn(*args, **kwargs)
        finally:
            _kernels.reset(token)

    return traced


def _kernel_options() -> dict[str, Any]:
    """Return the options with which XLA's own kernels compute convolutions; none where it has no such option.

    Since YNNPACK computes them, in jax 0.10, they take up to five times as long: 77 ms, not 15, for 32 images of 32x32
    with 64 channels and as many filters of 3x3 (2 cores).
    """
    if not on_cpu() or not fast.enabled() or _LIBRARY in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {_LIBRARY: _WITHOUT_CONVOLUTIONS} if _knows(_LIBRARY, _WITHOUT_CONVOLUTIONS) else {}


@lru_cache
def _knows(option: str, value: str) -> bool:
    """Return whether this XLA has an option."""
    try:
        jax.jit(lambda: 0, compiler_options={option: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True

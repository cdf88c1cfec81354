"""Compilation with XLA: its options, and what traced code may rely on."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from functools import wraps
from operator import attrgetter
from typing import Any, TypeVar

import jax

from polykeras import fast
from polykeras.backend.hlo import without_places
from polykeras.common import lru_cache
from polykeras.common.global_draws import fixed_by_tracing
from polykeras_jax.arrays import on_cpu
from polykeras_jax.traces import traced_with

T = TypeVar("T")

_LEVEL = "xla_backend_optimization_level"
_LIBRARY = "xla_cpu_experimental_ynn_fusion_type"
# The operations that XLA gives to the library YNNPACK by default (jax 0.10), without convolutions. A program's options
# replace this list as a whole; only `XLA_FLAGS` can remove one entry.
_WITHOUT_CONVOLUTIONS = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"

_OPTIONS = ("jax_default_prng_impl", "jax_high_dynamic_range_gumbel", "jax_debug_nans", "jax_debug_infs")
_settings = attrgetter(*(name for name in _OPTIONS if hasattr(jax.config, name)))


def step_options() -> dict[str, Any]:
    """Return XLA's options for steps; an optimization level in `XLA_FLAGS` takes precedence.

    LLVM's second level compiles faster than the third, which is XLA's default, and small steps run faster too.
    """
    tuned = not on_cpu() or _LEVEL in os.environ.get("XLA_FLAGS", "")
    return {} if tuned or not fast.enabled("second-level") else {_LEVEL: 2}


def compiled(fn: Callable[..., Any], options: dict[str, Any] | None = None, **jit: Any) -> Callable[..., Any]:
    """Compile `fn` with options.

    Inside another program, `fn` is compiled with the options of that program, because JAX accepts options only at the
    outermost level.

    Args:
        fn: the function.
        options: XLA's options; the options for convolutions are added.
        **jit: further arguments of `jax.jit`.
    """
    kernels = _kernel_options()
    outer_options = {**(options or {}), **kernels} or None
    static = jit.get("static_argnames")
    traces = 0

    @wraps(fn)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal traces
        traces += 1
        return fn(*args, **kwargs)

    def programs() -> tuple[Any, Any]:
        """Return one function for the outermost level and one for inside other programs, each with its own cache."""
        traced = fixed_by_tracing(traced_with(counted, has_convolution_kernels=bool(kernels)))
        part = fixed_by_tracing(traced_with(counted, has_convolution_kernels=False))
        how: dict[str, Any] = {"static_argnames": static} if _looks_for_nan() else jit
        return jax.jit(traced, compiler_options=outer_options, **how), jax.jit(part, static_argnames=static)

    here = for_settings(programs)

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal here, traces
        if traces > lru_cache.PROGRAMS:  # JAX frees the traces of a function only all at once
            traces = 0
            here = for_settings(programs)
        outer, inner = here()
        try:
            return outer(*args, **kwargs)
        except ValueError as error:  # the arguments cannot tell: inside a program they may all be constants
            if "`compiler_options` can only be passed to top-level" not in str(error):
                raise
        return inner(*args, **kwargs)

    def program(stage: str, *args: Any, **kwargs: Any) -> str:
        lowered = here()[0].lower(*args, **kwargs)
        return lowered.as_text() if stage == "traced" else without_places(lowered.compile().as_text())

    shown: Any = run
    shown.program = program
    return shown


def for_settings(make: Callable[[], T]) -> Callable[[], T]:
    """Cache the result of `make` for each state of certain options of JAX.

    These options change a program, but `jax.jit` does not recompile for them (jax 0.10).
    """
    made: dict[Any, T] = {}

    def here() -> T:
        state = _settings(jax.config)
        found = made.get(state)
        if found is None:
            found = made[state] = make()
        return found

    return here


def for_programs(make: Callable[[], T]) -> Callable[[], T]:
    """Cache a part of programs, as `for_settings` does, for use wherever a program is traced.

    The part is traced once for all programs that contain it. JAX keeps the traces as long as the part lives, so a new
    part is made after every `lru_cache.PROGRAMS` programs.
    """
    here, programs = for_settings(make), 0

    def part() -> T:
        nonlocal here, programs
        programs += 1
        if programs > lru_cache.PROGRAMS:
            here, programs = for_settings(make), 1
        return here()

    return part


def _looks_for_nan() -> bool:
    """Return whether JAX checks for non-finite numbers.

    If it does, JAX calls a failed function again, step by step, with the same arguments, so they must not be donated.
    """
    settings: Any = jax.config
    return settings.jax_debug_nans or settings.jax_debug_infs


def _kernel_options() -> dict[str, Any]:
    """Return the options that make XLA's own kernels compute convolutions.

    In jax 0.10, YNNPACK computes convolutions by default, and takes up to five times as long. Convolutions that are
    followed by a pooling maximum or a sum stay with YNNPACK, which fuses the two.

    The result is empty off the CPU, if the environment sets the option, if this XLA lacks it, and with
    `POLYKERAS_FAST=0`.
    """
    if not on_cpu() or not fast.enabled("convolution-kernels") or _LIBRARY in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {_LIBRARY: _WITHOUT_CONVOLUTIONS} if _knows(_LIBRARY, _WITHOUT_CONVOLUTIONS) else {}


@functools.lru_cache
def _knows(option: str, value: str) -> bool:
    """Return whether this XLA accepts the option with this value."""
    try:
        jax.jit(lambda: 0, compiler_options={option: value}).lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if option not in str(error):
            raise
        fast.explain("convolutions on JAX's CPU", "products of slices in loops", f"XLA has no option {option}")
        return False
    return True

"""Programs for XLA: with which options they are compiled, and what one may count on while they are traced."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from operator import attrgetter
from typing import Any, TypeVar

import jax

from polykeras import fast
from polykeras.backend.hlo import without_places
from polykeras.common import lru_cache
from polykeras.common.global_draws import fixed_by_tracing
from polykeras_jax.arrays import on_cpu
from polykeras_jax.loops import traced_with

T = TypeVar("T")

_LEVEL = "xla_backend_optimization_level"
_LIBRARY = "xla_cpu_experimental_ynn_fusion_type"
# What XLA leaves to the library YNNPACK by itself (jax 0.10), but for convolutions. Options of a program replace the
# list; `XLA_FLAGS` alone knows a form that takes one from it.
_WITHOUT_CONVOLUTIONS = "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"

_OPTIONS = ("jax_default_prng_impl", "jax_high_dynamic_range_gumbel", "jax_debug_nans", "jax_debug_infs")
_settings = attrgetter(*(name for name in _OPTIONS if hasattr(jax.config, name)))

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
    return {} if tuned or not fast.enabled("second-level") else {_LEVEL: 2}


def compiled(fn: Callable[..., Any], options: dict[str, Any] | None = None, **jit: Any) -> Callable[..., Any]:
    """Return `fn` compiled with options.

    As part of another program it is compiled with that: JAX takes options at the outermost level only.

    Args:
        fn: the function.
        options: those of XLA; more are added for convolutions.
        **jit: what else `jax.jit` is told.
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
        """Return the function for the outermost level, and for others, with caches of their own."""
        traced = fixed_by_tracing(traced_with(_kernels, bool(kernels), counted))
        part = fixed_by_tracing(traced_with(_kernels, False, counted))
        how: dict[str, Any] = {"static_argnames": static} if _looks_for_nan() else jit
        return jax.jit(traced, compiler_options=outer_options, **how), jax.jit(part, static_argnames=static)

    here = for_settings(programs)

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal here, traces
        if traces > lru_cache.PROGRAMS:  # JAX drops what it keeps for a function all at once, with the function
            traces = 0
            here = for_settings(programs)
        outer, inner = here()
        try:
            return outer(*args, **kwargs)
        except ValueError as error:  # arguments do not tell: those of a part may all be constants
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
    """Return a function that gives what `make` makes, once for each state of some options of JAX.

    They are those that change a program, and for which `jax.jit` does not make another one (jax 0.10).
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
    """Return a function that gives a part of programs, as `for_settings` does, where each is traced.

    The part is traced once for all programs that have it. JAX keeps these traces as long as the part, so that it is
    made anew after as many programs as are kept.
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
    """Return whether JAX looks for numbers that are not finite.

    Then it calls again what gave one, step by step, with the same arguments: nothing must have been donated.
    """
    settings: Any = jax.config
    return settings.jax_debug_nans or settings.jax_debug_infs


def _kernel_options() -> dict[str, Any]:
    """Return the options with which XLA's own kernels compute convolutions.

    Since YNNPACK computes them, in jax 0.10, they take up to five times as long: 77 ms, not 15, for 32 images of 32x32
    with 64 channels and as many filters of 3x3 on two cores. One that a maximum of windows or a sum follows stays with
    the library, which then computes both at once.

    None off the CPU, where the environment names the option, where this XLA has none, and with `POLYKERAS_FAST=0`.
    """
    if not on_cpu() or not fast.enabled("convolution-kernels") or _LIBRARY in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {_LIBRARY: _WITHOUT_CONVOLUTIONS} if _knows(_LIBRARY, _WITHOUT_CONVOLUTIONS) else {}


@functools.lru_cache
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

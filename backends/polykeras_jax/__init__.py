"""The jax backend of polykeras. Importing this package imports no framework; loading the backend does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_jax.accelerators import share_memory
    from polykeras_jax.backend import JaxBackend
    from polykeras_jax.caller_thread import run_where_called
    from polykeras_jax.native.handles import accept_handles

    share_memory()
    run_where_called()
    accept_handles()
    return JaxBackend()


def _on_host(function: Callable[..., Any], arrays: list[Any], specs: Callable[..., Any]) -> Any:
    from polykeras_jax.host_calls import on_host

    return on_host(function, arrays, specs)


_FAST_PATHS = {
    "borrowed-memory": "host memory that is used in place",
    "caller-thread": "programs for the CPU in the thread that calls them",
    "convolution-kernels": "convolutions by XLA's own kernels, in loops too",
    "convolution-products": "convolutions of few channels and of groups as products",
    "eager-programs": "some composites as one program in eager code",
    "predict-batches": "small batches of a prediction in one program",
    "rows": "lookups of wide rows, and their gradients, row by row",
    "second-level": "LLVM's second level in place of its third",
    "slices": "batches of a stream cut out of their buffer",
}

provider = Provider(
    framework="jax",
    load=_load,
    priority=30,
    install='pip install "polykeras[jax]"',
    tested=("0.8.2", "0.12"),
    on_host=_on_host,
    fast_paths=_FAST_PATHS,
)

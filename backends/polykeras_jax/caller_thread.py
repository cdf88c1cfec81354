"""The thread in which JAX runs programs for the CPU."""

from __future__ import annotations

import os

import jax

from polykeras import fast

_OPTION = "jax_cpu_enable_async_dispatch"


def run_where_called() -> None:
    """Make JAX run programs for the CPU in the calling thread, from the first program of the process on.

    By default a thread of JAX runs them, so that the caller can continue. We always wait for the result: a chunk of
    steps, or a prediction. Waking that thread and being woken takes as long as a small model's prediction itself.
    Blocks of more than 64 MB that this thread frees go back to the system, and the next step must fetch them page by
    page (see `polykeras.backend.host_memory`). A host callback that calls JAX within such a program may also hang
    (https://github.com/jax-ml/jax/issues/24255, 25861).

    This has no effect if the process has already used JAX's CPU client, on other devices, if the environment variable
    `JAX_CPU_ENABLE_ASYNC_DISPATCH` is set, or with `POLYKERAS_FAST=0`.
    """
    if fast.enabled("caller-thread") and _OPTION.upper() not in os.environ:
        jax.config.update(_OPTION, False)
        fast.explain("programs of JAX for the CPU", "asked to run in the thread that calls them", "the caller waits")

"""In which thread JAX runs programs for the CPU."""

from __future__ import annotations

import os

import jax

from polykeras import fast

_OPTION = "jax_cpu_enable_async_dispatch"


def run_where_called() -> None:
    """Have programs for the CPU run in the thread that calls them, from the first one of the process on.

    JAX has them run by a thread of its own, so that the caller can go on meanwhile. We wait for what they return: a
    chunk of steps, a prediction. To wake the one thread and then the other takes as long as a small model's prediction
    does by itself, and what that thread frees of blocks of more than 64 MB goes back to the system, from which it comes
    page by page for the next step (see `polykeras.backend.host_memory`). Also, a host callback within such a program
    that calls JAX may hang (https://github.com/jax-ml/jax/issues/24255, 25861).

    Nothing changes where the process has used JAX's client for the CPU before, on other devices, where the environment
    names the option (`JAX_CPU_ENABLE_ASYNC_DISPATCH`), and with `POLYKERAS_FAST=0`.
    """
    if fast.enabled("caller-thread") and _OPTION.upper() not in os.environ:
        jax.config.update(_OPTION, False)
        fast.explain("programs of JAX for the CPU", "asked to run in the thread that calls them", "the caller waits")

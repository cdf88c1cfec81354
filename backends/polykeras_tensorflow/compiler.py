"""How XLA compiles what TensorFlow gives to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from polykeras import fast
from polykeras_tensorflow.arrays import computes_on_cpu

_LEVEL = "xla_backend_optimization_level"
_FLAGS = "XLA_FLAGS"
_chosen = False


@contextmanager
def compiling() -> Iterator[None]:
    """Around the first run of a program: the first of a process chooses LLVM's second level for all of them.

    LLVM's third level, XLA's default, takes longer than the second and makes small steps slower, as on JAX: two small
    inputs with an embedding train at 0.13 ms a step, not 0.075. TensorFlow has no option for it; XLA reads the variable
    `XLA_FLAGS` when it first compiles, and never again. A level in it counts more than ours. It is put back, for others
    read it too: JAX, and processes that are started.
    """
    global _chosen
    flags = os.environ.get(_FLAGS)
    if _chosen or _LEVEL in (flags or "") or not (fast.enabled("second-level") and computes_on_cpu()):
        yield
        return
    _chosen = True
    os.environ[_FLAGS] = f"{flags or ''} --{_LEVEL}=2".strip()
    try:
        yield
    finally:
        if flags is None:
            del os.environ[_FLAGS]
        else:
            os.environ[_FLAGS] = flags

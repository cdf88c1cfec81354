"""How XLA compiles TensorFlow's graphs."""

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
    """A context for the first run of a program. The first program of a process sets LLVM's level 2 for all of them.

    XLA's default, LLVM's level 3, takes longer than level 2 and makes small steps slower, as on JAX. TensorFlow has no
    option for it. XLA reads the variable `XLA_FLAGS` once, when it first compiles. A level that a user sets there takes
    precedence. The variable is restored afterwards, because others read it too: JAX, and child processes.
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

"""Settings for GPUs and TPUs, which must be made before JAX begins to use them."""

from __future__ import annotations

import os
from importlib import metadata, util

_MEMORY = ("XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION")


def has_accelerators() -> bool:
    """Return whether JAX has a plugin for GPUs or TPUs, without loading it."""
    return bool(metadata.entry_points(group="jax_plugins")) or util.find_spec("libtpu") is not None


def share_memory() -> None:
    """Let JAX take a GPU's memory as it needs it, instead of three quarters at first use.

    PyTorch and TensorFlow may run on the same GPU in this process. This has no effect if an environment variable
    already sets how much memory JAX takes, or if JAX has already used the GPU.
    """
    if not any(name in os.environ for name in _MEMORY):
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

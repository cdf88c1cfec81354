"""What is set for GPUs and TPUs before JAX begins to use them."""

from __future__ import annotations

import os
from importlib import metadata, util

_MEMORY = ("XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION")


def has_accelerators() -> bool:
    """Return whether JAX has a plugin for GPUs or TPUs, without loading it."""
    return bool(metadata.entry_points(group="jax_plugins")) or util.find_spec("libtpu") is not None


def share_memory() -> None:
    """Have JAX take a GPU's memory as it needs it, and not three quarters of it when it is first used.

    PyTorch and TensorFlow may run on the same GPU in this process. Nothing changes where the environment says how much
    JAX takes, or where JAX has used the GPU before.
    """
    if not any(name in os.environ for name in _MEMORY):
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

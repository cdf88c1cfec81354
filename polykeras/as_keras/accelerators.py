"""Queries of Keras's tests about the accelerators of a backend."""

from __future__ import annotations

from polykeras import backend
from polykeras.backend import registry


def _runs_on(framework: str, kind: str) -> bool:
    return backend.backend() == framework and any(kind in name for name in registry.current().devices())


def uses_gpu() -> bool:
    """Return whether the current backend has a GPU."""
    return _runs_on(backend.backend(), "gpu")


def uses_tpu() -> bool:
    """Return whether the current backend has a TPU."""
    return _runs_on(backend.backend(), "tpu")


def jax_uses_gpu() -> bool:
    """Return whether the backend is JAX, with a GPU."""
    return _runs_on("jax", "gpu")


def jax_uses_tpu() -> bool:
    """Return whether the backend is JAX, with a TPU."""
    return _runs_on("jax", "tpu")


def tensorflow_uses_gpu() -> bool:
    """Return whether the backend is TensorFlow, with a GPU."""
    return _runs_on("tensorflow", "gpu")


def tensorflow_uses_tpu() -> bool:
    """Return whether the backend is TensorFlow, with a TPU."""
    return _runs_on("tensorflow", "tpu")


def torch_uses_gpu() -> bool:
    """Return whether the backend is PyTorch, with a GPU."""
    return _runs_on("torch", "gpu")

"""What a process does with fast paths. `test_fast.py` runs it as a program: `python fast_run.py WHAT BACKEND`."""

from __future__ import annotations

import inspect
import sys

import numpy as np

import polykeras as keras
from polykeras.backend import Backend, registry
from polykeras.backend.providers import providers


def overrides(backend: str) -> None:
    """Print which composites of the contract the backend has kernels of its own for."""
    found = type(registry.load(backend))
    composites = (
        name
        for name in dir(Backend)
        if hasattr(method := getattr(Backend, name), "__op__") and not getattr(method, "__isabstractmethod__", False)
    )
    own = (
        name
        for name in composites
        if inspect.unwrap(getattr(found, name)) is not inspect.unwrap(getattr(Backend, name))
    )
    print("overrides:", *own)


def frameworks(backend: str) -> None:
    """Load the backend, and print which frameworks are imported then."""
    registry.load(backend)
    found = [provider.framework for provider in providers().values() if provider.framework in sys.modules]
    print("frameworks:", *(found or ["none"]))


def calls(backend: str) -> None:
    """Call a model again and again, and train it."""
    with keras.use_backend(backend):
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3), keras.layers.LayerNormalization()], name="m"
        )
        x = keras.ops.convert_to_tensor(np.ones((2, 4), "float32"))
        for _ in range(4):
            model(x)
        model.compile("adam", "mse")
        model.fit(np.ones((4, 4), "float32"), np.ones((4, 3), "float32"), verbose=0)


if __name__ == "__main__":
    {"overrides": overrides, "frameworks": frameworks, "calls": calls}[sys.argv[1]](sys.argv[2])

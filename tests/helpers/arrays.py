"""Arrays that tests begin with, and results on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops


def data(*shape: int, seed: int = 0) -> np.ndarray:
    """Return normal numbers in float32, the same ones in each call."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def f32(x: Any) -> np.ndarray:
    """Return floats as float32; integers and bools stay what they are."""
    x = np.asarray(x)
    return x.astype(np.float32) if x.dtype.kind == "f" else x


def host(x: Any) -> np.ndarray:
    """Return an array of the current backend, or a variable, as a NumPy array."""
    return np.asarray(ops.convert_to_numpy(x))

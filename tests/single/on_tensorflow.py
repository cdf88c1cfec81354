"""What the tests of the tensorflow backend share: random tensors and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf


def random(*shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def gradients(tb: Any, fn: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Return the gradients of the sum of `fn(*arrays)`."""
    return [g.numpy() for g in tb.value_and_grad(lambda xs: (tb.sum(fn(*xs)), None), [*map(tb.asarray, arrays)])[2]]


def second(tb: Any, fn: Callable[[Any], Any], x: Any) -> np.ndarray:
    """Return the gradient of the sum of the gradient of the sum of `fn(x)`."""

    def inner(xs: list[Any]) -> tuple[Any, None]:
        return tb.sum(tb.value_and_grad(lambda ys: (tb.sum(fn(ys[0])), None), xs)[2][0]), None

    return tb.value_and_grad(inner, [x])[2][0].numpy()

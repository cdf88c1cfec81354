"""Attention by itself on TensorFlow, which has no function for it: in a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

array = tf.constant
own: Callable[..., Any] | None = None


def wait(result: Any) -> None:
    """Wait until a result, or the first of several, is computed."""
    (result[0] if isinstance(result, list | tuple) else result).numpy()


def compiled(attention: Callable[..., Any], gradient: bool) -> Callable[..., Any]:
    """Return attention, or the gradients of its sum."""

    @tf.function(autograph=False)
    def run(*arrays: Any) -> Any:
        if not gradient:
            return attention(*arrays)
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            total = tf.reduce_sum(attention(*arrays))
        return tape.gradient(total, arrays)

    return run

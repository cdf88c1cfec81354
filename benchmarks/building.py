"""The section build: importing, building and printing a deep model, and the cost of one layer call in eager mode."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from statistics import median
from typing import Any

LAYERS = 300
CALLS = 400


def _seconds(function: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def _deep_model(k: Any) -> Any:
    inputs = x = k.Input((32,))
    for _ in range(LAYERS):
        x = k.layers.Dense(32, activation="relu")(x)
    return k.Model(inputs, x)


def _microseconds(call: Callable[[], Any]) -> float:
    def calls() -> None:
        for _ in range(CALLS):
            call()

    calls()
    return 1e6 * median(_seconds(calls) for _ in range(5)) / CALLS


def _native_dense(framework: str) -> Callable[[], Any]:
    """Return a call of one linear layer as the framework has it; PyTorch records it for gradients by default."""
    import numpy as np

    x, kernel = np.ones((8, 32), "float32"), np.full((32, 32), 0.1, "float32")

    def on_torch() -> Callable[[], Any]:
        torch: Any = importlib.import_module("torch")
        layer, tensor = torch.nn.Linear(32, 32), torch.from_numpy(x)
        return lambda: layer(tensor)

    def on_jax() -> Callable[[], Any]:
        jnp: Any = importlib.import_module("jax.numpy")
        tensor, w, b = jnp.asarray(x), jnp.asarray(kernel), jnp.zeros(32)
        return lambda: tensor @ w + b

    def on_tensorflow() -> Callable[[], Any]:
        tf: Any = importlib.import_module("tensorflow")
        tensor, w, b = tf.constant(x), tf.Variable(kernel), tf.Variable(tf.zeros(32))
        return lambda: tf.nn.bias_add(tf.matmul(tensor, w), b)

    return {"torch": on_torch, "jax": on_jax, "tensorflow": on_tensorflow}[framework]()


def build(who: str, framework: str, _: str) -> dict[str, Any]:
    """Return seconds (import, build, summary) and microseconds (a call of Dense on (8, 32) in eager mode).

    Nothing that it measures is imported before. The import is over NumPy: polykeras loads no framework with it, Keras
    loads its own. With the framework, both do.
    """
    importlib.import_module("numpy")
    if who == "native":
        return {"Dense call": _microseconds(_native_dense(framework))}
    imported = _seconds(lambda: importlib.import_module(who))
    k: Any = importlib.import_module(who)
    loaded = _seconds(lambda: k.ops.ones((8, 32)))
    ones = k.ops.ones((8, 32))
    models: list[Any] = []
    built = median(_seconds(lambda: models.append(_deep_model(k))) for _ in range(3))
    summary = median(_seconds(lambda: models[0].summary(print_fn=lambda *_, **__: None)) for _ in range(3))
    layer = k.layers.Dense(32)
    layer(ones)
    return {
        "import": imported,
        "import with framework": imported + loaded,
        f"build {LAYERS} layers": built,
        "summary": summary,
        "Dense call": _microseconds(lambda: layer(ones)),
    }

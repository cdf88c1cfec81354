"""The section build: importing, building and printing a deep model, and the cost of one layer call in eager mode."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.timing import median_seconds, seconds_a_call

LAYERS = 300
CALLS = 2000
# In an interpreter of its own, in which nothing but NumPy was imported: this process has most of the standard library.
IMPORT = """
import time, numpy
begin = time.perf_counter()
import {who} as k
imported = time.perf_counter()
k.ops.ones((8, 32))
print(imported - begin, time.perf_counter() - begin)
"""


def _deep_model(k: Any) -> Any:
    inputs = x = k.Input((32,))
    for _ in range(LAYERS):
        x = k.layers.Dense(32, activation="relu")(x)
    return k.Model(inputs, x)


def _microseconds(call: Callable[[], Any]) -> float:
    return 1e6 * seconds_a_call(call, CALLS, warm_up=CALLS // 5)


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


def _import_seconds(who: str) -> tuple[float, float]:
    """Return the seconds that an import takes, without and with that of the framework."""
    command = [sys.executable, "-W", "ignore", "-c", IMPORT.format(who=who)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    alone, loaded = map(float, done.stdout.split()[-2:])
    return alone, loaded


def build(who: str, framework: str, _: str) -> dict[str, Any]:
    """Return seconds (import, build, summary) and microseconds (a call of Dense on (8, 32) in eager mode).

    The import is over NumPy: polykeras loads no framework with it, Keras loads its own. With the framework, both do.
    """
    if who == "native":
        return {"Dense call": _microseconds(_native_dense(framework))}
    alone, loaded = _import_seconds(who)
    k: Any = importlib.import_module(who)
    ones = k.ops.ones((8, 32))
    models: list[Any] = []
    built = median_seconds(lambda: models.append(_deep_model(k)), 3, warm_up=0)
    summary = median_seconds(lambda: models[0].summary(print_fn=lambda *_, **__: None), 3, warm_up=0)
    layer = k.layers.Dense(32)
    layer(ones)
    return {
        "import": alone,
        "import with framework": loaded,
        f"build {LAYERS} layers": built,
        "summary": summary,
        "Dense call": _microseconds(lambda: layer(ones)),
    }

"""JAX by hand: one jitted step with donated state, and an epoch as one `lax.scan`, at two of LLVM's levels.

The third level is XLA's default; the second, a compiler option that few set, makes some steps shorter. Another option
has XLA's own kernels compute convolutions in single steps, where its default is a slower library. Freed memory is kept,
as in `fit`. Single steps are handed to JAX's thread, so that Python goes on meanwhile, and an epoch runs in the thread
that calls it, as nothing is to be done meanwhile: each is the faster one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.backend import clear_backends

from benchmarks.native.jax_models import MODELS, Mode
from benchmarks.native.memory import keep_freed_memory
from benchmarks.native.weights import arranged, split_statistics
from benchmarks.tasks import TASKS

LLVM_2: dict[str, Any] = {"xla_backend_optimization_level": 2}
OWN_CONVOLUTIONS: dict[str, Any] = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"
}
CONVOLUTIONAL = ("conv", "text_cnn", "batch_norm")
ACTIVATIONS = {"binary": jax.nn.sigmoid, "classes": jax.nn.softmax, "squares": jax.nn.sigmoid}


def _loss(kind: str, logits: Any, y: Any) -> Any:
    if kind == "binary":
        return jnp.mean(jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits))))
    if kind == "classes":
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1))
    return jnp.mean(jnp.square(jax.nn.sigmoid(logits) - y))


def _adam(params: Any, grads: Any, slots: Any, rate: float) -> tuple[Any, Any]:
    m, v, count = slots
    count = count + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
    rate = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    return jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), params, m, v), (m, v, count)


def _momentum(params: Any, grads: Any, slots: Any, rate: float) -> tuple[Any, Any]:
    slots = jax.tree.map(lambda s, g: 0.9 * s - rate * g, slots, grads)
    return jax.tree.map(jnp.add, params, slots), slots


def _sgd(params: Any, grads: Any, slots: Any, rate: float) -> tuple[Any, Any]:
    return jax.tree.map(lambda p, g: p - rate * g, params, grads), slots


UPDATES = {"adam": _adam, "momentum": _momentum, "sgd": _sgd}


def _slots(optimizer: str, params: Any) -> Any:
    def zeros() -> Any:
        return jax.tree.map(jnp.zeros_like, params)

    return {"adam": lambda: (zeros(), zeros(), jnp.zeros(())), "momentum": zeros, "sgd": lambda: ()}[optimizer]()


def _initial(name: str, weights: list[np.ndarray]) -> Any:
    params, statistics = split_statistics(name, arranged(name, weights))
    params = [jnp.array(w) for w in params]
    return params, [jnp.array(w) for w in statistics], _slots(TASKS[name].optimizer, params), jax.random.key(1)


def _step(name: str, dropout: float, state: Any, x: Any, y: Any, own_convolutions: bool = False) -> tuple[Any, Any]:
    params, statistics, slots, key = state
    key, sub = jax.random.split(key)
    task = TASKS[name]

    def loss(params: Any) -> Any:
        logits, moved = MODELS[name](params, statistics, x, Mode(True, sub, dropout, own_convolutions))
        return _loss(task.loss, logits, y), moved

    (value, statistics), grads = jax.value_and_grad(loss, has_aux=True)(params)
    params, slots = UPDATES[task.optimizer](params, grads, slots, task.rate)
    return (params, statistics, slots, key), value


Epoch = Callable[[np.ndarray], float]


Made = TypeVar("Made")
_in_own_thread = True  # JAX's default


def _dispatched(in_own_thread: bool, make: Callable[[], Made]) -> Callable[[], Made]:
    """Return `make` for programs that JAX's own thread runs, or the thread that calls them.

    The client for the CPU reads the option when it begins, so that another one begins: earlier arrays are of no use.
    """

    def begin() -> Made:
        global _in_own_thread
        if in_own_thread != _in_own_thread:
            jax.config.update("jax_cpu_enable_async_dispatch", in_own_thread)
            clear_backends()
            _in_own_thread = in_own_thread
        return make()

    return begin


def _stepwise(
    options: Any, name: str, weights: Any, x: Any, y: Any, dropout: float, own_convolutions: bool = False
) -> Epoch:
    """An epoch as single dispatches, rows gathered on the host."""
    body = partial(_step, name, dropout, own_convolutions=own_convolutions)
    step = jax.jit(body, donate_argnums=0, compiler_options=options)
    state = _initial(name, weights)

    def epoch(order: np.ndarray) -> float:
        nonlocal state
        losses = []
        for rows in order:
            state, loss = step(state, jax.tree.map(lambda a, rows=rows: a[rows], x), y[rows])
            losses.append(loss)
        return float(np.mean(jax.device_get(losses)))

    return epoch


def _scanned(options: Any, name: str, weights: Any, x: Any, y: Any, dropout: float) -> Epoch:
    """An epoch as one `lax.scan` over rows on the device."""

    @partial(jax.jit, donate_argnums=0, compiler_options=options)
    def run(state: Any, x: Any, y: Any, order: Any) -> Any:
        def body(state: Any, rows: Any) -> Any:
            return _step(name, dropout, state, jax.tree.map(lambda a: a[rows], x), y[rows])

        return lax.scan(body, state, order)

    state = _initial(name, weights)
    x, y = jax.tree.map(jnp.asarray, (x, y))

    def epoch(order: np.ndarray) -> float:
        nonlocal state
        state, losses = run(state, x, y, order)
        return float(losses.mean())

    return epoch


def trainers(name: str, weights: Any, x: Any, y: Any, dropout: float) -> dict[str, Callable[[], Epoch]]:
    """Return ways to train: each call begins anew and returns `epoch(order) -> mean loss`, order (steps, batch)."""
    keep_freed_memory()
    ways = {
        "step": (_stepwise, True, None),
        "step, LLVM 2": (_stepwise, True, LLVM_2),
        "scan": (_scanned, False, None),
        "scan, LLVM 2": (_scanned, False, LLVM_2),
    }
    if name in CONVOLUTIONAL:
        stepwise = partial(_stepwise, own_convolutions=True)
        ways["step, XLA's convolutions"] = (stepwise, True, OWN_CONVOLUTIONS)
        ways["step, XLA's convolutions, LLVM 2"] = (stepwise, True, OWN_CONVOLUTIONS | LLVM_2)
    return {
        way: _dispatched(in_own_thread, partial(make, options, name, weights, x, y, dropout))
        for way, (make, in_own_thread, options) in ways.items()
    }


def predictors(name: str, weights: Any, x: Any) -> dict[str, Callable[[], Callable[[], np.ndarray]]]:
    """Return ways to predict all rows: a jitted call a batch, and one `lax.map` over the batches, with all options."""
    batch, activation = TASKS[name].batch, ACTIVATIONS[TASKS[name].loss]

    def forward(model: Any, x: Any) -> Any:
        params, statistics = model
        return activation(MODELS[name](params, statistics, x, Mode(False))[0])

    def stepwise(options: Any) -> Callable[[], np.ndarray]:
        model, call = _initial(name, weights)[:2], jax.jit(forward, compiler_options=options)
        starts = range(0, len(jax.tree.leaves(x)[0]), batch)

        def predict() -> np.ndarray:
            parts = [call(model, jax.tree.map(lambda a, i=i: a[i : i + batch], x)) for i in starts]
            return np.concatenate(jax.device_get(parts))

        return predict

    def mapped(options: Any) -> Callable[[], np.ndarray]:
        model = _initial(name, weights)[:2]
        call = jax.jit(lambda model, x: lax.map(partial(forward, model), x), compiler_options=options)
        batches = jax.tree.map(lambda a: a.reshape(-1, batch, *a.shape[1:]), x)
        return lambda: np.concatenate(np.asarray(call(model, batches)))

    choices: dict[str, Any] = {"": None, ", LLVM 2": LLVM_2}
    if name in CONVOLUTIONAL:
        choices[", XLA's convolutions"] = OWN_CONVOLUTIONS
    return {
        way + what: _dispatched(in_own_thread, partial(make, options))
        for way, make, in_own_thread in (("step", stepwise, True), ("map", mapped, False))
        for what, options in choices.items()
    }

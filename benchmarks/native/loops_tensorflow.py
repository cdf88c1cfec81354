"""TensorFlow by hand: a `tf.function` a step, and an epoch as one in-graph loop, each with and without XLA.

As in `fit`, freed memory is kept, and XLA compiles by LLVM's second level, which makes steps of small models shorter.
TensorFlow's own kernels of the optimizers (`ResourceApplyAdam`, `ResourceApplyKerasMomentum`) are no way of their own:
they are as fast as what is written out here where graphs without XLA win, and slower where XLA does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.native.memory import keep_freed_memory
from benchmarks.native.tensorflow_models import MODELS
from benchmarks.native.weights import arranged, split_statistics
from benchmarks.tasks import TASKS

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=2")  # read when XLA first compiles
Epoch = Callable[[np.ndarray], float]
ACTIVATIONS = {"binary": tf.sigmoid, "classes": tf.nn.softmax, "squares": tf.sigmoid}


def _loss(kind: str, logits: Any, y: Any) -> Any:
    if kind == "binary":
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, logits))
    if kind == "classes":
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    return tf.reduce_mean(tf.square(tf.sigmoid(logits) - y))


class _Loop:
    """Weights, the optimizer's state, and one step over them."""

    def __init__(self, name: str, weights: list[np.ndarray], dropout: float) -> None:
        self.name, self.task, self.dropout = name, TASKS[name], dropout
        values = arranged(name, weights)
        statistics = {id(value) for value in split_statistics(name, values)[1]}
        self.weights = [tf.Variable(tf.constant(value), trainable=id(value) not in statistics) for value in values]
        self.trained = [w for w in self.weights if w.trainable]
        slots = {"adam": 2, "momentum": 1, "sgd": 0}[self.task.optimizer]
        self.slots = [[tf.Variable(tf.zeros_like(w)) for w in self.trained] for _ in range(slots)]
        self.count: Any = tf.Variable(tf.zeros(()))

    def step(self, x: Any, y: Any) -> Any:
        """Do one step; return the loss."""
        with tf.GradientTape() as tape:
            loss = _loss(self.task.loss, MODELS[self.name](self.weights, x, True, self.dropout), y)
        # The gradient of an embedding comes as slices; Adam moves all rows, so it is made whole.
        grads = [tf.convert_to_tensor(g) for g in tape.gradient(loss, self.trained)]
        {"adam": self._adam, "momentum": self._momentum, "sgd": self._sgd}[self.task.optimizer](grads)
        return loss

    def _sgd(self, grads: list[Any]) -> None:
        for w, g in zip(self.trained, grads, strict=True):
            w.assign_sub(self.task.rate * g)

    def _momentum(self, grads: list[Any]) -> None:
        for w, g, slot in zip(self.trained, grads, self.slots[0], strict=True):
            w.assign_add(slot.assign(0.9 * slot - self.task.rate * g))

    def _adam(self, grads: list[Any]) -> None:
        count = self.count.assign_add(1.0)
        rate = self.task.rate * tf.sqrt(1.0 - 0.999**count) / (1.0 - 0.9**count)
        for w, g, m, v in zip(self.trained, grads, *self.slots, strict=True):
            new_m, new_v = m.assign(0.9 * m + 0.1 * g), v.assign(0.999 * v + 0.001 * g * g)
            w.assign_sub(rate * new_m / (tf.sqrt(new_v) + 1e-7))


def _stepwise(xla: bool, name: str, weights: Any, x: Any, y: Any, dropout: float) -> Epoch:
    loop = _Loop(name, weights, dropout)
    step = tf.function(loop.step, autograph=False, jit_compile=xla)

    def constants(rows: np.ndarray) -> tuple[Any, Any]:
        return tf.nest.map_structure(lambda a: tf.constant(a[rows]), (x, y))

    def epoch(order: np.ndarray) -> float:
        return float(tf.reduce_mean(tf.stack([step(*constants(rows)) for rows in order])))

    return epoch


def _in_graph(xla: bool, name: str, weights: Any, x: Any, y: Any, dropout: float) -> Epoch:
    loop = _Loop(name, weights, dropout)
    data = tf.nest.map_structure(tf.constant, (x, y))

    @tf.function(autograph=False, jit_compile=xla)
    def run(order: Any) -> Any:
        steps = order.shape[0]

        def body(i: Any, total: Any) -> Any:
            rows = order[i]
            return i + 1, total + loop.step(*tf.nest.map_structure(lambda a: tf.gather(a, rows), data))

        return tf.while_loop(lambda i, _: i < steps, body, (0, tf.constant(0.0)), parallel_iterations=1)[1] / steps

    return lambda order: float(run(tf.constant(order)))


def trainers(name: str, weights: Any, x: Any, y: Any, dropout: float) -> dict[str, Callable[[], Epoch]]:
    """Return ways to train: each call begins anew and returns `epoch(order) -> mean loss`, order (steps, batch)."""
    keep_freed_memory()
    ways = {"step": _stepwise, "loop in the graph": _in_graph}
    return {
        way + (", XLA" if xla else ""): partial(make, xla, name, weights, x, y, dropout)
        for (way, make), xla in product(ways.items(), (False, True))
    }


def predictors(name: str, weights: Any, x: Any) -> dict[str, Callable[[], Callable[[], np.ndarray]]]:
    """Return ways to predict all rows: a graph a batch, and one loop in a graph, with and without XLA."""
    task = TASKS[name]
    rows = len(tf.nest.flatten(x)[0])

    def forward(loop: _Loop, x: Any) -> Any:
        return ACTIVATIONS[task.loss](MODELS[name](loop.weights, x, False, 0.0))

    def stepwise(xla: bool) -> Callable[[], np.ndarray]:
        call = tf.function(partial(forward, _Loop(name, weights, 0.0)), autograph=False, jit_compile=xla)

        def batch(i: int) -> Any:
            return call(tf.nest.map_structure(lambda a: tf.constant(a[i : i + task.batch]), x))

        return lambda: tf.concat([batch(i) for i in range(0, rows, task.batch)], 0).numpy()

    def mapped(xla: bool) -> Callable[[], np.ndarray]:
        loop = _Loop(name, weights, 0.0)

        @tf.function(autograph=False, jit_compile=xla)
        def run(batches: Any) -> Any:
            return tf.map_fn(partial(forward, loop), batches, parallel_iterations=1, fn_output_signature=tf.float32)

        batches = tf.nest.map_structure(lambda a: tf.constant(a.reshape(-1, task.batch, *a.shape[1:])), x)
        return lambda: np.concatenate(run(batches).numpy())

    return {
        way + (", XLA" if xla else ""): partial(make, xla)
        for (way, make), xla in product({"step": stepwise, "map": mapped}.items(), (False, True))
    }

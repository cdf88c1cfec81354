"""Hand-written TensorFlow loops: a `tf.function` a step, and an epoch as one in-graph loop, with and without XLA.

The fastest of the three is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def _dense(n: int, m: int) -> list[tf.Variable]:
    limit = (6 / (n + m)) ** 0.5
    return [tf.Variable(tf.random.uniform((n, m), -limit, limit)), tf.Variable(tf.zeros(m))]


def _weights(task: str) -> list[tf.Variable]:
    tf.random.set_seed(0)
    if task == "mlp":
        return [*_dense(784, 32), *_dense(32, 10), *_dense(10, 1)]
    if task == "wide":
        return [*_dense(784, 512), *_dense(512, 512), *_dense(512, 10)]
    if task == "conv":
        kernels = [tf.Variable(tf.random.normal((3, 3, n, m)) * 0.1) for n, m in ((1, 32), (32, 64))]
        return [kernels[0], tf.Variable(tf.zeros(32)), kernels[1], tf.Variable(tf.zeros(64)), *_dense(1600, 10)]
    return [*_dense(64, 256), tf.Variable(tf.random.normal((64, 256)) * 0.1), *_dense(64, 1)]


def _lstm(w: list[Any], x: Any) -> Any:
    batch, times = x.shape[0], x.shape[1]
    projected = tf.transpose(tf.tensordot(x, w[0], 1) + w[1], (1, 0, 2))
    array = tf.TensorArray(tf.float32, size=times).unstack(projected)

    def step(t: Any, h: Any, c: Any) -> Any:
        i, f, g, o = tf.split(array.read(t) + h @ w[2], 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return t + 1, tf.sigmoid(o) * tf.tanh(c), c

    zeros = tf.zeros((batch, 64))
    _, h, _ = tf.while_loop(lambda t, *_: t < times, step, (0, zeros, zeros), maximum_iterations=times)
    return h @ w[3] + w[4]


def _logits(task: str, w: list[Any], x: Any) -> Any:
    if task == "mlp":
        return tf.sigmoid(tf.sigmoid(x @ w[0] + w[1]) @ w[2] + w[3]) @ w[4] + w[5]
    if task == "wide":
        for i in (0, 2):
            x = tf.nn.dropout(tf.nn.relu(x @ w[i] + w[i + 1]), 0.2)
        return x @ w[4] + w[5]
    if task == "conv":
        for i in (0, 2):
            x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, w[i], 1, "VALID") + w[i + 1]), 2, 2, "VALID")
        return tf.reshape(x, (x.shape[0], 1600)) @ w[4] + w[5]
    return _lstm(w, x)


class _Loop:
    """Weights, Adam's or SGD's state, and one step over them."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.weights = _weights(task)
        self.m = [tf.Variable(tf.zeros_like(w)) for w in self.weights]
        self.v = [tf.Variable(tf.zeros_like(w)) for w in self.weights]
        self.count: Any = tf.Variable(tf.zeros(()))

    def step(self, x: Any, y: Any) -> Any:
        """Do one step; return the loss."""
        with tf.GradientTape() as tape:
            logits = _logits(self.task, self.weights, x)
            if self.task in ("mlp", "lstm"):
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, logits))
            else:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        grads: list[Any] = list(tape.gradient(loss, self.weights))
        if self.task == "mlp":
            for w, g in zip(self.weights, grads, strict=True):
                w.assign_sub(0.01 * g)
            return loss
        self.count.assign_add(1.0)
        rate = 1e-3 * tf.sqrt(1.0 - 0.999**self.count) / (1.0 - 0.9**self.count)
        for w, g, m, v in zip(self.weights, grads, self.m, self.v, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            w.assign_sub(rate * m / (tf.sqrt(v) + 1e-7))
        return loss


def _stepwise(task: str, x: Any, y: Any, batch: int) -> Callable[[], float]:
    loop = _Loop(task)
    step = tf.function(loop.step, autograph=False)
    rng = np.random.default_rng(0)

    def epoch() -> float:
        order = rng.permutation(len(x)).reshape(-1, batch)
        return float(tf.reduce_mean([step(tf.constant(x[rows]), tf.constant(y[rows])) for rows in order]))

    return epoch


def _in_graph(xla: bool) -> Callable[..., Callable[[], float]]:
    def make(task: str, x: Any, y: Any, batch: int) -> Callable[[], float]:
        loop = _Loop(task)
        inputs, labels = tf.constant(x), tf.constant(y)
        steps = len(x) // batch

        @tf.function(autograph=False, jit_compile=xla)
        def run(order: Any) -> Any:
            def body(i: Any, total: Any) -> Any:
                rows = order[i]
                return i + 1, total + loop.step(tf.gather(inputs, rows), tf.gather(labels, rows))

            return tf.while_loop(lambda i, _: i < steps, body, (0, tf.constant(0.0)))[1]

        rng = np.random.default_rng(0)

        def epoch() -> float:
            order = rng.permutation(len(x)).astype("int32")[: steps * batch].reshape(steps, batch)
            return float(run(tf.constant(order))) / steps

        return epoch

    return make


def epoch_function(task: str, x: Any, y: Any, batch: int) -> Callable[[], float]:
    """Return the fastest of three ways, as a function that trains one epoch and returns the mean loss."""
    ways = []
    for make in (_stepwise, _in_graph(False), _in_graph(True)):
        epoch = make(task, x, y, batch)
        epoch()
        begin = time.perf_counter()
        epoch()
        ways.append((time.perf_counter() - begin, make))
    best = min(ways, key=lambda way: way[0])[1]
    return best(task, x, y, batch)

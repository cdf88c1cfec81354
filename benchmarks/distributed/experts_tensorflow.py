"""TensorFlow by an expert: `MultiWorkerMirroredStrategy`, and an epoch as one graph with a loop around `strategy.run`.

XLA cannot compile the sum over workers on a CPU. In the second way it compiles the loss and its gradients alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.native import loops_tensorflow
from benchmarks.native.memory import keep_freed_memory
from benchmarks.native.tensorflow_models import MODELS
from benchmarks.native.weights import arranged, split_statistics
from benchmarks.tasks import TASKS
from polykeras.distribution.environment import find_job

Epoch = Callable[[np.ndarray], float]


class _Loop:
    """Weights, the optimizer's state, and one step over them, as each worker runs it."""

    def __init__(self, name: str, weights: list[np.ndarray], xla: bool) -> None:
        self.name, self.task = name, TASKS[name]
        values = arranged(name, weights)
        statistics = {id(value) for value in split_statistics(name, values)[1]}
        # What a worker assigns is the same on all workers, or its own statistics: nothing is to be aggregated.
        only = tf.VariableAggregation.ONLY_FIRST_REPLICA
        variable = partial(tf.Variable, aggregation=only, synchronization=tf.VariableSynchronization.ON_WRITE)
        self.weights = [variable(tf.constant(value), trainable=id(value) not in statistics) for value in values]
        self.trained = [w for w in self.weights if w.trainable]
        slots = {"adam": 2, "momentum": 1, "sgd": 0}[self.task.optimizer]
        self.slots = [[variable(tf.zeros(w.shape)) for w in self.trained] for _ in range(slots)]
        self.count: Any = variable(tf.zeros(()))
        self.gradients = tf.function(self._gradients, autograph=False, jit_compile=True) if xla else self._gradients

    def _gradients(self, x: Any, y: Any) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            loss = loops_tensorflow._loss(self.task.loss, MODELS[self.name](self.weights, x, True, 0.0), y)
        # The gradient of an embedding comes as slices; Adam moves all rows, so it is made whole.
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, self.trained)]

    def step(self, x: Any, y: Any) -> Any:
        """Do one step; return the loss of this worker."""
        loss, gradients = self.gradients(x, y)
        context: Any = tf.distribute.get_replica_context()
        means = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        {"adam": self._adam, "momentum": self._momentum}[self.task.optimizer](means)
        return loss

    _adam: Any = loops_tensorflow._Loop._adam
    _momentum: Any = loops_tensorflow._Loop._momentum


@cache
def strategy() -> Any:
    """Return the strategy, which connects TensorFlow's processes. It must be made before any tensor."""
    job = find_job()
    cluster = tf.train.ClusterSpec({"worker": list(job.addresses)})
    resolver: Any = tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster, task_type="worker", task_id=job.rank, rpc_layer="grpc"
    )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def _trainer(name: str, weights: list[np.ndarray], x: Any, y: np.ndarray, xla: bool) -> Epoch:
    workers = strategy()
    with workers.scope():
        loop = _Loop(name, weights, xla)
    data = tf.nest.map_structure(tf.constant, (x, y))

    @tf.function(autograph=False)
    def run(order: Any) -> Any:
        steps = order.shape[0]

        def body(i: Any, total: Any) -> Any:
            batch = tf.nest.map_structure(lambda a: tf.gather(a, order[i]), data)
            loss = workers.run(loop.step, batch)
            return i + 1, total + loss

        return tf.while_loop(lambda i, _: i < steps, body, (0, tf.constant(0.0)), parallel_iterations=1)[1] / steps

    return lambda order: float(run(tf.constant(order)))


def trainers(name: str, weights: list[np.ndarray], x: Any, y: np.ndarray) -> dict[str, Callable[[], Epoch]]:
    """Return ways to train. See `experts_torch.trainers`."""
    keep_freed_memory()
    ways = {"strategy.run in a loop": False, "strategy.run in a loop, XLA for gradients": True}
    return {way: partial(_trainer, name, weights, x, y, xla) for way, xla in ways.items()}


ENDS_AT_ONCE = True
"""Whether processes end without waiting for one another."""


def prepare() -> None:
    """Make the strategy, which polykeras then uses too: two would wait for each other."""
    strategy()

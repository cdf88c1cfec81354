"""Sums that TensorFlow would mix up or never end, if their keys or their order depended on more than the program."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from collectives_job import job

from helpers.workers import tell
from polykeras.backend import registry

DTYPES = ("float32", "float64", "float16", "bfloat16", "int8", "uint8", "uint16", "int32", "uint32", "int64", "uint64")


def main() -> None:
    backend = registry.current()
    here = job()
    backend.connect(here)
    rank = here.rank
    found: dict[str, object] = {}

    def numbers(*arrays: object) -> list[object]:
        return [backend.to_numpy(x).astype("float64").tolist() for x in arrays]

    own = tf.ones((2,)) * (rank + 1)

    # Only one of the workers traces these.
    for factor in range(3 * rank):
        backend.compile(lambda x, f=factor: backend.all_reduce([x * f]), collective=True).program("traced", own)
    found["shapes"] = numbers(*(backend.sum_over_workers(tf.ones(shape)) for shape in ((), (2,), (2, 1), (0, 3), (3,))))
    sums = [backend.sum_over_workers(backend.asarray(np.array([1 + rank, 100]), dtype)) for dtype in DTYPES]
    found["dtypes"] = [x.dtype.name for x in sums]
    found["sums"] = numbers(*sums)

    def late(x: object, turns: object) -> object:
        """Return `x` after many products of matrices."""
        square = tf.eye(300)
        _, y = backend.while_loop(lambda i, y: i < turns, lambda i, y: (i + 1, square @ y), (0, tf.ones((300, 300))))
        return x * y[0, 0]

    # Of two sums that need not wait for one another, one is ready first on worker 0, and the other one on worker 1. A
    # variable within the branch keeps TensorFlow from running its stateful operations in order.
    one = tf.Variable(1.0)

    def two(x: object, turns: object) -> list[object]:
        first = backend.sum_over_workers(late(x, turns[0]))
        return [first, tf.cond(x[0] > 0, lambda: backend.sum_over_workers(late(10 * x * one, turns[1])), lambda: x)]

    turns = tf.constant([0, 400] if rank else [400, 0])
    found["order"] = numbers(*backend.compile(two, collective=True)(own, turns))

    # The gradient of a loop with a sum in each turn, in a loop of steps.
    def loss(weights: list[object]) -> tuple[object, object]:
        def turn(carry: object, _: object) -> tuple[object, object]:
            (total,) = backend.all_reduce([carry * weights[0]])
            return total, total

        return backend.scan(turn, backend.asarray(np.float32(1)), tf.ones((3,)))

    def step(state: list[object], batch: object) -> tuple[list[object], object]:
        value, totals, gradients = backend.value_and_grad(loss, state)
        (mean,) = backend.all_reduce(gradients, "mean")
        return [state[0] - 0.001 * mean], {"loss": value, "totals": totals}

    run = backend.compile_steps(step, collective=True)
    state, logs = run([tf.constant(1.0)], {"x": tf.ones((4, 1))}, np.arange(4, dtype=np.int32).reshape(2, 2), 0, 2)
    found["loop"] = numbers(state[0], logs["loss"], logs["totals"])
    masked = backend.compile(lambda x: backend.all_reduce([tf.boolean_mask(x, x > 0)])[0], collective=True)
    found["unknown size"] = numbers(masked(tf.constant([1.0, -1.0, 2.0])))
    tell(rank, found)


main()

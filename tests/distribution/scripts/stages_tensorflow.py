"""Steps with sums over workers, by XLA between the sums and by TensorFlow's kernels."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext, redirect_stderr

import numpy as np
import tensorflow as tf
from collectives_job import job

from helpers.workers import tell
from polykeras import fast
from polykeras.backend import registry

Step = Callable[[list[object], object], tuple[list[object], object]]


def main() -> None:
    backend = registry.current()
    here = job()
    backend.connect(here)

    def steps() -> dict[str, Step]:
        def gradients(state: list[object], batch: object) -> tuple[list[object], object]:
            def loss(weights: list[object]) -> tuple[object, None]:
                return backend.mean(backend.tanh(batch["x"] @ weights[0]) ** 2) + backend.sum(weights[1] ** 2), None

            value, _, found = backend.value_and_grad(loss, state[:2])
            means = backend.all_reduce([*found, value], "mean")
            updated = [w - 0.1 * backend.sqrt(backend.abs(g)) for w, g in zip(state, means[:2], strict=False)]
            return [*updated, state[2]], {"loss": means[2], "constant": tf.constant(7.0)}

        def several(state: list[object], batch: object) -> tuple[list[object], object]:
            """Sums of constants, of another dtype, of sums; numbers that are used before and after them."""
            early = backend.exp(-state[0])
            one, count = backend.all_reduce([tf.ones((4, 3)), tf.reduce_sum(tf.cast(batch["x"] > 0, tf.int32))])
            moved = backend.all_reduce([backend.cumsum(early * one, 0)])[0] + early
            (last,) = backend.all_reduce([tf.reshape(moved, (-1,))[:5]])
            shape = tf.constant([2, 6])
            return [0.1 * moved, state[1] + last[0], state[2] + count], {"flat": tf.reshape(moved, shape), "last": last}

        def rows(state: list[object], batch: object) -> tuple[list[object], object]:
            """Indices, which XLA does not check itself."""
            places = tf.cast(batch["x"][:, 0] > 0, tf.int32) + state[2]
            (total,) = backend.all_reduce([backend.sum(backend.take(state[0], places, axis=0))])
            return [state[0] + 0.01 * total, *state[1:]], {"total": total}

        def loop(state: list[object], batch: object) -> tuple[list[object], object]:
            _, last = backend.while_loop(
                lambda i, x: i < 3, lambda i, x: (i + 1, backend.all_reduce([0.4 * x])[0]), (0, state[0])
            )
            return [last, *state[1:]], {"x": backend.sum(batch["x"])}

        return {"gradients": gradients, "several": several, "rows": rows, "loop": loop}

    rng = np.random.default_rng(0)
    state = [rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(3,)).astype("float32"), np.int32(0)]
    data = {"x": tf.constant(np.random.default_rng(1 + here.rank).normal(size=(8, 4)), tf.float32)}
    order = np.arange(8, dtype=np.int32).reshape(4, 2)
    found: dict[str, object] = {}
    for name, step in steps().items():
        ways = []
        for way in (nullcontext, fast.off):
            said = io.StringIO()
            with way(), redirect_stderr(said):
                run = backend.compile_steps(step, collective=True)
                results = run([backend.asarray(x) for x in state], data, order, 0, 4)
            leaves = [backend.to_numpy(x).astype("float64").tolist() for x in tf.nest.flatten(results)]
            ways.append(["between sums" in said.getvalue(), leaves])
        found[name] = ways
    run = backend.compile_steps(steps()["rows"], collective=True)
    try:
        run([backend.asarray(x) for x in (*state[:2], np.int32(3))], data, order, 0, 4)
    except IndexError as error:
        found["out of range"] = str(error)
    tell(here.rank, found)


main()

"""Each worker prints what the collectives of its backend gave it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from helpers.workers import tell

sys.path.insert(0, str(Path(__file__).parent))
from collectives_job import job

from polykeras.backend import registry


def main() -> None:
    backend = registry.current()
    here = job()
    backend.connect(here)
    found: dict[str, object] = {"workers": backend.workers()}

    def numbers(*arrays: object) -> list[object]:
        return [backend.to_numpy(x).tolist() for x in arrays]

    def place(values: object, dtype: str = "float32") -> object:
        return backend.asarray(np.asarray(values, dtype))

    rank = here.rank
    own = place([1.0 + rank, 2.0])
    found["index"] = numbers(backend.worker_index())
    found["sum"] = numbers(backend.sum_over_workers(own))
    found["mean"] = numbers(*backend.all_reduce([own, place(rank), place([[3.0 * rank]])], "mean"))
    found["sums"] = numbers(*backend.all_reduce([place(rank, "int32"), own, place([[5 - rank]], "int32")]))
    found["gather"] = numbers(backend.all_gather(own), backend.all_gather(place([rank == 1], "bool")))
    found["broadcast"] = numbers(*backend.broadcast([own, place([7 + rank], "int32")], source=1))
    draws = np.random.default_rng(rank)
    many = [place(draws.normal(size=size)) for size in (3, 1001)]
    together = backend.compile(lambda arrays: backend.all_reduce(arrays, "mean"), collective=True)
    found["bits"] = numbers(*backend.all_reduce(many, "mean"), *together(many))
    backend.barrier()

    # The gradient of the sum of w * x over workers, squared: both workers see the same upstream gradient.
    def loss(values: list[object]) -> tuple[object, object]:
        (total,) = backend.all_reduce([backend.multiply(values[0], own)])
        return backend.sum(backend.multiply(total, total)), ()

    def with_gradient(state: list[object], batch: object) -> object:
        value, _, gradients = backend.value_and_grad(loss, state)
        return value, gradients[0]

    weights = [place([1.0, 1.0])]
    compiled = backend.compile(lambda state, batch: with_gradient(state, batch), collective=True)
    found["gradient"] = numbers(*with_gradient(weights, None))
    found["compiled"] = numbers(*compiled(weights, {"x": np.ones((3, 1), np.float32)}))

    def step(state: list[object], batch: object) -> tuple[list[object], dict[str, object]]:
        (mean,) = backend.all_reduce([backend.mean(batch["x"])], "mean")
        return [backend.add(state[0], mean)], {"mean": mean, "first": state[0]}

    # Worker r has the rows r, r + workers, ... of each batch.
    data = {"x": backend.asarray(np.arange(12, dtype=np.float32)[:, None])}
    indices = np.arange(12, dtype=np.int32).reshape(3, 4)[:, rank :: here.size]
    run = backend.compile_steps(step, collective=True)
    state, logs = run([place(0.0)], data, backend.place(indices), 0, 2)
    state, logs = run(state, data, backend.place(indices), 2, 3)
    found["steps"] = numbers(state[0], logs["mean"], logs["first"])
    backend.disconnect()
    tell(rank, found)


main()

"""One worker of a measurement of the parameters of the model of cost. See `cost_model.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks.distributed.models import MODELS
from benchmarks.distributed.worker import main
from benchmarks.measures import epochs_of_fit
from benchmarks.timing import median_seconds, seconds_of

FLOATS = (1, 2**10, 2**14, 2**17, 2**19, 2**21)
LOOP = 20  # sums in one program
CALLS = 100


def _sum_seconds(backend: Any, rounds: int) -> dict[str, float]:
    """Return the seconds of a sum of float32 numbers in a compiled loop, by the size in bytes."""

    def step_of(with_sum: bool) -> Callable[..., Any]:
        def step(state: list[Any], batch: Any) -> tuple[list[Any], dict[str, Any]]:
            (x,) = backend.all_reduce([state[0]], "mean") if with_sum else state
            return [backend.add(x, batch["x"])], {}

        return step

    found = {}
    data = {"x": backend.asarray(np.zeros((LOOP, 1), np.float32))}
    order = backend.place(np.arange(LOOP, dtype=np.int32)[:, None])
    for floats in FLOATS:
        seconds = []
        for with_sum in (True, False):
            run = backend.compile_steps(step_of(with_sum), collective=True)
            state = [backend.asarray(np.zeros((1, floats), np.float32))]

            def loop(run: Any = run, state: list[Any] = state) -> None:
                state[:], _ = run(state, data, order, 0, LOOP)
                backend.to_numpy(state[0])

            seconds.append(median_seconds(loop, rounds, warm_up=2) / LOOP)
        found[str(4 * floats)] = max(seconds[0] - seconds[1], 1e-7)
    return found


def _agreement_seconds(backend: Any) -> float:
    """Return the seconds in which the workers tell one another a number between two chunks."""
    own = np.int32(7)
    return median_seconds(lambda: backend.to_numpy(backend.all_gather(backend.asarray(own))), CALLS, warm_up=10)


def _model_seconds(k: Any, backend: Any, name: str, size: int, rounds: int) -> dict[str, Any]:
    """Return seconds a step: of a worker's rows while all workers compute theirs, and of `fit` that shares batches."""
    task = MODELS[name].task
    part = replace(task, batch=task.batch // size)
    distribution = k.distribution.DataParallel()
    models = {}
    for who, own in (("alone", part), ("shared", task)):
        k.utils.set_random_seed(0)
        models[who] = own.build(k), own.fit_arguments(), own.steps

    def epoch(who: str) -> float:
        model, arguments, steps = models[who]
        k.utils.set_random_seed(0)
        k.distribution.set_distribution(distribution if who == "shared" else None)
        seconds, _ = epochs_of_fit(k, model, 3, **arguments)
        k.distribution.set_distribution(None)
        return seconds[1] / steps

    times: dict[str, list[float]] = {"alone": [], "shared": []}
    for round_ in range(rounds + 1):
        for who, found in times.items():
            backend.barrier()
            second = epoch(who)
            if round_:  # the first one compiles
                found.append(second)
    model = models["alone"][0]
    x, y = part.data(steps=1)
    calls = [seconds_of(lambda: model.train_on_batch(x, y)) for _ in range(CALLS)][CALLS // 4 :]
    gradients = 4 * sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    return {**{who: median(found) for who, found in times.items()}, "bytes": gradients, "calls": calls}


def measure(framework: str, names: list[str], rounds: int, launched: float) -> tuple[int, dict[str, Any]]:
    """Return the number of this worker, and what it measured.

    Args:
        framework: the backend.
        names: of the models.
        rounds: how often each is measured.
        launched: when the processes were started, of `time.time`.
    """
    import polykeras as keras
    from polykeras.backend import registry
    from polykeras.distribution.connections import current_job

    backend = registry.current()
    imported = time.time() - launched
    keras.distribution.initialize()
    job, connected = current_job(), time.time() - launched
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    first = MODELS[names[0]].task
    first.build(keras).fit(**first.fit_arguments(), steps_per_epoch=1, verbose=0)
    begun = time.time() - launched
    keras.distribution.set_distribution(None)
    found: dict[str, Any] = {"start": {"imported": imported, "connected": connected, "first step": begun}}
    found["sums"] = _sum_seconds(backend, rounds)
    found["agreement"] = _agreement_seconds(backend)
    found["models"] = {name: _model_seconds(keras, backend, name, job.size, rounds) for name in names}
    return job.rank, found


if __name__ == "__main__":
    main(measure)

"""One worker of a measurement: `fit`, the experts' loops, and `fit` alone on the first worker, in turn.

The processes are the same for all, and so are the initial weights. Each worker uses one core.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.distributed.models import ALONE, MODELS, OTHERS, OURS, Shared
from benchmarks.measures import epochs_of_fit
from benchmarks.timing import seconds_of
from tests.helpers.workers import tell

SLOW = ("DDP, torch.compile",)  # takes minutes to compile; measured only where it is asked for
EPOCHS = 3  # of each turn; the one in the middle counts
Turn = Callable[[], float]


def use_one_core(rank: int) -> None:
    """Bind this process to a core, so that each of its frameworks finds one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})


def leave(framework: str) -> None:
    """End this process. TensorFlow may wait for its servers at the end; on JAX, process 0 must wait for the others."""
    sys.stdout.flush()
    if _experts(framework).ENDS_AT_ONCE:
        os._exit(0)


def _experts(framework: str) -> Any:
    return importlib.import_module(f"benchmarks.distributed.experts_{framework}")


def _ours(k: Any, shared: Shared, weights: list[np.ndarray], distribution: Any) -> tuple[Turn, Callable[[], float]]:
    """Return a turn of `fit`, and the loss of an epoch in the order of the data."""
    model = shared.task.build(k)
    model.set_weights(weights)
    arguments = shared.task.fit_arguments()

    def fit(epochs: int, **more: Any) -> tuple[list[float], list[float]]:
        k.utils.set_random_seed(0)  # one worker alone draws numbers too, and all must agree on the next ones
        k.distribution.set_distribution(distribution)
        try:
            return epochs_of_fit(k, model, epochs, **arguments, **more)
        finally:
            k.distribution.set_distribution(None)

    return lambda: fit(EPOCHS)[0][EPOCHS // 2], lambda: fit(1, shuffle=False)[1][0]


def _theirs(
    make: Callable[[], Any], shared: Shared, size: int, mean: Callable[[float], float]
) -> tuple[Turn, Callable[[], float]]:
    """The same of a loop by hand. Each worker draws an order of its own rows."""
    task, rng = shared.task, np.random.default_rng(0)
    shape = (task.steps, task.batch // size)
    epoch = make()
    in_order = np.arange(task.steps * task.batch // size, dtype="int32")

    def turn() -> float:
        return [seconds_of(lambda: epoch(rng.permutation(in_order).reshape(shape))) for _ in range(EPOCHS)][EPOCHS // 2]

    return turn, lambda: mean(epoch(in_order.reshape(shape)))


def measure(framework: str, name: str, rounds: int, ways: list[str] | None) -> tuple[int, dict[str, Any]]:
    """Return the number of this worker, the seconds a step of each way by rounds, and the losses of a first epoch."""
    import polykeras as keras
    from polykeras.backend import registry
    from polykeras.distribution.connections import current_job

    experts = _experts(framework)
    experts.prepare()
    keras.distribution.initialize()
    job, backend = current_job(), registry.current()
    shared = (MODELS | OTHERS)[name]
    task, weights = shared.task, shared.task.initial_weights()
    distribution = keras.distribution.DataParallel()
    own = partial(keras.tree.map_structure, lambda a: np.ascontiguousarray(a[job.rank :: job.size]))

    def mean(value: float) -> float:
        return float(backend.to_numpy(backend.all_reduce([backend.asarray(np.float32(value))], "mean")[0]))

    makers = {OURS: partial(_ours, keras, shared, weights, distribution)}
    for way, make in experts.trainers(shared.native, weights, *own(task.data())).items():
        makers[way] = partial(_theirs, make, shared, job.size, mean)
    makers[ALONE] = partial(_ours, keras, shared, weights, None)
    wanted = [way for way in makers if way not in SLOW] if ways is None else [OURS, *ways, ALONE]
    chosen = {way: makers[way] for way in wanted}
    begun = {way: make() for way, make in chosen.items()}

    def in_turn(place: int) -> dict[str, float]:
        found = {}
        for way, turns in begun.items():
            found[way] = turns[place]() if way != ALONE or job.rank == 0 else 0.0
            backend.barrier()
        return found

    losses = in_turn(1)
    in_turn(0)
    times = [in_turn(0) for _ in range(rounds)]
    steps = {way: [1000 * round_[way] / task.steps for round_ in times] for way in chosen}
    return job.rank, {"milliseconds": steps, "losses": losses}


def main(measure: Callable[..., tuple[int, Any]]) -> None:
    """Measure what the command line names, as JSON, and tell the result.

    Args:
        measure: takes what the command line names; returns the number of this worker, and the result.
    """
    use_one_core(int(os.environ["RANK"]))
    given = json.loads(sys.argv[1])
    tell(*measure(**given))
    leave(given["framework"])


if __name__ == "__main__":
    main(measure)

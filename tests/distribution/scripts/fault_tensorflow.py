"""Two workers run a long chunk of steps. One of them leaves it, by the signal that is named."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import tensorflow as tf
from collectives_job import job

from helpers.workers import tell
from polykeras.backend import registry
from polykeras.backend.job import Job, WorkerLost


def main() -> None:
    name, victim, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    backend = registry.current()
    here = job()
    backend.connect(Job(here.rank, here.size, here.coordinator, here.addresses, timeout))

    def step(state: list[object], batch: object) -> tuple[list[object], object]:
        (mean,) = backend.all_reduce([backend.sum(batch["x"]) + state[0]], "mean")
        return [mean], {}

    run = backend.compile_steps(step, collective=True)
    data, indices = {"x": tf.zeros((2, 1))}, backend.place(np.zeros((1000000, 2), np.int32))
    state, _ = run([tf.constant(1.0)], data, indices, 0, 2)
    if here.rank == victim:
        leave = threading.Timer(0.5, os.kill, (os.getpid(), getattr(signal, name)))
        leave.start()
    start = time.monotonic()
    told = []
    for collective in (lambda: run(state, data, indices, 0, 1000000), backend.barrier):
        try:
            collective()
        except WorkerLost as error:
            told.append(str(error))
    tell(here.rank, {"seconds": time.monotonic() - start, "told": told})


main()

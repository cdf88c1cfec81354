"""Each worker connects as its environment says, and prints what it finds."""

from __future__ import annotations

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import seeds
from polykeras.backend import registry
from polykeras.distribution.connections import current_job
from polykeras.distribution.workers import workers_of


def main() -> None:
    keras.distribution.initialize()
    backend = registry.current()
    found: dict[str, object] = {"workers": backend.workers(), "devices": keras.distribution.list_devices("cpu")}
    found["seed"] = seeds.process_seed()
    found["weights"] = np.asarray(keras.initializers.GlorotUniform()((2, 2))).tolist()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=found["devices"]))
    found["shared"] = workers_of(backend).count
    keras.distribution.initialize()  # nothing more happens
    job = current_job()
    (total,) = backend.all_reduce([backend.asarray(np.array([1.0 + job.rank], np.float32))])
    found["total"] = backend.to_numpy(total).tolist()
    found["again"] = str(seeds.process_seed())
    found["timeout"] = job.timeout
    tell(job.rank, found)


main()

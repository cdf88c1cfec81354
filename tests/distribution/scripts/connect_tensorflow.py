"""What a worker is told that cannot be connected; and workers in a cluster that the user's own strategy made."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace

import tensorflow as tf
from collectives_job import job

from helpers.workers import tell
from polykeras.backend import registry


def main() -> None:
    backend = registry.current()
    here = job()
    if sys.argv[1] == "alone":
        told = []
        two = replace(here, size=2, addresses=(here.addresses[0], here.addresses[0]))
        for wrong in (replace(two, devices=("cpu:0", "cpu:1")), replace(two, addresses=())):
            try:
                backend.connect(wrong)
            except RuntimeError as error:
                told.append(str(error))
        tf.ones(())
        try:
            backend.connect(two)
        except RuntimeError as error:
            told.append(str(error))
        tell(here.rank, [*told, backend.workers()])
        return
    config = {"cluster": {"worker": here.addresses}, "task": {"type": "worker", "index": here.rank}}
    os.environ["TF_CONFIG"] = json.dumps(config)
    tf.distribute.MultiWorkerMirroredStrategy()
    own = tf.constant(float(here.rank))
    backend.connect(here)
    found = [float(backend.sum_over_workers(own))]
    backend.disconnect()
    found.append(float(backend.sum_over_workers(own)))
    backend.connect(here)
    found.append(float(backend.sum_over_workers(own)))
    tell(here.rank, found)


main()

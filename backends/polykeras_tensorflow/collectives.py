"""Sums over the processes of TensorFlow's cluster."""

from __future__ import annotations

import json
import os
from itertools import count
from typing import Any

import tensorflow as tf

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras.backend.spec import Array

raw = tf.raw_ops
_GROUP = 1729  # the key of the group of all processes
_instances = count(1)
_strategy: Any = None
_job: Job | None = None


class TensorflowCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        global _strategy, _job
        cluster = {"worker": list(job.addresses)}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": job.rank}})
        _strategy, _job = tf.distribute.MultiWorkerMirroredStrategy(), job

    def disconnect(self) -> None:
        global _job
        _job = None

    def workers(self) -> int:
        return 1 if _job is None else _job.size

    def worker_index(self) -> Array:
        return tf.constant(0 if _job is None else _job.rank)

    def sum_over_workers(self, x: Array) -> Array:
        if _job is None:
            return x
        return raw.CollectiveReduceV2(
            input=x,
            group_size=_job.size,
            group_key=_GROUP,
            instance_key=next(_instances),
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            timeout_seconds=_job.timeout,
        )

"""Sums over the processes of TensorFlow's cluster.

TensorFlow matches what its processes send by an *instance key*, which belongs to one shape and dtype. A key that counts
what was traced differs between processes if one of them traces more than the others. So the key here follows from the
array alone, and an *ordering token* makes the sums of a process run one after another, in the order of the program.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job, WorkerLost
from polykeras.backend.spec import Array
from polykeras_tensorflow.private import coordinate, outside_of_loops, tell_failure

raw = tf.raw_ops

_GROUP = 0x706F6C79  # the key of the group of all processes; strategies of a user count theirs from 1
_SIZES = 2**28  # sizes that keys tell apart; TensorFlow refuses to add arrays that differ by a multiple
_SUMMED = (tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.int32, tf.int64)
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError)

_job: Job | None = None
_made: Job | None = None  # the job whose cluster `connect` made, which lasts as long as the process
_token: Any = None  # a variable; what uses it runs in the order of the program


def _uses_devices() -> bool:
    """Return whether TensorFlow has begun to use its devices. It fixes its number of threads then."""
    threads = tf.config.threading
    number = threads.get_inter_op_parallelism_threads()
    try:
        threads.set_inter_op_parallelism_threads(number + 1)
    except RuntimeError:
        return True
    threads.set_inter_op_parallelism_threads(number)
    return False


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Keep the handling of SIGTERM, which TensorFlow's cluster would only note: launchers end processes by it."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _make_cluster(job: Job) -> None:
    if len(job.addresses) != job.size:
        raise RuntimeError(
            f"TensorFlow needs the address of each of the {job.size} workers, as all of them talk to one another; "
            f"received {list(job.addresses)}. Give them by the variable TF_CONFIG, by `initialize(job_addresses="
            '"host:port,host:port,...")`, or start the workers by SLURM, which lists its hosts.'
        )
    coordinate(job.size, job.timeout)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(job.addresses)}),
        task_type="worker",
        task_id=job.rank,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        with _ended_by_sigterm():  # the strategy is not used; it connects TensorFlow itself
            tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        raise RuntimeError(
            f"Worker {job.rank} of {job.size} could not connect with the others in {job.timeout:.0f} s. Check that all "
            f"were started with the addresses {list(job.addresses)}, and that the ports are free. TensorFlow says: "
            f"{_first_line(error)}"
        ) from error


def _check_cluster(job: Job) -> None:
    """Raise if TensorFlow runs already, and not in a cluster that fits."""
    device = tf.DeviceSpec.from_string(tf.config.list_logical_devices("CPU")[0].name)
    if device.job is None:
        raise RuntimeError(
            "TensorFlow can connect its workers only before it is first used, and this process has made arrays "
            "already. Call `initialize()` at the start of the program, before models, data and other tensors."
        )
    if _made is not None and (_made.rank, _made.size) != (job.rank, job.size):
        raise RuntimeError(
            f"This process is worker {_made.rank} of {_made.size} and cannot become worker {job.rank} of {job.size}: "
            "TensorFlow keeps its cluster as long as the process runs. Start a new process."
        )


def _first_line(error: tf.errors.OpError) -> str:
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    return next((line for line in lines if "aborted by" in line), (lines or [type(error).__name__])[0])


def raise_if_lost(error: tf.errors.OpError) -> None:
    """Raise `WorkerLost` if an error of TensorFlow means that another worker has ended or does not answer."""
    if _job is not None and isinstance(error, _LOST):
        raise WorkerLost(
            f"Another worker of this run has ended or does not answer; this is worker {_job.rank} of {_job.size}. See "
            "what the others printed, and start all of them again: a run with a BackupAndRestore goes on from its "
            f"last backup. TensorFlow says: {_first_line(error)}"
        ) from error


def add_up(flat: Array, size: int) -> Array:
    """Return the sum over workers of an array with one axis, as a key belongs to one shape.

    Args:
        flat: of a dtype in `_SUMMED`.
        size: the number of workers.
    """
    elements = flat.shape.num_elements()
    try:
        return raw.CollectiveReduceV2(
            input=flat,
            group_size=size,
            group_key=_GROUP,
            instance_key=(tf.size(flat) if elements is None else elements) % _SIZES * 8 + _SUMMED.index(flat.dtype),
            ordering_token=[outside_of_loops(_token.handle)],
            merge_op="Add",
            final_op="Id",
            # Not `timeout_seconds`: each sum would leave threads that sleep until its time is over. TensorFlow's
            # coordination service finds workers that do not answer.
        )
    except tf.errors.OpError as error:
        raise_if_lost(error)
        raise


def is_sum(node: Any) -> bool:
    """Return whether a node of a graph is a sum that `add_up` made."""
    return node.type == "CollectiveReduceV2" and tf.get_static_value(node.inputs[2]) == _GROUP


class TensorflowCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        global _job, _made, _token
        if len(job.devices) > 1:
            raise RuntimeError(
                f"TensorFlow's engine has one worker in each process; received the devices {list(job.devices)}. Start "
                "one process for each device."
            )
        if job.size > 1:
            if _uses_devices():
                _check_cluster(job)
            else:
                _make_cluster(job)
                _made = job
            if _token is None:
                _token = tf.Variable(tf.zeros(()), trainable=False)
        _job = job

    def disconnect(self, failed: bool = False) -> None:
        global _job
        if failed and _job is not None and _job.size > 1:
            tell_failure(f"Worker {_job.rank} left the run.")
        _job = None

    def workers(self) -> int:
        return 1 if _job is None else _job.size

    def worker_index(self) -> Array:
        return tf.constant(0 if _job is None else _job.rank)

    def sum_over_workers(self, x: Array) -> Array:
        if _job is None or _job.size == 1:
            return x
        if x.dtype not in _SUMMED:
            return tf.cast(self.sum_over_workers(tf.cast(x, tf.int64 if x.dtype.is_integer else tf.float32)), x.dtype)
        total = add_up(tf.reshape(x, (-1,)), _job.size)
        return tf.reshape(total, tf.shape(x) if x.shape.num_elements() is None else x.shape)

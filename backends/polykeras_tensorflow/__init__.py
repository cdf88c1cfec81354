"""The tensorflow backend of polykeras. Importing this package imports no framework; loading the backend does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_tensorflow.backend import TensorflowBackend  # first: it prepares the import of TensorFlow
    from polykeras_tensorflow.framework import share_memory
    from polykeras_tensorflow.native.checkpoints import accept_checkpointables
    from polykeras_tensorflow.native.handles import accept_handles
    from polykeras_tensorflow.native.static_values import accept_static_values

    share_memory()
    accept_handles()
    accept_static_values()
    accept_checkpointables()
    _keep_from_autograph()
    return TensorflowBackend()


def _keep_from_autograph() -> None:
    from polykeras_tensorflow.private import leave_to_python

    # In a user's `tf.function`, autograph would also rewrite our code, and fail on some of it. It leaves Keras's alone.
    leave_to_python("polykeras", "polykeras_tensorflow")


def _seed(seed: int) -> None:
    import tensorflow as tf

    tf.random.set_seed(seed)


def _on_host(function: Callable[..., Any], arrays: list[Any], specs: Callable[..., Any]) -> Any:
    from polykeras_tensorflow.host_calls import on_host

    return on_host(function, arrays, specs)


def _dataset_of(make: Callable[[], Iterator[Any]]) -> Any:
    from polykeras_tensorflow.datasets import dataset_of

    return dataset_of(make)


_FAST_PATHS = {
    "adopted-memory": "small arrays in memory that TensorFlow takes over, as large ones",
    "borrowed-memory": "host memory that is used in place",
    "graph-rewrites": "slow kinds of nodes replaced by others of the same bits before XLA",
    "pooling-gradients": "the gradient of a maximum of tiled windows as comparisons",
    "predict-batches": "small batches of a prediction in one program",
    "second-level": "LLVM's second level in place of its third",
    "xla": "steps and predictions by XLA",
    "xla-stages": "steps with sums over workers by XLA, but for the sums",
}

provider = Provider(
    framework="tensorflow",
    load=_load,
    priority=10,
    install='pip install "polykeras[tensorflow]"',
    tested=("2.18", "2.21"),
    seed=_seed,
    on_host=_on_host,
    dataset_of=_dataset_of,
    on_search={"autograph_info__": _keep_from_autograph},  # AutoGraph asks for it before it rewrites an object's code
    fast_paths=_FAST_PATHS,
)

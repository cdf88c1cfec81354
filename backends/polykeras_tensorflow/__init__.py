"""The tensorflow backend of polykeras. Importing this package imports no framework; loading the backend does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_tensorflow.backend import TensorflowBackend  # first: it prepares the import of TensorFlow
    from polykeras_tensorflow.checkpoints import accept_ours
    from polykeras_tensorflow.framework import share_memory
    from polykeras_tensorflow.handles import accept_handles
    from polykeras_tensorflow.private import leave_to_python

    share_memory()
    accept_handles()
    accept_ours()
    # In a user's `tf.function`, autograph would also rewrite our code, and fail on some of it. It leaves Keras's alone.
    leave_to_python("polykeras", "polykeras_tensorflow")
    return TensorflowBackend()


def _on_host(function: Callable[..., Any], arrays: list[Any], spec: Callable[..., Any]) -> Any:
    from polykeras_tensorflow.host_calls import on_host

    return on_host(function, arrays, spec)


def _dataset_of(make: Callable[[], Iterator[Any]]) -> Any:
    from polykeras_tensorflow.datasets import dataset_of

    return dataset_of(make)


provider = Provider(
    framework="tensorflow",
    load=_load,
    priority=10,
    install='pip install "polykeras[tensorflow]"',
    tested=("2.18", "2.21"),
    on_host=_on_host,
    dataset_of=_dataset_of,
)

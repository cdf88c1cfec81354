"""Ray Train's trainer, whose workers are told what `keras.distribution.initialize` reads."""

# Types are also checked where the extra `ray` is missing.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ray import get
from ray.train import RunConfig, ScalingConfig
from ray.train.backend import Backend, BackendConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util import get_node_ip_address

from polykeras.backend import registry


def _backend_here() -> str:
    """Return the name of the current backend of this process. Loads none."""
    current = registry.current_or_none()
    return registry.default_choice()[0] if current is None else current.name


@dataclass
class PolykerasConfig(BackendConfig):
    """What makes the workers of a `DataParallelTrainer` of Ray the processes of one run of polykeras.

    Args:
        backend: the name of the backend of the workers. None: the current one, where this is made.
    """

    backend: str = field(default_factory=_backend_here)

    @property
    def backend_cls(self) -> type[Backend]:
        """The class that Ray calls when it has started the workers."""
        return _Environment

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, as Ray shows them."""
        return {"backend": self.backend}


class PolykerasTrainer(DataParallelTrainer):
    """Runs a train function on the workers of Ray Train, which are the processes of one run.

    The function begins with `keras.distribution.initialize()` and `set_distribution`, as under any other launcher. With
    a `ReportCheckpointCallback` in `fit`, Ray shows the logs, and a run that lost a worker goes on at its last
    checkpoint if `FailureConfig(max_failures=...)` allows that.

    Args:
        train_loop_per_worker: the function. It takes `train_loop_config`, or nothing.
        train_loop_config: a dict for the function.
        backend: the name of the backend of the workers. None: the current one of this process.
        scaling_config: how many workers there are, and what each needs.
        run_config: where results are kept, and how often lost workers are replaced.
        **kwargs: as for Ray's `DataParallelTrainer`.

    Example:
        >>> trainer = PolykerasTrainer(train, scaling_config=ray.train.ScalingConfig(num_workers=2))  # doctest: +SKIP
        >>> trainer.fit().metrics  # doctest: +SKIP
        {'loss': 0.31}
    """

    def __init__(
        self,
        train_loop_per_worker: Callable[[], Any] | Callable[[dict[str, Any]], Any],
        *,
        train_loop_config: dict[str, Any] | None = None,
        backend: str | None = None,
        scaling_config: ScalingConfig | None = None,
        run_config: RunConfig | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            train_loop_per_worker,
            train_loop_config=train_loop_config,
            backend_config=PolykerasConfig() if backend is None else PolykerasConfig(backend),
            scaling_config=scaling_config,
            run_config=run_config,
            **kwargs,
        )


class _Environment(Backend):
    """Sets the environment of new workers, before the train function runs."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Choose an address for each worker, and tell all workers all of them."""
        addresses: list[str] = []
        while len(set(addresses)) < len(worker_group):  # a machine may give one port to two workers
            addresses = worker_group.execute(_free_address)
        get(
            [
                worker_group.execute_single_async(rank, _tell, addresses, rank, backend_config.backend)
                for rank in range(len(addresses))
            ]
        )


def _free_address() -> str:
    """Return a free port of this machine, as `"host:port"`."""
    host = get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tell(addresses: list[str], rank: int, backend: str) -> None:
    """Tell this worker which one it is, in Keras's variables, which take the addresses of all workers."""
    os.environ.update(
        POLYKERAS_BACKEND=backend,
        KERAS_DISTRIBUTION_JOB_ADDRESSES=",".join(addresses),
        KERAS_DISTRIBUTION_NUM_PROCESSES=str(len(addresses)),
        KERAS_DISTRIBUTION_PROCESS_ID=str(rank),
    )

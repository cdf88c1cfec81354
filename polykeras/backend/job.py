"""The processes of a distributed run, as a backend connects them, and the step that runs shared between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from polykeras.backend.shared_draws import Draws, recorded_draws


@dataclass(frozen=True, slots=True)
class Job:
    """The processes of a run, and which of them this is.

    Attributes:
        rank: the number of this process, from 0.
        size: the number of processes.
        coordinator: `"host:port"`, where process 0 waits for the others. A backend may use the ports from this one on.
        addresses: `"host:port"` of each process, for frameworks in which all know all; empty if that is unknown.
        timeout: seconds after which a process that does not answer counts as lost.
        devices: the names of the devices of this process that are workers, such as `("gpu:0", "gpu:1")`. Empty for
            one worker, on the device that the framework uses by itself.
        local_rank: the number of this process among those on its machine, by which it may choose its GPU; None if
            unknown.
    """

    rank: int
    size: int
    coordinator: str
    addresses: tuple[str, ...] = ()
    timeout: float = 300.0
    devices: tuple[str, ...] = ()
    local_rank: int | None = None


class WorkerLost(RuntimeError):
    """Raised where another process of a run has ended or does not answer."""


@dataclass(frozen=True, slots=True)
class SharedStep:
    """A step whose batch is shared: each worker has the rows `worker_index() + i * workers` of it.

    Attributes:
        workers: the number of workers.
        rows: the rows of each worker.
        draws: the random numbers that the step draws.
    """

    workers: int
    rows: int
    draws: Draws = field(default_factory=Draws)

    def sample_axis(self, shape: Sequence[int]) -> int | None:
        """Return the axis of a draw of random numbers that counts samples; see `Draws`."""
        return self.draws.sample_axis(shape, self.rows)


shared_step: ContextVar[SharedStep | None] = ContextVar("polykeras_shared_step", default=None)
"""The shared step that is traced or runs; None in any other code, where a collective has nothing to do."""


@contextmanager
def drawn_for_all() -> Iterator[None]:
    """A context in which random numbers are the same on all workers, whatever their shape."""
    token = shared_step.set(None)
    try:
        with recorded_draws():
            yield
    finally:
        shared_step.reset(token)

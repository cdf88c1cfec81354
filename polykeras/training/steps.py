"""A model's steps as pure functions on the current backend, and chunks of them.

This is the one place where `train_step`, `test_step` and `predict_step`, which are plain code over variables, become
functions that a backend compiles. A chunk is a number of steps that run without the host: long enough that dispatch
costs nothing, short enough that a progress bar moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from polykeras import tree
from polykeras.backend import Backend
from polykeras.training.data.sources import ArraySource, StreamSource
from polykeras.variables import NewVariables, Variable, functionalize, read_state, unique, write_state

CHUNK_SECONDS = 0.075


class CompiledStep:
    """One step function of a model on one backend.

    Args:
        step: takes a batch, returns logs (or predictions).
        variables: the state it is known to use. What else it uses is found by tracing.
        backend: where it runs.
    """

    def __init__(self, step: Callable[[Any], Any], variables: Sequence[Variable], backend: Backend) -> None:
        self._step = step
        self._backend = backend
        self._compile(unique(variables))

    def _compile(self, variables: list[Variable]) -> None:
        self.variables = variables
        self._pure = functionalize(self._step, variables)
        self._chunk: Callable[..., Any] | None = None
        self._single: Callable[..., Any] | None = None

    def _run(self, run: Callable[[list[Any]], tuple[list[Any], Any]]) -> Any:
        while True:
            try:
                state, result = run(read_state(self.variables, self._backend))
            except NewVariables as found:
                self._compile(unique([*self.variables, *found.variables]))
                continue
            write_state(self.variables, state, self._backend)
            return result

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run the steps `start` to `stop` over rows of arrays on the device; return the logs of the last one."""

        def run(state: list[Any]) -> tuple[list[Any], Any]:
            if self._chunk is None:
                self._chunk = self._backend.compile_steps(self._pure)
            return self._chunk(state, data, indices, start, stop)

        return self._run(run)

    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch of host arrays; return its logs or predictions."""
        on_device = tree.map_structure(self._backend.asarray, batch)

        def run(state: list[Any]) -> tuple[list[Any], Any]:
            if self._single is None:
                self._single = self._backend.compile(self._pure, donate_first=True)
            return self._single(state, on_device)

        return self._run(run)


class EagerStep(CompiledStep):
    """A step that runs as plain Python, for `run_eagerly=True`: prints, breakpoints and native code work in it."""

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run the steps one by one."""
        logs: Any = {}
        for i in range(start, stop):
            logs = self._step(self._backend.rows(data, indices[i]))
        return logs

    def run_batch(self, batch: Any) -> Any:
        """Run the step."""
        return self._step(tree.map_structure(self._backend.asarray, batch))


class ChunkSize:
    """Chooses how many steps run in one go, from how long they took.

    Args:
        fixed: a number that the user or a callback asks for; None to choose.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self._fixed = fixed
        self.steps = fixed or 1
        self._seen = 0

    def record(self, steps: int, seconds: float) -> None:
        """Take note of a chunk's time. The first chunk is left out: it compiles."""
        self._seen += 1
        if self._fixed or self._seen == 1:
            return
        wanted = CHUNK_SECONDS * steps / max(seconds, 1e-6)
        # Grow by at most eight times: a short chunk is mostly overhead and says little.
        self.steps = int(max(1, min(wanted, 8 * self.steps, 100_000)))


Chunk: TypeAlias = tuple[int, Callable[[], tuple[Any, int]]]


def array_chunks(source: ArraySource, step: CompiledStep, backend: Backend, size: ChunkSize) -> Iterator[Chunk]:
    """Return the chunks of an epoch over arrays: the number of the first step, and a function that runs the chunk.

    The function returns the last logs and the number of steps done.
    """
    data = source.resident(backend)
    full, rest = source.order()
    indices = backend.asarray(full)
    start = 0
    while start < len(full):
        stop = min(start + size.steps, len(full))
        yield start, lambda first=start, last=stop: (step.run_rows(data, indices, first, last), last - first)
        start = stop
    if rest is not None:
        # A batch of another shape; its one step is compiled by itself.
        row = backend.asarray(rest[None])
        yield start, lambda: (step.run_rows(data, row, 0, 1), 1)


def stream_chunks(source: StreamSource, step: CompiledStep, size: ChunkSize) -> Iterator[Chunk]:
    """Return the chunks of an epoch over a stream, as `array_chunks`; batches are fetched while a chunk runs."""
    batches = source.epoch()
    waiting = [next(batches, None)]
    position = 0

    def run() -> tuple[Any, int]:
        logs: Any = {}
        taken = 0
        while waiting[0] is not None and taken < size.steps:
            logs = step.run_batch(waiting[0])
            taken += 1
            waiting[0] = next(batches, None)
        nonlocal position
        position += taken
        return logs, taken

    while waiting[0] is not None:
        yield position, run


def timed(run: Callable[[], tuple[Any, int]], to_host: Callable[[Any], Any]) -> tuple[tuple[Any, int], float]:
    """Run a chunk and bring its logs to the host, which waits for it; return both results and the seconds it took."""
    begin = time.perf_counter()
    logs, steps = run()
    return (to_host(logs), steps), time.perf_counter() - begin

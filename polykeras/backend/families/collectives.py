"""What the workers of a distributed run do together. A framework's engine connects them and adds arrays up.

A worker is a process, or one device of a process that runs on several. A run of one process has one worker, and each
method here returns its argument then.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from polykeras.backend.job import Job
from polykeras.backend.spec import Array, Family


class Collectives(Family):
    """Sums over workers, and what is composed of them.

    All workers must call the same methods in the same order, with arrays of the same shapes and dtypes. Results have
    the same bits on all workers.
    """

    # ---- required ----------------------------------------------------------------------------------------------

    @abstractmethod
    def connect(self, job: Job) -> None:
        """Connect this process with the others, by the framework's own engine. Waits for them.

        Args:
            job: the processes. If the framework is connected already, by the user's own code, its connection is used.

        Raises:
            ImportError: the engine is a package that is not installed.
            RuntimeError: the connection failed.
        """

    @abstractmethod
    def disconnect(self, failed: bool = False) -> None:
        """End the connection, if there is one that `connect` made.

        Args:
            failed: whether this process leaves in the middle of a run. It then waits for no other process, and does
                what the engine allows so that they do not wait for it.
        """

    @abstractmethod
    def workers(self) -> int:
        """Return the number of workers: 1 if nothing is connected.

        A process that runs on several devices calls its other code only once. There, the workers are the processes.
        """

    @abstractmethod
    def worker_index(self) -> Array:
        """Return the number of this worker, an int32 scalar. Compiled code must be the same on all workers."""

    @abstractmethod
    def sum_over_workers(self, x: Array) -> Array:
        """Return the sum of the arrays `x` of all workers.

        It works in functions that `compile` and `compile_steps` were given with `collective=True`, and outside of any
        compiled function. It need not have a gradient.

        Args:
            x: float or integer; of one shape and dtype on all workers.

        Raises:
            WorkerLost: another worker ended, or did not answer in the time of `Job.timeout`.
        """

    # ---- composed ----------------------------------------------------------------------------------------------

    def local_workers(self) -> int:
        """Return how many workers the calling code stands for: the devices of this process, 1 in collective functions.

        Process `p` of `P` has the rows `p::P` of a batch, and its device `d` of `D` has the rows `d::D` of these. So
        the worker with the number `w` of `W = D * P` has the rows `w::W` of the batch.
        """
        return 1

    def all_reduce(self, arrays: Sequence[Array], op: str = "sum") -> list[Array]:
        """Return sums or means over workers, of each array. They can be differentiated.

        Arrays of one dtype travel as one, since each journey has its latency.

        Args:
            arrays: floats, or integers for sums; of the same shapes and dtypes on all workers.
            op: `"sum"` or `"mean"`.

        Raises:
            ValueError: another `op`.
        """
        if op not in ("sum", "mean"):
            raise ValueError(f"all_reduce: expected op='sum' or op='mean'; received {op!r}.")
        workers = self.workers()
        if workers == 1 or not arrays:
            return list(arrays)
        results: dict[int, Array] = {}
        by_dtype: dict[str, list[int]] = {}
        for place, x in enumerate(arrays):
            by_dtype.setdefault(self.dtype(x), []).append(place)
        for places in by_dtype.values():
            results |= zip(places, self._sums_of_one_dtype([arrays[place] for place in places]), strict=True)
        sums = [results[place] for place in range(len(arrays))]
        return sums if op == "sum" else [self.divide(x, workers) for x in sums]

    def _sums_of_one_dtype(self, arrays: Sequence[Array]) -> list[Array]:
        if len(arrays) == 1:
            return [self._differentiable_sum(arrays[0])]
        total = self._differentiable_sum(self.concatenate([self.reshape(x, (-1,)) for x in arrays]))
        parts, start = [], 0
        for x in arrays:
            shape, size = self.shape(x), self.size(x)
            parts.append(self.reshape(total[start : start + size], shape))
            start += size
        return parts

    def _differentiable_sum(self, x: Array) -> Array:
        """Return the sum over workers. Each worker's part goes to all sums, so the gradient is a sum over workers."""

        @self.custom_gradient
        def total(x: Array) -> tuple[Array, object]:
            return self.sum_over_workers(x), lambda upstream: self._differentiable_sum(upstream)

        return total(x)

    def all_gather(self, x: Array) -> Array:
        """Return the arrays of all workers, stacked along a new first axis in the order of the workers.

        Args:
            x: numbers or bools; of one shape and dtype on all workers.
        """
        dtype = self.dtype(x)
        number = self.cast(x, "int32") if dtype == "bool" else x
        places = self.arange(self.workers(), dtype="int32")
        own = self.reshape(self.equal(places, self.worker_index()), (-1, *[1] * len(self.shape(x))))
        parts = self.where(own, number[None], self.zeros_like(number[None]))
        return self.cast(self.all_reduce([parts])[0], dtype)

    def all_gather_rows(self, x: Array) -> Array:
        """Return the rows of the whole batch, in their order, of the rows that each worker has of it.

        Args:
            x: numbers or bools, `(rows, ...)`; of one shape and dtype on all workers.
        """
        parts = self.swapaxes(self.all_gather(x), 0, 1)  # the batch has a row of each worker in turn
        return self.reshape(parts, (self.workers() * self.shape(x)[0], *self.shape(x)[1:]))

    def broadcast(self, arrays: Sequence[Array], source: int = 0) -> list[Array]:
        """Return the arrays of one worker.

        Args:
            arrays: numbers; of the same shapes and dtypes on all workers.
            source: the number of that worker.
        """
        is_source = self.equal(self.worker_index(), source)
        return self.all_reduce([self.where(is_source, x, self.zeros_like(x)) for x in arrays])

    def barrier(self) -> None:
        """Wait until all workers have called this method."""
        self.to_numpy(self.all_reduce([self.zeros((1,), "int32")])[0])

"""Each worker records functions that add arrays up over workers, and prints what their repetitions gave."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from polykeras_torch import collectives
from torch import Tensor

from helpers.workers import tell
from polykeras.backend import registry
from polykeras.backend.job import Job

warnings.simplefilter("error", RuntimeWarning)  # a function that is not recorded
backend: Any = registry.current()
RANK, SIZE = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


class Counted:
    """A process group that counts the arrays that it adds up, and keeps their sizes in order."""

    def __init__(self, group: Any) -> None:
        self._group = group
        self.sizes: list[int] = []

    def allreduce(self, tensors: Sequence[Tensor], options: Any) -> Any:
        """Add arrays up."""
        self.sizes += [tensor.numel() for tensor in tensors]
        return self._group.allreduce(tensors, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)


def repeated(fn: Callable[[Tensor], Any], *arguments: Sequence[float]) -> list[Any]:
    """Return what a compiled function gives for each argument: the first call records, the others repeat."""
    compiled = backend.compile(fn, collective=True)
    return [compiled(torch.tensor(values)).tolist() for values in arguments]


def steps_with_logs(counted: Counted) -> dict[str, Any]:
    """A chunk whose steps use a sum in their logs only: steps without logs add it up all the same."""

    def step(state: list[Tensor], batch: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        (log,) = backend.all_reduce([batch.sum()])
        (moved,) = backend.all_reduce([batch.sum(0)])
        return [state[0] + moved], {"log": log}

    counted.sizes.clear()
    data = torch.arange(8.0).reshape(4, 2) + RANK
    indices = np.arange(4, dtype=np.int32)[:, None]
    (state,), logs = backend.compile_steps(step, collective=True)([torch.zeros(2)], data, indices, 0, 4)
    return {"state": state.tolist(), "log": float(logs["log"]), "sizes": list(counted.sizes)}


def constants() -> list[Any]:
    """What others add to a constant of this worker is no constant."""

    def fn(x: Tensor) -> Tensor:
        own = torch.zeros(2) if RANK == 0 else x
        return backend.sum_over_workers(own) * 2

    return repeated(fn, [1.0, 2.0], [3.0, 4.0], [5.0, 6.0])


def order(counted: Counted) -> list[int]:
    """Sums of arrays that do not depend on each other, nor on the argument, keep their order."""
    outside = torch.ones(3)

    def fn(x: Tensor) -> Tensor:
        last = backend.sum_over_workers(x)
        return backend.sum_over_workers(outside).sum() + backend.sum_over_workers(torch.ones(5)).sum() + last.sum()

    counted.sizes.clear()
    assert repeated(fn, [1.0 + RANK], [2.0], [3.0]) == [3.0 + 6.0 + 10.0, 4.0 + 16.0, 6.0 + 16.0]
    return counted.sizes


def memory() -> list[Any]:
    """An argument that is read later keeps its values; one that is not gives its memory away."""

    def fn(x: Tensor) -> Tensor:
        doubled = x * 2
        first = backend.sum_over_workers(doubled)
        (second, third) = backend.all_reduce([doubled + 1, x])
        return torch.stack([first, doubled, second, third, x])

    _, results = repeated(fn, [1.0 + RANK] * 2048, [2.0 + RANK] * 2048)
    return [row[0] for row in results]


def donated() -> list[Any]:
    """A donated state that is added up as it is."""
    compiled = backend.compile(lambda state, batch: [backend.sum_over_workers(state[0])], True, collective=True)
    state = [torch.full((2048,), 1.0 + RANK)]
    for _ in range(3):
        state = compiled(state, torch.ones(1))
    return state[0][:2].tolist()


def dtypes() -> dict[str, Any]:
    """Sums of each dtype, of numbers that need all its digits."""
    found = {}
    for dtype in ("float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64"):
        largest = float(torch.finfo(getattr(torch, dtype)).eps) if "float" in dtype else 2.0
        x = backend.cast(torch.tensor([1.0 + RANK * largest, 3.0, 100.0]), dtype)
        compiled = backend.compile(backend.sum_over_workers, collective=True)
        results = [compiled(x), compiled(x), backend.sum_over_workers(x)]
        assert all(backend.dtype(result) == dtype for result in results)
        assert all(torch.equal(result, results[0]) for result in results)
        found[dtype] = (results[0].double() - torch.tensor([2.0, 6.0, 200.0])).tolist()[0] / largest
    x = torch.tensor([2**53 + RANK, -(2**62), 2**31], dtype=torch.int64)
    found["exact"] = [int(n) for n in backend.sum_over_workers(x)]
    found["empty"] = backend.sum_over_workers(torch.zeros((0, 3))).tolist()
    found["columns"] = backend.sum_over_workers((torch.arange(6.0).reshape(2, 3) + RANK).T).tolist()
    return found


def control() -> dict[str, Any]:
    """Sums within the contract's control flow and gradients."""
    total = backend.sum_over_workers

    def looped(x: Tensor) -> Tensor:
        return backend.scan(lambda carry, row: (carry + total(row), carry), torch.zeros(()), x)[0]

    def branched(x: Tensor) -> Tensor:
        return backend.cond(total(x).sum() > 10, lambda: total(x) * 2, lambda: total(-x))

    def mapped(x: Tensor) -> Tensor:
        return backend.vectorized_map(lambda element: backend.all_reduce([element * 2])[0] + element, x)

    def slope(x: Tensor) -> Tensor:
        def loss(values: list[Tensor]) -> tuple[Tensor, None]:
            (whole,) = backend.remat(lambda y: backend.all_reduce([y * y]))(values[0])
            return whole.sum() ** 2, None

        return backend.value_and_grad(loss, [x])[2][0]

    arguments = [1.0 + RANK, 2.0], [3.0 + RANK, 4.0]
    return {fn.__name__: repeated(fn, *arguments) for fn in (looped, branched, mapped, slope)}


def bits() -> str:
    """The bits of a sum of random numbers, which all workers must have."""
    x = torch.from_numpy(np.random.default_rng(RANK).standard_normal(10007).astype(np.float32)) * 10.0**RANK
    return backend.to_numpy(backend.sum_over_workers(x)).tobytes().hex()


def main() -> None:
    port = int(os.environ["MASTER_PORT"])
    backend.connect(Job(RANK, SIZE, f"127.0.0.1:{port}", timeout=30.0))
    found: dict[str, Any] = {"bits": bits()}
    if SIZE == 2:
        found |= {"constants": constants(), "memory": memory(), "donated": donated(), "dtypes": dtypes()}
        found |= {"control": control()}
        assert collectives._connection is not None
        counted = Counted(collectives._connection.group)
        collectives._connection = replace(collectives._connection, group=counted)
        found |= {"steps": steps_with_logs(counted), "order": order(counted)}
        del counted  # the threads of the group end with its last reference
    backend.disconnect()
    tell(RANK, found)


main()

"""JAX by an expert: an epoch as one program over a mesh of all devices, with donated state.

Two ways to write it: a program of the whole batch, which JAX cuts (`jit` over a mesh), and a program of one device's
rows with its own mean of the gradients, all in one array (`shard_map`). Each with two of LLVM's levels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.native import loops_jax
from benchmarks.native.jax_models import MODELS, Mode
from benchmarks.native.memory import keep_freed_memory
from benchmarks.tasks import TASKS

Epoch = Callable[[np.ndarray], float]
SAME, ROWS = PartitionSpec(), PartitionSpec(None, "batch")


def _step(name: str, mean: Callable[[Any], Any], state: Any, batch: Any) -> tuple[Any, Any]:
    params, statistics, slots = state
    task, (x, y) = TASKS[name], batch

    def loss(params: Any) -> Any:
        logits, moved = MODELS[name](params, statistics, x, Mode(True, jax.random.key(0)))
        return loops_jax._loss(task.loss, logits, y), moved

    (value, statistics), grads = jax.value_and_grad(loss, has_aux=True)(params)
    value, statistics, grads = mean((value, statistics, grads))
    params, slots = loops_jax.UPDATES[task.optimizer](params, grads, slots, task.rate)
    return (params, statistics, slots), value


def _mean_over_devices(tree: Any) -> Any:
    flat, back = ravel_pytree(tree)
    return back(lax.pmean(flat, "batch"))


def _trainer(name: str, weights: list[np.ndarray], x: Any, y: np.ndarray, by_device: bool, options: Any) -> Epoch:
    mesh = Mesh(np.array([jax.local_devices(process)[0] for process in range(jax.process_count())]), ("batch",))
    same, rows = NamedSharding(mesh, SAME), NamedSharding(mesh, ROWS)

    def program(state: Any, batches: Any) -> Any:
        mean = _mean_over_devices if by_device else lambda tree: tree
        state, losses = lax.scan(partial(_step, name, mean), state, batches)
        return state, losses.mean()

    if by_device:
        program = jax.shard_map(program, mesh=mesh, in_specs=(SAME, ROWS), out_specs=SAME, check_vma=False)
    run: Any = jax.jit(program, donate_argnums=0, out_shardings=same, compiler_options=options)
    state = jax.device_put(jax.tree.map(np.asarray, loops_jax._initial(name, weights)[:3]), same)

    def epoch(order: np.ndarray) -> float:
        nonlocal state
        own = jax.tree.map(lambda a: a[order], (x, y))
        batches = jax.tree.map(lambda a: jax.make_array_from_process_local_data(rows, a), own)
        state, loss = run(state, batches)
        return float(loss)

    return epoch


def trainers(name: str, weights: list[np.ndarray], x: Any, y: np.ndarray) -> dict[str, Callable[[], Epoch]]:
    """Return ways to train. See `experts_torch.trainers`; the mean loss is that of all workers."""
    keep_freed_memory()
    return {
        way + what: partial(_trainer, name, weights, x, y, by_device, options)
        for way, by_device in (("jit over a mesh", False), ("shard_map", True))
        for what, options in (("", None), (", LLVM 2", loops_jax.LLVM_2))
    }


ENDS_AT_ONCE = False
"""Whether processes end without waiting for one another."""


def prepare() -> None:
    """Do nothing: polykeras connects JAX."""

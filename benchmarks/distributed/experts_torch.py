"""PyTorch by an expert: `DistributedDataParallel` around a module, and a fused optimizer.

Each worker has its share of the data as tensors. The batches of an epoch are slices of a permuted copy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel

from benchmarks.native import loops_torch
from benchmarks.native.memory import keep_freed_memory
from benchmarks.native.torch_models import MODELS
from benchmarks.native.weights import arranged
from benchmarks.tasks import TASKS

Epoch = Callable[[np.ndarray], float]


def _trainer(name: str, weights: list[np.ndarray], x: Any, y: np.ndarray, compiled: bool) -> Epoch:
    torch.set_flush_denormal(True)  # an expert's switch; `fit` has none
    task = TASKS[name]
    inputs, labels = loops_torch._tensors(x), torch.from_numpy(y)
    labels = labels.long() if task.loss == "classes" else labels
    module = MODELS[name](arranged(name, weights), 0.0).train()
    model = DistributedDataParallel(module, gradient_as_bucket_view=True, static_graph=True)
    run = torch.compile(model) if compiled else model
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = loops_torch.OPTIMIZERS[task.optimizer](parameters, lr=task.rate)
    criterion = loops_torch.CRITERIA[task.loss]

    def epoch(order: np.ndarray) -> float:
        total = torch.zeros(())
        for batch, truth in loops_torch._permuted(inputs, labels, torch.from_numpy(order).long()):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(run(batch), truth)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total) / len(order)

    return epoch


def trainers(name: str, weights: list[np.ndarray], x: Any, y: np.ndarray) -> dict[str, Callable[[], Epoch]]:
    """Return ways to train: each call begins anew and returns `epoch(order) -> mean loss of this worker`.

    Args:
        name: the task of `benchmarks.tasks` whose loop it is.
        weights: the initial weights.
        x: the inputs of this worker.
        y: its labels.
    """
    keep_freed_memory()
    ways = {"DDP": False, "DDP, torch.compile": True}
    return {way: partial(_trainer, name, weights, x, y, compiled) for way, compiled in ways.items()}


ENDS_AT_ONCE = False
"""Whether processes end without waiting for one another."""


def prepare() -> None:
    """Do nothing: polykeras connects PyTorch."""

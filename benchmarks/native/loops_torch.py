"""PyTorch by hand: modules, autograd and a fused optimizer.

The ways differ in how rows come (gathered step by step, or the whole epoch at once), in threads, and in two switches:
the C library keeps freed memory, as in `fit`, and subnormal numbers count as zero. `torch.compile` is another where
there is a C++ compiler.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

from benchmarks.native.memory import keep_freed_memory
from benchmarks.native.torch_models import MODELS
from benchmarks.native.weights import arranged
from benchmarks.tasks import TASKS

Epoch = Callable[[np.ndarray], float]
THREADS = torch.get_num_threads()


def _squares(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return nn.functional.mse_loss(torch.sigmoid(logits), y)


CRITERIA = {
    "binary": nn.functional.binary_cross_entropy_with_logits,
    "classes": nn.functional.cross_entropy,
    "squares": _squares,
}
ACTIVATIONS = {"binary": torch.sigmoid, "classes": partial(torch.softmax, dim=-1), "squares": torch.sigmoid}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, fused=True),
    "momentum": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "adam": partial(torch.optim.Adam, eps=1e-7, fused=True),
}


def _tensors(x: Any) -> Any:
    """Return `x` as tensors; images as channels-last (n, c, h, w), brought there once."""

    def converted(a: np.ndarray) -> torch.Tensor:
        t = torch.from_numpy(a)
        return t.permute(0, 3, 1, 2).to(memory_format=torch.channels_last) if t.ndim == 4 else t

    return pytree.tree_map(converted, x)


def _rows(data: Any, rows: Any) -> Any:
    return data[rows] if isinstance(data, torch.Tensor) else {name: part[rows] for name, part in data.items()}


def _gathered(x: Any, y: Any, order: torch.Tensor) -> Iterator[tuple[Any, Any]]:
    for rows in order:
        yield _rows(x, rows), y[rows]


def _permuted(x: Any, y: Any, order: torch.Tensor) -> Iterator[tuple[Any, Any]]:
    batch = order.shape[1]
    x, y = _rows(x, order.flatten()), y[order.flatten()]
    for i in range(0, order.numel(), batch):
        yield _rows(x, slice(i, i + batch)), y[i : i + batch]


@dataclass(frozen=True)
class _Way:
    """How steps are run: where rows come from, threads, whether switches are set, whether the module is compiled."""

    batches: Callable[..., Iterator[tuple[Any, Any]]] = _permuted
    threads: int = THREADS
    switched: bool = False
    compiled: bool = False

    def set(self) -> None:
        """Set threads and switches; memory that is once kept stays so, and ways that ask for it come last."""
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(self.switched)
        if self.switched:
            keep_freed_memory()


WAYS = {
    "as it comes": _Way(),
    "switches": _Way(switched=True),
    "switches, rows gathered": _Way(_gathered, switched=True),
    "switches, one thread": _Way(threads=1, switched=True),
}
if shutil.which("g++") or shutil.which("clang++"):
    WAYS["switches, torch.compile"] = _Way(switched=True, compiled=True)


def _trainer(name: str, weights: Any, data: tuple[Any, Any], dropout: float, way: _Way) -> Epoch:
    torch.manual_seed(0)
    task = TASKS[name]
    x, y = _tensors(data[0]), torch.from_numpy(data[1])
    y = y.long() if task.loss == "classes" else y
    module = MODELS[name](arranged(name, weights), dropout).train()
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = OPTIMIZERS[task.optimizer](parameters, lr=task.rate)
    model = torch.compile(module) if way.compiled else module
    criterion = CRITERIA[task.loss]
    group, numbers = optimizer.param_groups[0], count(1)

    def epoch(order: np.ndarray) -> float:
        way.set()
        total = torch.zeros(())
        for inputs, labels in way.batches(x, y, torch.from_numpy(order).long()):
            # Keras adds epsilon before the bias correction, PyTorch after it: so the losses are the same.
            group["eps"] = 1e-7 / (1 - 0.999 ** next(numbers)) ** 0.5
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total) / len(order)

    return epoch


def trainers(name: str, weights: Any, x: Any, y: Any, dropout: float) -> dict[str, Callable[[], Epoch]]:
    """Return ways to train: each call begins anew and returns `epoch(order) -> mean loss`, order (steps, batch)."""
    make = partial(_trainer, name, weights, (x, y), dropout)
    return {description: partial(make, way) for description, way in WAYS.items()}


def predictors(name: str, weights: Any, x: Any) -> dict[str, Callable[[], Callable[[], np.ndarray]]]:
    """Return ways to predict all rows: those of training but for where rows come from."""
    task = TASKS[name]
    data = _tensors(x)
    rows = len(next(iter(x.values()))) if isinstance(x, dict) else len(x)

    def make(way: _Way) -> Callable[[], np.ndarray]:
        module = MODELS[name](arranged(name, weights), 0.0).eval()
        model = torch.compile(module) if way.compiled else module

        @torch.inference_mode()
        def predict() -> np.ndarray:
            way.set()
            starts = range(0, rows, task.batch)
            logits = [model(_rows(data, slice(i, i + task.batch))) for i in starts]
            return ACTIVATIONS[task.loss](torch.cat(logits)).numpy()

        return predict

    return {description: partial(make, way) for description, way in WAYS.items() if way.batches is not _gathered}

"""Hand-written PyTorch loops: what an expert writes without any library on top."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class _Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(64, 64, batch_first=True)
        self.head = nn.Linear(64, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def _model(task: str) -> tuple[nn.Module, Any]:
    if task == "mlp":
        model = nn.Sequential(nn.Linear(784, 32), nn.Sigmoid(), nn.Linear(32, 10), nn.Sigmoid(), nn.Linear(10, 1))
        return model, torch.optim.SGD(model.parameters(), lr=0.01, fused=True)
    if task == "wide":
        model = nn.Sequential(
            nn.Linear(784, 512),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(512, 10),
        )
    elif task == "conv":
        model = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(1600, 10),
        )
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's annotations
    else:
        model = _Lstm()
    return model, torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)


def epoch_function(task: str, x: Any, y: Any, batch: int) -> Callable[[], float]:
    """Return a function that trains one epoch in a new order and returns the mean loss."""
    torch.manual_seed(0)
    inputs = torch.from_numpy(x)
    if task == "conv":
        inputs = inputs.permute(0, 3, 1, 2).to(memory_format=torch.channels_last)
    labels = torch.from_numpy(y)
    binary = task in ("mlp", "lstm")
    labels = labels if binary else labels.long()
    criterion = nn.functional.binary_cross_entropy_with_logits if binary else nn.functional.cross_entropy
    model, optimizer = _model(task)
    model.train()

    def epoch() -> float:
        order = torch.randperm(len(inputs))
        total = torch.zeros(())
        for rows in order.split(batch):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(inputs[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total) * batch / len(inputs)

    return epoch

"""The eleven models in PyTorch: `MODELS[name](weights, dropout)` is a module that gives logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

Weights = list[np.ndarray]


def _fill(parameter: torch.Tensor, value: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def _linear(kernel: np.ndarray, bias: np.ndarray) -> nn.Linear:
    layer = nn.Linear(*kernel.shape)
    _fill(layer.weight, kernel.T)
    _fill(layer.bias, bias)
    return layer


def _stack(weights: Weights, activation: Callable[[], nn.Module], dropout: float = 0.0) -> nn.Sequential:
    parts: list[nn.Module] = []
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        parts += [_linear(kernel, bias), activation()]
        parts += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*parts, _linear(*weights[-2:]))


def _conv2d(kernel: np.ndarray, bias: np.ndarray | None) -> nn.Conv2d:
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, bias=bias is not None)
    _fill(layer.weight, kernel.transpose(3, 2, 0, 1))
    if layer.bias is not None and bias is not None:
        _fill(layer.bias, bias)
    return layer


def _channels_last(model: nn.Module) -> nn.Module:
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's annotations


def _conv(weights: Weights) -> nn.Module:
    # Channels come first in what is flattened here, and last where the weights come from.
    head = weights[4].reshape(5, 5, 64, 10).transpose(2, 0, 1, 3).reshape(1600, 10)
    blocks = [[_conv2d(*weights[i : i + 2]), nn.ReLU(), nn.MaxPool2d(2)] for i in (0, 2)]
    return _channels_last(nn.Sequential(*blocks[0], *blocks[1], nn.Flatten(), _linear(head, weights[5])))


def _batch_norm(weights: Weights) -> nn.Module:
    blocks: list[nn.Module] = []
    for kernel, gamma, beta, mean, variance in (weights[:5], weights[5:10]):
        norm: Any = nn.BatchNorm2d(len(gamma), eps=1e-3, momentum=0.01)
        targets = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        for target, value in zip(targets, (gamma, beta, mean, variance), strict=True):
            _fill(target, value)
        blocks += [_conv2d(kernel, None), norm, nn.ReLU(), nn.MaxPool2d(2)]
    return _channels_last(
        nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), _linear(weights[10], weights[11]))
    )


class _Recurrent(nn.Module):
    """`nn.LSTM` or `nn.GRU`, and a layer on its last output."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], weights: Weights) -> None:
        super().__init__()
        kernel, recurrent, bias, *head = weights
        self.recurrent: Any = kind(64, 64, batch_first=True)
        _fill(self.recurrent.weight_ih_l0, kernel.T)
        _fill(self.recurrent.weight_hh_l0, recurrent.T)
        _fill(self.recurrent.bias_ih_l0, bias if bias.ndim == 1 else bias[0])
        _fill(self.recurrent.bias_hh_l0, np.zeros_like(bias) if bias.ndim == 1 else bias[1])
        # Keras's LSTM has one bias; two that train would move twice as fast.
        self.recurrent.bias_hh_l0.requires_grad_(bias.ndim == 2)
        self.head = _linear(head[0], head[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (batch, 1)."""
        return self.head(self.recurrent(x)[0][:, -1])


def _gru_weights(weights: Weights) -> Weights:
    """Return the weights with the gates in PyTorch's order: reset before update."""

    def swapped(w: np.ndarray) -> np.ndarray:
        z, r, h = np.split(w, 3, axis=-1)
        return np.concatenate([r, z, h], axis=-1)

    return [*map(swapped, weights[:3]), *weights[3:]]


def _embedding(table: np.ndarray) -> nn.Embedding:
    layer = nn.Embedding(*table.shape)
    _fill(layer.weight, table)
    return layer


class _TwoInputs(nn.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.table = _embedding(weights[0])
        self.rest = _stack(weights[1:], nn.ReLU)

    def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.rest(torch.cat([self.table(x["words"]).flatten(1), x["numbers"]], dim=1))


class _TextCnn(nn.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        table, kernel, bias, *head = weights
        self.table = _embedding(table)
        self.conv = nn.Conv1d(64, 64, 5)
        _fill(self.conv.weight, kernel.transpose(2, 1, 0))
        if self.conv.bias is not None:
            _fill(self.conv.bias, bias)
        self.head = _linear(head[0], head[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(self.table(x).transpose(1, 2))).amax(2))


class _Transformer(nn.Module):
    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.joined, self.out = _linear(*weights[:2]), _linear(*weights[2:4])
        self.first, self.second = nn.LayerNorm(64, eps=1e-3), nn.LayerNorm(64, eps=1e-3)
        self.feed = nn.Sequential(_linear(*weights[6:8]), nn.ReLU(), _linear(*weights[8:10]))
        self.head = _linear(*weights[12:])
        for norm, place in ((self.first, 4), (self.second, 10)):
            _fill(norm.weight, weights[place])
            _fill(norm.bias, weights[place + 1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.joined(x).unflatten(-1, (3, 4, 16)).permute(2, 0, 3, 1, 4).unbind(0)
        attended = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = self.first(x + self.out(attended))
        return self.head(self.second(x + self.feed(x)).mean(1))


MODELS: dict[str, Callable[[Weights, float], nn.Module]] = {
    "mlp": lambda weights, dropout: _stack(weights, nn.Sigmoid),
    "wide": lambda weights, dropout: _stack(weights, nn.ReLU, dropout),
    "conv": lambda weights, dropout: _conv(weights),
    "lstm": lambda weights, dropout: _Recurrent(nn.LSTM, weights),
    "deep": lambda weights, dropout: _stack(weights, nn.ReLU),
    "autoencoder": lambda weights, dropout: _stack(weights, nn.ReLU),
    "two_inputs": lambda weights, dropout: _TwoInputs(weights),
    "text_cnn": lambda weights, dropout: _TextCnn(weights),
    "gru": lambda weights, dropout: _Recurrent(nn.GRU, _gru_weights(weights)),
    "transformer": lambda weights, dropout: _Transformer(weights),
    "batch_norm": lambda weights, dropout: _batch_norm(weights),
}

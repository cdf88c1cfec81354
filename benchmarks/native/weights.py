"""The initial weights in the form that loops by hand use: one projection for queries, keys and values."""

from __future__ import annotations

import numpy as np


def arranged(name: str, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Return the weights of task `name`, in the order of the layers; attention's projections as matrices."""
    if name != "transformer":
        return weights
    kernels = [kernel.reshape(64, 64) for kernel in weights[0:6:2]]
    biases = [bias.reshape(64) for bias in weights[1:6:2]]
    joined = [np.concatenate(kernels, axis=1), np.concatenate(biases)]
    return [*joined, weights[6].reshape(64, 64), *weights[7:]]


def split_statistics(name: str, weights: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what is trained, and the moving statistics of batch normalization: a mean and a variance for each."""
    if name != "batch_norm":
        return weights, []
    places = (3, 4, 8, 9)
    return [w for i, w in enumerate(weights) if i not in places], [weights[i] for i in places]

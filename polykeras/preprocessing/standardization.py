"""Normalization of images, each by itself or by statistics of all."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from polykeras.common.types import ArrayLike
from polykeras.preprocessing.random_transforms import RandomTransforms


class Standardization(RandomTransforms):
    """The part of `ImageDataGenerator` that normalizes images. The attributes are its arguments and statistics."""

    featurewise_center: bool
    samplewise_center: bool
    featurewise_std_normalization: bool
    samplewise_std_normalization: bool
    zca_whitening: bool
    zca_epsilon: float
    rescale: float | None
    preprocessing_function: Callable[[np.ndarray], np.ndarray] | None
    data_format: str
    dtype: str
    mean: np.ndarray | None
    std: np.ndarray | None
    zca_whitening_matrix: np.ndarray | None

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """Return a normalized image, or a batch of them. The argument itself may be changed."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, keepdims=True) + 1e-6)
        if self.featurewise_center and self._is_fitted(self.mean, "featurewise_center"):
            x = x - self.mean
        if self.featurewise_std_normalization and self._is_fitted(self.std, "featurewise_std_normalization"):
            x = x / (self.std + 1e-6)  # type: ignore[operator]
        if self.zca_whitening and self._is_fitted(self.zca_whitening_matrix, "zca_whitening"):
            x = (x.reshape(-1, math.prod(x.shape[-3:])) @ self.zca_whitening_matrix).reshape(x.shape)
        return x

    @staticmethod
    def _is_fitted(statistic: np.ndarray | None, what: str) -> bool:
        if statistic is None:
            warnings.warn(f"ImageDataGenerator: {what} does nothing before `fit` was called with images.", stacklevel=3)
        return statistic is not None

    def fit(self, x: ArrayLike, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Compute the mean, the standard deviation and the correlations of images, as far as they are needed.

        Args:
            x: images of 4 axes.
            augment: whether the images are first changed at random.
            rounds: the number of random changes of each image.
            seed: the seed of NumPy's global generator; None leaves it unchanged.

        Raises:
            ValueError: if the rank is wrong.
        """
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(f"ImageDataGenerator.fit: expected images of 4 axes; received the shape {x.shape}.")
        if x.shape[self.channel_axis] not in (1, 3, 4):
            warnings.warn(
                f"ImageDataGenerator.fit: expected images of 1, 3 or 4 channels, {self.data_format}; received the "
                f"shape {x.shape}.",
                stacklevel=2,
            )
        if seed is not None:
            np.random.seed(seed)
        if self.rescale:
            x *= self.rescale
        if augment:
            x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x])
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axis=axes, keepdims=True)[0]
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axis=axes, keepdims=True)[0]
        if self.zca_whitening:
            u, s, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(x)) / (s + self.zca_epsilon))).dot(u.T)

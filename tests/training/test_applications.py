"""Image classifiers learn on each backend: each kernel moves, and so do the statistics of the normalizations."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import data
from polykeras import applications
from polykeras.backend import Backend
from polykeras.random import set_random_seed

NAMES = ("MobileNetV2", "ResNet50", "EfficientNetB0")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_steps(name: str, backend: Backend) -> None:
    set_random_seed(1)
    model = getattr(applications, name)(weights=None, input_shape=(32, 32, 3), classes=4)
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = 127.5 + 60.0 * data(4, 32, 32, 3), np.array([0, 1, 2, 3])
    moving = [w for w in model.weights if w.path.endswith(("kernel", "gamma", "moving_mean", "moving_variance"))]
    before = [w.numpy() for w in moving]
    losses = [float(model.train_on_batch(x, y)) for _ in range(2)]
    assert len(moving) > 100
    assert np.isfinite(losses).all()
    still = [w.path for w, value in zip(moving, before, strict=True) if np.array_equal(w.numpy(), value)]
    assert still == []

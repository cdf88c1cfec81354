"""One seed, one experiment: ten epochs on all backends draw one curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parity.experiments import cancer_data, cancer_model, digits_data, digits_model, train, worst

from polykeras.backend import Backend

EPOCHS = 10
EXPERIMENTS = {"cancer": (cancer_model, cancer_data), "digits": (digits_model, digits_data)}


@pytest.fixture(scope="module")
def references() -> dict[str, Any]:
    """The experiments on the numpy backend."""
    return {name: train("numpy", make, data(), EPOCHS) for name, (make, data) in EXPERIMENTS.items()}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_ten_epochs_agree(name: str, backend: Backend, references: dict[str, Any], capsys: Any) -> None:
    """Initial weights are bit-identical, losses agree to 1e-5.

    The limit is the issue's. What rounding alone does (float32 against float64 on one backend) is about 1e-6.
    """
    make, data = EXPERIMENTS[name]
    losses, initial, model = train(backend, make, data(), EPOCHS)
    expected, expected_initial, reference = references[name]
    for a, b in zip(initial, expected_initial, strict=True):
        np.testing.assert_array_equal(a, b)
    difference = worst(losses, expected)
    with capsys.disabled():
        print(f"\n{name} on {backend.name}: worst relative difference of the losses {difference:.1e}")
    assert difference <= 1e-5
    assert losses[-1] < 0.6 * losses[0], "it learns"


def test_kinks_and_rounding(backend: Backend) -> None:
    """With relu, a few epochs agree as closely; over many, rounding decides a few gradients.

    About 2e7 inputs of relu are computed in ten epochs, each with an error of about 1e-7; one or two lie so close to 0 that
    their gradient is 0 on one backend and 1 on another. The curves then part by up to 1e-3 of the loss, while neither is
    wrong. Until the first such event they agree as above, and afterwards within this limit.
    """
    data = digits_data()
    short = (data[0][:320], data[1][:320])
    expected = train("numpy", lambda: digits_model("relu"), short, 3)[0]
    losses = train(backend, lambda: digits_model("relu"), short, 3)[0]
    assert worst(losses[:1], expected[:1]) <= 1e-5
    assert worst(losses, expected) <= 5e-3


def test_another_seed_is_another_experiment(backend: Backend) -> None:
    """The test above would pass for a seed that nobody heeds."""
    first = train(backend, cancer_model, cancer_data(), 1, seed=1)[0]
    second = train(backend, cancer_model, cancer_data(), 1, seed=2)[0]
    assert worst(first, second) > 1e-3

"""Layers along the axis of the samples: workers refuse them, whatever kind of model they are in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.workers import results_of
from polykeras import layers, losses
from polykeras.backend import Backend, registry
from polykeras.layers.base.samples_axis import is_along_samples

SCRIPT = Path(__file__).parent / "scripts" / "samples_axis.py"


@pytest.mark.slow
@pytest.mark.needs("numpy")
def test_softmax_along_samples() -> None:
    (alone,), (first, second) = (results_of(SCRIPT, "numpy", size) for size in (1, 2))
    assert first == second
    for name, expected in alone.items():
        if "-3" in name:
            assert "axis 0" in first[name], name
        else:
            np.testing.assert_allclose(first[name], expected, rtol=1e-5, err_msg=name)


@pytest.mark.needs("numpy")
def test_the_rule() -> None:
    assert is_along_samples(layers.Softmax(axis=0))
    assert is_along_samples(layers.Softmax(axis=-3), [3])
    assert not is_along_samples(layers.Softmax(axis=-2), [3])
    assert not is_along_samples(layers.Softmax(axis=-1))
    assert is_along_samples(layers.Softmax(axis=(-2, -1)))  # of an unknown rank
    assert is_along_samples(losses.CategoricalCrossentropy(axis=-2))
    assert not is_along_samples(layers.Dense(1))


def test_the_plain_form_compiles_what_workers_share(backend: Backend) -> None:
    plain = registry.plain(backend)
    function = plain.compile(lambda x: plain.add(x, x), False, True)
    np.testing.assert_array_equal(backend.to_numpy(function(np.float32([1, 2]))), [2, 4])

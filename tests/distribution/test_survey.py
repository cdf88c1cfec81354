"""All layers, losses, metrics, optimizers and regularizers: their numbers do not depend on the number of workers.

What cannot be shared between workers is refused with an error, and nothing is silently another number.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from helpers.closeness import assert_close
from helpers.workers import results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "survey.py"

REFUSED = {
    "draws: shuffled samples": "shuffled or mixed",
    "draws: pairs of samples": "for each sample",
    "layers: MixUp": "shuffled or mixed",
    "layers: CutMix": "shuffled or mixed",
    "layers: Mosaic": "shuffled or mixed",
    "losses: circle": "compares all samples",
    "losses: cosine-axis": "axis 0",
    "losses: bce-axis": "axis 0",
    "losses: cce-axis": "axis 0",
    "regularizers: orthogonal rows activity_regularizer": "compares all samples",
    "regularizers: orthogonal columns activity_regularizer": "compares all samples",
}
"""What several workers refuse: the beginning of the names of cases, and words of the error."""

UNCERTAIN = dict.fromkeys(
    ("draws: noise for samples and all", "layers: RandomGaussianBlur", "layers: RandAugment", "layers: AugMix"),
    "cannot be told apart",
)
"""What is refused for some sizes of a batch: numbers for each sample and others have one shape then."""

NOT_TRAINED = {
    "layers: LSTM-stateful": "needs a fixed batch size",
    "layers: ConvLSTM1D-stateful": "needs a fixed batch size",
    "losses: cosine-axis weighted": "do not broadcast",
    "losses: bce-axis weighted": "do not broadcast",
    "losses: cce-axis weighted": "do not broadcast",
    "losses: scce-axis": "labels must be class numbers",
    "losses: scce-smooth-axis": "labels must be class numbers",
    "losses: scfce-axis": "labels must be class numbers",
    "losses: none": "differentiates a scalar",
}
"""Cases that no number of workers can train in this way, and words of the error."""


def known(table: dict[str, str], case: str) -> str | None:
    """Return the words that a table has for a case."""
    return next((words for name, words in table.items() if case.startswith(name)), None)


def compare(one: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> None:
    """Compare the numbers of one worker with those of two, and the bits of these."""
    assert list(first) == list(one)
    wrong = [name for name in one if first[name] != second[name]]
    assert not wrong, f"workers differ: {wrong}"
    for name, expected in one.items():
        found = first[name]
        if isinstance(expected, str):
            assert (known(NOT_TRAINED, name) or "a case that trains") in expected, name
        elif isinstance(found, str):
            assert (known(REFUSED | UNCERTAIN, name) or "numbers") in found, name
        else:
            assert known(REFUSED, name) is None, f"{name} is no longer refused"
            assert_close(found | {"bits": 0}, expected | {"bits": 0}, where=name)


@pytest.mark.whole
@pytest.mark.slow
@pytest.mark.needs("numpy")
def test_all_cases() -> None:
    groups = ["draws", "graphs", "layers", "losses", "metrics", "optimizers", "regularizers"]
    results = [results_of(SCRIPT, "numpy", size, ["8", *groups]) for size in (1, 2)]
    compare(*itertools.chain(*results))


@pytest.mark.slow
@pytest.mark.needs("numpy")
def test_two_rows_a_worker() -> None:
    results = [results_of(SCRIPT, "numpy", size, ["4", "draws", "graphs", "layers:7"]) for size in (1, 2)]
    compare(*itertools.chain(*results))


@pytest.mark.slow
def test_some_cases_on_each_backend(backend: Backend) -> None:
    groups = ["draws", "layers:50", "losses:24", "metrics:16", "optimizers:12"]
    results = [results_of(SCRIPT, backend.name, size, ["8", *groups]) for size in (1, 2)]
    compare(*itertools.chain(*results))


@pytest.mark.slow
def test_verification_finds_what_combines_samples(backend: Backend) -> None:
    script = SCRIPT.with_name("mixing.py")
    for found in results_of(script, backend.name, 2):
        wrong = [name for name, error in found.items() if error]
        assert wrong == ["own mean", "sum as a loss"]
        assert "on one worker" in found["own mean"]

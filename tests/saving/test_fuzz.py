"""Files changed at random are loaded or refused, and nothing else; `fuzz.py` tries more of them."""

from __future__ import annotations

import sys

import pytest

from saving import fuzz

pytest.importorskip("h5py")
pytest.importorskip("safetensors")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="bounds memory as Linux does")]


@pytest.mark.parametrize("kind", fuzz.FORMATS)
def test_changed_files_are_loaded_or_refused(kind: str) -> None:
    count = 100 if kind == "legacy" else 250  # whose texts are read by a process of their own
    counts, others, longest = fuzz.fuzz(kind, count, seed=7)
    assert not others
    assert counts["loaded"] + counts["refused"] == count
    assert counts["refused"] >= 25, "the changes hit what is read"
    assert longest < fuzz.SECONDS


def test_a_mutant_of_a_number_is_always_the_same() -> None:
    seeds = [b'{"config": [1, 2, {"x": null}]}']
    made = [fuzz.mutant("config", 3, i, seeds) for i in range(2000)]
    assert made == [fuzz.mutant("config", 3, i, seeds) for i in range(2000)]
    assert len(set(made)) > 1000

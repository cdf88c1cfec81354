"""The page of known differences is that of the list, and the list names what there is."""

from __future__ import annotations

import importlib
from fnmatch import fnmatchcase

import pytest

from contract.layer_cases import LAYER_CASES
from known_differences import FROM_KERAS, FromKeras
from known_differences.from_keras import EXCHANGED
from known_differences.page import PATH, page

KINDS = ("value", "dtype", "shape", "error", "symbolic", "gradient", "exchange")


def test_the_page_is_that_of_the_list() -> None:
    assert PATH.read_text() == page(), "run `PYTHONPATH=tests:. python -m known_differences.page`"


@pytest.mark.parametrize("entry", FROM_KERAS, ids=lambda e: f"{e.subjects.split()[0]}-{e.kind}")
def test_entries_name_something_and_say_why(entry: FromKeras) -> None:
    assert entry.kind in KINDS
    assert entry.ours
    assert entry.keras
    assert entry.proof
    for subject in entry.subjects.split():
        module, _, name = subject.rpartition(".")
        assert hasattr(importlib.import_module(f"polykeras.{module}"), name), subject


@pytest.mark.parametrize("entry", EXCHANGED, ids=lambda e: e.subjects.split()[0])
def test_entries_of_layers_name_cases(entry: FromKeras) -> None:
    for pattern in entry.case.split(" | "):
        assert any(fnmatchcase(case.id, pattern) for case in LAYER_CASES), pattern

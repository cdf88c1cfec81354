"""The page of known differences is that of the list, and the list names what there is."""

from __future__ import annotations

import importlib

import pytest

from known_differences import FROM_KERAS, FromKeras
from known_differences.page import PATH, page

KINDS = ("value", "dtype", "shape", "error", "symbolic", "gradient")


def test_the_page_is_that_of_the_list() -> None:
    assert PATH.read_text() == page(), "run `PYTHONPATH=tests:. python -m known_differences.page`"


@pytest.mark.parametrize("entry", FROM_KERAS, ids=lambda e: f"{e.subjects.split()[0]}-{e.kind}")
def test_entries_name_something_and_say_why(entry: FromKeras) -> None:
    assert entry.kind in KINDS
    assert entry.ours
    assert entry.keras
    assert entry.proof
    for subject in entry.subjects.split():
        module, _, name = subject.partition(".")
        assert hasattr(importlib.import_module(f"polykeras.{module}"), name), subject

"""What runs where: slices cover each case once, a folder that takes too much is told, and each mutation has its place in the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mutations
import times
from helpers import slices

pytestmark = pytest.mark.whole


def test_slices_take_each_case_once() -> None:
    names = [f"tests/contract/test_ops.py::test_{i}[case-{i % 7}]" for i in range(1000)]
    parts = [{name for name in names if slices.in_slice(name, f"{place}/5")} for place in range(1, 6)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(150 < len(part) < 250 for part in parts)


def test_a_commit_that_git_does_not_know_is_an_error() -> None:
    with pytest.raises(pytest.UsageError, match="expected git to know the commit nowhere.*Name a slice"):
        slices.slice_of_commit("nowhere")


@pytest.mark.parametrize(
    ("marks", "cases", "sliced"),
    [
        ((), 1, False),
        ((), 12, True),
        (("slow",), 1, True),
        (("slow", "whole"), 12, False),
        (("slow", "moves"), 1, False),
    ],
)
def test_what_is_sliced(request: pytest.FixtureRequest, marks: Any, cases: int, sliced: bool) -> None:
    item = pytest.Function.from_parent(request.node.parent, name="other", callobj=lambda: None)
    for mark in marks:
        item.add_marker(getattr(pytest.mark, mark))
    item.own_markers = [mark for mark in item.own_markers if mark.name in marks]
    item.parent = None  # whose marks are those of this file
    assert slices._is_sliced(item, cases) is (sliced or (slices.REPEATED and bool(marks)))


def test_a_folder_that_takes_more_than_its_share_is_told() -> None:
    def took(folder: str, seconds: float, left_out: bool = False) -> times.Test:
        return times.Test("pure", "numpy", f"{folder}/test_x.py::test_y", seconds, 0, 0, 0, left_out)

    fair = [took("training", 35), took("contract", 20), took("differential", 25), took("saving", 19)]
    assert not times.too_much(fair)
    assert times.too_much([*fair, took("adversarial", 20)])[0].startswith("tests/adversarial took 17%")
    assert times.too_much([*fair, took("unknown", 1)])[0].startswith("tests/unknown took 1%")
    assert not times.too_much([took("adversarial", 20), took("training", 0, left_out=True)])


@pytest.mark.parametrize("mutation", mutations.MUTATIONS, ids=lambda mutation: mutation.kind)
def test_mutations_have_their_places(mutation: mutations.Mutation) -> None:
    assert (Path(__file__).parents[2] / mutation.path).read_text().count(mutation.before) == 1

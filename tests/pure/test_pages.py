"""What the pages name exists: tests, and fast paths."""

from __future__ import annotations

import re
from pathlib import Path

from polykeras.backend.providers import fast_paths
from polykeras.fast import PATHS

ROOT = Path(__file__).parents[2]
TESTS: dict[str, str] = {}  # by the names of files, of which two may be equal
for _path in (ROOT / "tests").rglob("test_*.py"):
    TESTS[_path.name] = TESTS.get(_path.name, "") + _path.read_text(encoding="utf-8")


def test_each_test_that_a_page_names_exists() -> None:
    named = [
        (page.name, file, test)
        for page in (ROOT / "docs").rglob("*.md")
        for file, test in re.findall(r"(test_\w+\.py)::(test_\w+)", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 40
    assert [entry for entry in named if f"def {entry[2]}(" not in TESTS.get(entry[1], "")] == []


def test_each_fast_path_that_a_page_names_exists() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").partition("## What each fast path gains")[2]
    cells = re.findall(r"^\| ((?:`[a-z][\w-]*`(?:, )?)+) \|", page, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    assert len(named) > 5
    assert sorted(named - PATHS.keys() - fast_paths().keys()) == []

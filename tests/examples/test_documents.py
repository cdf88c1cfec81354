"""What the pages of the site show runs on every backend.

The blocks of Python of a page are one program, in their order. On the pages about migration, so are the idioms in the last
column of the tables, after the blocks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.documents import idioms, programs
from helpers.forks import start
from polykeras.backend import Backend

DOCS = Path(__file__).parents[2] / "docs"
MIGRATION = sorted(path.relative_to(DOCS).as_posix() for path in (DOCS / "migration").glob("*_*.md"))
PAGES = [
    "index.md",
    "tutorial.md",
    *sorted(path.relative_to(DOCS).as_posix() for path in (DOCS / "howto").glob("*_*.md")),
]


def program(page: str) -> str:
    """Return what a page shows, as one program."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return "\n".join([*programs(text), *(idioms(text) if page in MIGRATION else ())])


@pytest.mark.parametrize("page", [*PAGES, *MIGRATION])
def test_what_a_page_shows_runs(page: str, backend: Backend, tmp_path: Path) -> None:
    run(program(page), backend, tmp_path)


def test_what_works_of_keras_2_runs_and_what_has_to_change_does_not(backend: Backend, tmp_path: Path) -> None:
    text = (DOCS / "migration" / "keras_2.md").read_text(encoding="utf-8")
    works, changes = (idioms(part, column=1) for part in text.split("## What has to change"))
    assert len(works) > 10
    assert changes
    fails = (f"try:\n    {code}\nexcept AttributeError:\n    pass\nelse:\n    raise AssertionError" for code in changes)
    run("\n".join([*programs(text), *works, *fails]), backend, tmp_path)


def run(code: str, backend: Backend, tmp_path: Path) -> None:
    """Run a program in a folder of its own."""
    assert "keras." in code
    file, log = tmp_path / "page.py", tmp_path / "printed"
    file.write_text(f"import os\nos.chdir({str(tmp_path)!r})\n{code}", encoding="utf-8")
    variables = {"POLYKERAS_BACKEND": backend.name, "POLYKERAS_HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = start(backend.name, [str(file)], log, modules=("sklearn.datasets",), **variables).wait()
    assert ended == 0, f"{code}\n{log.read_text()}"

"""What the pages of the documentation show runs, on every backend or on the one that a page names.

The blocks of Python of a page are one program, in their order. On the pages about migration, so are the idioms in the last
column of the tables, after the blocks. `helpers.documents` says how a page marks what is not run. README.md has its own test.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.documents import idioms, programs, runs_on
from helpers.forks import start
from polykeras.backend import Backend

ROOT = Path(__file__).parents[2]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "backends").rglob("*.md")])
}
LEFT_OUT = {
    "README.md": "tests/pure/test_readme.py runs each of its blocks by itself",
    "docs/architecture.md": "shows parts of the sources, no programs",
}
MIGRATION = [page for page in TEXTS if page.startswith("docs/migration/")]
PAGES = [page for page, text in TEXTS.items() if programs(text) and page not in LEFT_OUT]
FUTURE = "from __future__ import annotations\n"
FRAMEWORK = {page: name for page, text in TEXTS.items() if (name := runs_on(text))}


def program(page: str) -> str:
    """Return what a page shows, as one program."""
    return "\n".join([*programs(TEXTS[page]), *(idioms(TEXTS[page]) if page in MIGRATION else ())])


def test_the_pages_are_found() -> None:
    assert len(PAGES) > 20
    assert set(MIGRATION) - set(PAGES) == {"docs/migration/index.md"}
    assert set(FRAMEWORK.values()) == {"jax", "torch", "tensorflow"}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in FRAMEWORK])
def test_what_a_page_shows_runs(page: str, backend: Backend, tmp_path: Path) -> None:
    run(program(page), backend.name, tmp_path)


@pytest.mark.parametrize("page", [pytest.param(p, marks=pytest.mark.needs(name)) for p, name in FRAMEWORK.items()])
def test_what_a_page_about_one_framework_shows_runs(page: str, tmp_path: Path) -> None:
    run(program(page), FRAMEWORK[page], tmp_path)


def test_what_works_of_keras_2_runs_and_what_has_to_change_does_not(backend: Backend, tmp_path: Path) -> None:
    text = TEXTS["docs/migration/keras_2.md"]
    works, changes = (idioms(part, column=1) for part in text.split("## What has to change"))
    assert len(works) > 10
    assert changes
    fails = (f"try:\n    {code}\nexcept AttributeError:\n    pass\nelse:\n    raise AssertionError" for code in changes)
    run("\n".join([*programs(text), *works, *fails]), backend.name, tmp_path)


def run(code: str, backend: str, tmp_path: Path) -> None:
    """Run a program in a folder of its own."""
    assert "keras." in code
    file, log = tmp_path / "page.py", tmp_path / "printed"
    future = FUTURE if FUTURE in code else ""  # stands first in a program
    file.write_text(f"{future}import os\nos.chdir({str(tmp_path)!r})\n{code.replace(FUTURE, '')}", encoding="utf-8")
    variables = {"POLYKERAS_BACKEND": backend, "POLYKERAS_HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = start(backend, [str(file)], log, modules=("sklearn.datasets",), **variables).wait()
    assert ended == 0, f"{code}\n{log.read_text()}"

"""The sources of the notebooks run, and draw what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.forks import start
from polykeras.backend import Backend

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "examples" / "notebooks").glob("*.py"))
RUNNER = ROOT / "tests" / "helpers" / "notebooks.py"


def pictures_of(source: Path) -> list[str]:
    """Return the names of the pictures that a notebook shows."""
    count = source.read_text(encoding="utf-8").count("plt.show()")
    return [f"{source.stem}_{number}.png" for number in range(1, count + 1)]


def run(name: str, backend: str, folder: Path) -> str:
    """Run a notebook, whose pictures go to a folder; return what it prints."""
    source, log = next(path for path in SOURCES if path.stem == name), folder / "printed"
    command = [str(RUNNER), str(source), str(folder)]
    strict, used = ("-W", "error::DeprecationWarning:__main__"), ("matplotlib.pyplot", "sklearn.datasets")
    code = start(backend, command, log, strict, used, POLYKERAS_BACKEND=backend).wait()
    assert code == 0, log.read_text()
    for picture in pictures_of(source):
        assert (folder / picture).stat().st_size > 3_000, f"{picture} is empty"
    return log.read_text()


def test_a_first_network(backend: Backend, tmp_path: Path) -> None:
    printed = run("first_network", backend.name, tmp_path)
    assert f"backend: {backend.name}" in printed


@pytest.mark.together
def test_four_frameworks(tmp_path: Path) -> None:
    """It takes all that are installed by itself."""
    printed = run("four_frameworks", "numpy", tmp_path)
    assert "The curves differ by at most" in printed


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_source_is_a_notebook_and_its_pictures_are_on_the_site(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert cells[0] == ""
    assert cells[1].startswith(" [markdown]\n# # "), "a notebook begins with its title"
    prose = [cell for cell in cells if cell.startswith(" [markdown]\n")]
    assert 5 < len(prose) < len(cells) - 1
    assert all(line.startswith("#") for cell in prose for line in cell.splitlines()[1:] if line)
    there = (ROOT / "docs" / "pictures" / "notebooks").glob(f"{source.stem}_*.png")
    assert sorted(path.name for path in there) == sorted(pictures_of(source))
    assert f": notebooks/{source.stem}.md\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

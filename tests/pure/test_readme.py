"""What README.md shows runs; the commands and files that it names exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import read_runs
from benchmarks.markdown import replaced
from helpers.documents import FENCE, fences, programs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = fences(README)
PROGRAMS = programs(README)
INLINE = re.findall(r"`([^`\n]+)`", FENCE.sub("", README))
LINKS = re.findall(r"\]\(([^)#\s]+)", FENCE.sub("", README))


def test_there_is_something_to_test() -> None:
    assert len(PROGRAMS) >= 2
    assert len(INLINE) >= 20
    assert len(LINKS) >= 15


def test_a_newcomer_reads_it_to_its_end() -> None:
    assert README.count("\n") < 150


@pytest.mark.parametrize("program", PROGRAMS, ids=range(1, len(PROGRAMS) + 1))
def test_a_program_runs(program: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "POLYKERAS_BACKEND": "numpy",
        "POLYKERAS_HOME": str(tmp_path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{program}\n{result.stderr}"


def test_each_make_target_exists() -> None:
    shell = "\n".join(text for language, text in FENCES if language == "sh")
    named = {match for text in [shell, *INLINE] for match in re.findall(r"^make (\w+)", text, re.MULTILINE)}
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_each_path_exists() -> None:
    path = re.compile(r"[\w.-]+(/[\w.-]*)+|[\w.-]+\.(py|md|toml)")
    named = {*LINKS, *filter(path.fullmatch, INLINE)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_name_of_keras_is_there_as_it_says() -> None:
    assert "Every public name of Keras 3.15 exists." in README
    coverage = (ROOT / "docs" / "generated" / "coverage.md").read_text(encoding="utf-8")
    assert coverage.startswith("# What polykeras has of Keras 3.15")
    assert re.search(r"^- Names: (\d+) of \1 ", coverage, re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "rows_of", "table"),
    [
        ("README.md", "docs/measurements.json", "summary"),
        ("docs/performance.md", "docs/measurements.json", "summary"),
        ("docs/generated/performance_tuned.md", "docs/measurements_tuned.json", "predict"),
    ],
)
def test_tables_are_made_of_the_measurements(page: str, rows_of: str, table: str) -> None:
    machine, rows = read_runs([ROOT / rows_of])
    text = (ROOT / page).read_text(encoding="utf-8")
    assert f"<!-- table {table} -->" in text
    command = f"python -m benchmarks --from {rows_of} --docs {page}"
    assert replaced(text, rows, machine)[0] == text, f"the tables are old: {command} writes them anew"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_says_which_python_it_needs(target: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    old = tmp_path / "old_python"
    old.write_text("#!/bin/sh\ntest $1 = --version && echo Python 3.9.2\n", encoding="utf-8")
    old.chmod(0o755)
    result = subprocess.run(
        ["make", target, f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode != 0
    assert "Expected Python 3.11 or newer with the modules venv and ensurepip" in result.stderr
    assert f"{old} is Python 3.9.2. Name another one, as in: make {target} PYTHON=" in result.stderr
    assert not (tmp_path / ".venv").exists()

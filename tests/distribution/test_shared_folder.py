"""A shared folder that is gone, full or slow: an error that all workers are told of, or some patience. Nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import polykeras as keras
from helpers.workers import Workers, results_of

SCRIPT = Path(__file__).parent / "scripts" / "shared_folder.py"
SECONDS = 90.0  # for a run with its start, and so far below the 300 s after which a worker counts as lost
ENGINES = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("numpy", "torch")]
FAULTS = {
    ("gone", "backup"): "No backup was written: ",
    ("full", "backup"): "OSError: [Errno 27] File too large",
    ("gone", "models"): "FileExistsError: ",
    ("full", "logs"): "OSError: [Errno 28] No space left on device",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that returns the folder and the end of an engine's run of which nothing fails."""
    found: dict[str, tuple[Path, Any]] = {}

    def run(engine: str) -> tuple[Path, Any]:
        if engine not in found:
            folder = tmp_path_factory.mktemp(engine)
            found[engine] = folder, results_of(SCRIPT, engine, 2, [str(folder), "well", ""])[0]
        return found[engine]

    return run


def _mend(folder: Path, part: str) -> None:
    if (folder / "away").exists():
        broken = folder / part
        shutil.rmtree(broken) if broken.is_dir() else broken.unlink()
        (folder / "away").rename(broken)


def _check_end(engine: str, folder: Path, runs: Any, went_on: list[int]) -> None:
    """Check that the same command goes on from a backup, to the bits and the files of a run of which nothing failed."""
    first, second = results_of(SCRIPT, engine, 2, [str(folder), "well", ""])
    well, expected = runs(engine)
    assert first == second == expected | {"went on": went_on}
    assert (folder / "logs" / "log.csv").read_text() == (well / "logs" / "log.csv").read_text()
    sizes = [float(abs(w).sum()) for w in keras.saving.load_model(folder / "models" / "net.keras").get_weights()]
    assert sizes == expected["weights"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("fault", "part"), FAULTS)
def test_a_folder_that_fails_ends_all_workers(engine: str, fault: str, part: str, tmp_path: Path, runs: Any) -> None:
    with Workers(SCRIPT, engine, 2, [str(tmp_path), fault, part]) as workers:
        assert all(workers.wait(SECONDS))
        told = workers.output(0)
        assert FAULTS[fault, part] in told, told
        if engine != "numpy":  # whose launcher ends the other processes
            assert workers.output(1).count("WorkerLost: Another worker ended") == 1, workers.output(1)
    if (tmp_path / "models" / "net.keras").exists():
        keras.saving.load_model(tmp_path / "models" / "net.keras")
    _mend(tmp_path, part)
    # An epoch has 25 steps, and there is a backup after every 7 of all.
    _check_end(engine, tmp_path, runs, {"backup": [1, 10], "models": [1, 24], "logs": [1, 24]}[part])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_slow_folder_is_waited_for(engine: str, tmp_path: Path, runs: Any) -> None:
    soon = {"POLYKERAS_WORKER_TIMEOUT": "15"}
    first, second = results_of(SCRIPT, engine, 2, [str(tmp_path), "slow", "backup"], soon)
    assert first == second == runs(engine)[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_sigterm_waits_for_the_worker_that_writes(engine: str, tmp_path: Path, runs: Any) -> None:
    with Workers(SCRIPT, engine, 2, [str(tmp_path), "terminated", "backup"]) as workers:
        assert all(workers.wait(SECONDS))
    _check_end(engine, tmp_path, runs, [1, 12])

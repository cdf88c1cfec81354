"""Ray Train and Ray Tune run polykeras: the numbers of one process, and runs that go on when a worker was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras.backend import Backend

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "scripts" / "ray_runs.py"
LIMIT = 300.0  # seconds for the runs of one test: Ray takes most of them to start processes


def run(*command: str, folder: Path, backend: str) -> str:
    """Run a program that uses Ray, and end each process that it leaves behind. Return what it printed."""
    log = folder / "printed"
    with tempfile.TemporaryDirectory(prefix="ray") as sockets, log.open("w") as file:  # their paths must be short
        environment = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends"), str(ROOT / "tests")]),
            "POLYKERAS_BACKEND": backend,
            "POLYKERAS_OUTPUTS": str(folder),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": sockets,
            "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "180",  # a machine may have other work
            "HOME": str(folder),  # Ray keeps a token there
        }
        try:
            code = subprocess.run(
                [sys.executable, *command],
                env=os.environ | environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
            ).returncode
        finally:
            while left := processes_of(sockets):  # those that end may start others
                for process in left:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
    printed = log.read_text(errors="replace")
    assert code == 0, printed
    return printed


def processes_of(folder: str) -> list[int]:
    """Return the processes that have a file in a folder open, as all of Ray have a log. They change group and name."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(path).startswith(f"{folder}/"):
                found.add(int(path.parts[2]))
        except OSError:  # it has ended, or is somebody else's
            pass
    return sorted(found)


def told(what: str, backend: str, folder: Path) -> dict[str, Any]:
    printed = run(str(SCRIPT), what, backend, str(folder), folder=folder, backend=backend)
    (line,) = (line for line in printed.splitlines() if line.startswith("RESULT 0 "))
    return json.loads(line.removeprefix("RESULT 0 "))


@pytest.fixture
def framework(backend: Backend) -> str:
    """The name of a backend whose workers need no launcher but Ray."""
    pytest.importorskip("ray")
    if backend.name == "numpy":
        pytest.skip("workers of the numpy backend are started by MPI")
    return backend.name


@pytest.mark.slow
def test_two_workers_and_one_that_is_killed(framework: str, tmp_path: Path) -> None:
    found = told("workers", framework, tmp_path)
    whole, killed, alone = found["whole"], found["killed"], found["alone"]
    assert (whole["workers"], whole["backend"]) == (2, framework)
    for name, values in alone.items():
        np.testing.assert_allclose(whole["history"][name], values, rtol=1e-5, err_msg=name)
    assert found["reported"]["loss"] == whole["history"]["loss"]
    assert found["loaded"] == whole["history"]["weights"], "the model of the last checkpoint"
    assert found["processes"] == 2, "of the worker that was killed"
    assert killed["history"] == whole["history"], "the run that lost a worker goes on to the same bits"


@pytest.mark.slow
def test_trials(framework: str, tmp_path: Path) -> None:
    found = told("trials", framework, tmp_path)
    assert [rate for rate, _ in found["trials"]] == [0.01, 0.1]
    for rate, losses in [*found["trials"], *found["shared"]]:
        np.testing.assert_allclose(losses, found["alone"][str(rate)], rtol=1e-5)


@pytest.mark.slow
def test_example(framework: str, tmp_path: Path) -> None:
    options = ["--backend", framework, "--epochs", "3"]
    printed = run(str(ROOT / "examples" / "ray_two_workers.py"), *options, folder=tmp_path, backend=framework)
    assert float(printed.split("one process differ by ")[1].split()[0]) < 1e-5
    assert (tmp_path / "ray_two_workers.png").stat().st_size > 5_000, "the picture is empty"


def test_outside_of_ray(backend: Backend) -> None:
    pytest.importorskip("ray")
    import polykeras as keras
    from polykeras.integrations.ray import ReportCheckpointCallback

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="expected to be run by Ray"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), callbacks=[ReportCheckpointCallback()], verbose=0)


def test_names_of_reported_logs() -> None:
    pytest.importorskip("ray")
    from polykeras.integrations.ray import ReportCheckpointCallback

    logs = {"loss": 1.0, "val_loss": np.float32(2.0), "images": np.zeros(3)}
    assert ReportCheckpointCallback()._reported(logs) == {"loss": 1.0, "val_loss": 2.0}
    assert ReportCheckpointCallback("loss")._reported(logs) == {"loss": 1.0}
    assert ReportCheckpointCallback({"score": "val_loss"})._reported(logs) == {"score": 2.0}
    assert ReportCheckpointCallback(["val_loss"])._reported({"loss": 1.0}) == {}, "a report within an epoch"


def test_missing_ray_is_told() -> None:
    code = (
        "import sys\nsys.modules['ray'] = None\n"
        "try:\n    import polykeras.integrations.ray\n"
        "except ImportError as error:\n    print(error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "pip install 'polykeras[ray]'" in printed

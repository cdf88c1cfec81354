"""Runs that are killed (SIGKILL) at chosen moments and started again end with the bits of one that was not."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.forks import start
from polykeras.backend import Backend

pytestmark = [pytest.mark.cpu_only("equal bits, which sums on a GPU need not have"), pytest.mark.whole]

PROGRAM = Path(__file__).with_name("killed_run.py")
STEPS, EPOCHS = 6, 6

Runner = Callable[..., int]
Result = tuple[dict[str, np.ndarray], dict[str, Any]]


def run(backend: str, folder: Path, delay: float | None = None, **told: Any) -> int:
    """Run the program once, and kill it so many seconds after training has begun; return how it ended."""
    folder.mkdir(exist_ok=True)
    told = {"variant": "plateau", "save_freq": "epoch", **told}
    log = folder.parent / "printed"
    environment = {"POLYKERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    command = [str(PROGRAM), str(folder), json.dumps(told)]
    running = start(backend, command, log, ("-W", "error::UserWarning"), **environment)
    if delay is not None:
        _kill_later(running, folder / "begun", delay)
    code = running.wait()
    assert code in (0, -signal.SIGKILL, -signal.SIGTERM), log.read_text()
    return code


def _kill_later(running: Any, begun: Path, delay: float) -> None:
    """Kill a process so many seconds after a file is there; the file is removed first."""
    begun.unlink(missing_ok=True)
    while running.poll() is None and not begun.exists():
        time.sleep(0.01)
    time.sleep(delay)
    running.kill()


def result(folder: Path) -> Result:
    with np.load(folder / "result.npz") as file:
        return dict(file), json.loads((folder / "result.json").read_text())


def assert_same(found: Result, expected: Result) -> None:
    assert found[1] == expected[1]
    assert list(found[0]) == list(expected[0])
    for name, array in expected[0].items():
        assert array.tobytes() == found[0][name].tobytes(), name


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """Results of runs that nobody cuts, each made once."""
    made: dict[Any, Result] = {}

    def get(backend: str, **told: Any) -> Result:
        key = backend, *told.items()
        if key not in made:
            folder = tmp_path_factory.mktemp(f"whole-{backend}")
            assert run(backend, folder, **told) == 0
            made[key] = result(folder)
        return made[key]

    return get


def cut(backend: str, folder: Path, kills: list[Any], **told: Any) -> Result:
    """Run with one kill after the other, and then to the end."""
    for kill in kills:
        more = {"place": kill[2]} if len(kill) > 2 else {}
        assert run(backend, folder, kill=kill[:2], **told, **more) == -signal.SIGKILL, kill
    assert run(backend, folder, **told) == 0
    return result(folder)


MOMENTS = {
    "before the first backup": ["train_batch_end", 2],
    "within an epoch": ["train_batch_end", STEPS * 2 + 3],
    "before other callbacks saw the epoch": ["epoch_end", 2, 0],
    "between callbacks at an epoch's end": ["epoch_end", 3, 3],
    "after others, before the backup": ["epoch_end", 3, 6],
    "right after a backup": ["epoch_begin", 3],
    "in validation": ["test_batch_begin", 3],
    "when all is done but the end": ["train_end", 1],
    "before a backup takes its place": ["os.replace", 4],
    "after a backup took its place": ["os.replace after", 4],
    "before the file is on the disk": ["os.fsync", 7],
    "before the folder is on the disk": ["os.fsync", 8],
    "when half of a backup is written": ["os.write_array", 60],
    "when the end removes the backup": ["os.rmdir", 1],
}


@pytest.mark.needs("numpy")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("save_freq", ["epoch", 4])
def test_killed_at(moment: str, save_freq: Any, tmp_path: Path, reference: Callable[..., Result]) -> None:
    expected = reference("numpy", save_freq=save_freq)
    assert_same(cut("numpy", tmp_path / "run", [MOMENTS[moment]], save_freq=save_freq), expected)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["plateau", "schedule"])
def test_killed_again_and_again(
    backend: Backend, variant: str, tmp_path: Path, reference: Callable[..., Result]
) -> None:
    told = {"variant": variant, "save_freq": 4, "patience": 3}
    kills = [
        ["train_batch_end", 5],
        ["os.replace", 3],
        ["test_batch_begin", 2],
        ["epoch_end", 1, 3],
        ["os.write_array", 50],
    ]
    whole = reference(backend.name, **told)
    assert_same(cut(backend.name, tmp_path / "run", kills if variant == "plateau" else kills[:1], **told), whole)


@pytest.mark.needs("numpy")
def test_killed_at_random_times(tmp_path: Path, reference: Callable[..., Result]) -> None:
    generator = random.Random(5)
    kills: list[Any] = []
    for _ in range(5):
        hook = generator.choice(["train_batch_begin", "train_batch_end", "epoch_begin", "epoch_end", "os.fsync"])
        kills.append([hook, generator.randint(1, 2 if hook.startswith("epoch") else 7)])
    expected = reference("numpy", save_freq=3, patience=9)
    assert len(expected[1]["epochs"]) == EPOCHS
    assert_same(cut("numpy", tmp_path / "run", kills, save_freq=3, patience=9), expected)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["arrays", "stream"])
def test_killed_from_outside(backend: Backend, stream: bool, tmp_path: Path, reference: Callable[..., Result]) -> None:
    """At any moment, while steps run in chunks; on a quick machine the last run may come to its end before."""
    told = {"long": True, "stream": stream, "save_freq": 50, "patience": 99}
    expected = reference(backend.name, **told)
    generator = random.Random(stream)
    ends: list[int] = []
    for delay in sorted(generator.uniform(0.02, 0.3) for _ in range(3)):
        if 0 not in ends:
            ends.append(run(backend.name, tmp_path / "run", delay=delay, **told))
    assert -signal.SIGKILL in ends
    if 0 not in ends:
        assert run(backend.name, tmp_path / "run", **told) == 0
    assert_same(result(tmp_path / "run"), expected)


@pytest.mark.needs("numpy")
def test_a_request_to_end_is_granted_after_a_backup(tmp_path: Path, reference: Callable[..., Result]) -> None:
    told = {"save_freq": False, "patience": 9}
    expected = reference("numpy", save_freq="epoch", patience=9)
    for kill in (["train_batch_begin", 4], ["test_batch_begin", 2], ["epoch_end", 1]):
        assert run("numpy", tmp_path / "run", kill=kill, signal="SIGTERM", **told) == -signal.SIGTERM
        assert (tmp_path / "run" / "backup" / "latest.npz").exists()
    assert run("numpy", tmp_path / "run", **told) == 0
    found = result(tmp_path / "run")
    assert found[1]["epochs"] == list(range(EPOCHS))
    assert_same(found, expected)


@pytest.mark.needs("numpy")
def test_the_run_that_is_not_killed_is_one_without_backups(reference: Callable[..., Result]) -> None:
    by_steps, by_epochs = reference("numpy", save_freq=4), reference("numpy", save_freq="epoch")
    assert_same(by_steps, by_epochs)
    assert by_epochs[1]["left"] == ["best.npz", "log.csv"]
    assert by_epochs[1]["same"] is True


@pytest.mark.slow
@pytest.mark.parametrize("other", ["jax", "tensorflow", "torch"])
@pytest.mark.parametrize("first", [True, False])
def test_another_framework_goes_on(
    all_backends: list[Backend], other: str, first: bool, tmp_path: Path, reference: Callable[..., Result]
) -> None:
    if not {"numpy", other} <= {backend.name for backend in all_backends}:
        pytest.skip(f"needs numpy and {other}")
    told = {"save_freq": 4, "patience": 9}
    names = (other, "numpy") if first else ("numpy", other)
    assert run(names[0], tmp_path / "run", kill=["train_batch_end", 16], **told) == -signal.SIGKILL
    assert run(names[1], tmp_path / "run", **told) == 0
    assert_close(result(tmp_path / "run"), reference("numpy", **told))


@pytest.mark.slow
def test_a_run_on_three_frameworks(
    all_backends: list[Backend], tmp_path: Path, reference: Callable[..., Result]
) -> None:
    names = sorted({"jax", "tensorflow", "torch"} & {backend.name for backend in all_backends})
    if len(names) < 3:
        pytest.skip("needs jax, tensorflow and torch")
    told = {"save_freq": 4, "patience": 9}
    for name in names[:2]:
        assert run(name, tmp_path / "run", kill=["train_batch_end", 11], **told) == -signal.SIGKILL
    assert run(names[2], tmp_path / "run", **told) == 0
    assert_close(result(tmp_path / "run"), reference("numpy", **told))


def assert_close(found: Result, whole: Result) -> None:
    """Compare the results of runs on several frameworks: weights and histories."""
    for name, array in whole[0].items():
        np.testing.assert_allclose(found[0][name], array, rtol=1e-4, atol=1e-4, err_msg=name)
    for name, values in whole[1]["history"].items():
        if name == "noise":  # frameworks draw from Python's or NumPy's global generator when they are loaded
            continue
        np.testing.assert_allclose(found[1]["history"][name], values, rtol=1e-4, atol=1e-4, err_msg=name)

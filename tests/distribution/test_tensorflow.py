"""TensorFlow's engine: what its keys and its order depend on, and workers that are lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.workers import Workers, results_of

SCRIPTS = Path(__file__).parent / "scripts"
pytestmark = [pytest.mark.slow, pytest.mark.needs("tensorflow")]


def test_sums_are_those_of_the_program() -> None:
    first, second = results_of(SCRIPTS / "order_tensorflow.py", "tensorflow", 2)
    assert first == second
    assert first["shapes"] == [2.0, [2.0, 2.0], [[2.0], [2.0]], [], [2.0, 2.0, 2.0]]
    assert first["sums"] == [[3.0, 200.0 - 256 * (dtype == "int8")] for dtype in first["dtypes"]]
    assert len(first["sums"]) == 11
    assert first["order"] == [[3.0, 3.0], [30.0, 30.0]]
    assert first["unknown size"] == [[2.0, 4.0]]
    # Each turn multiplies by w and adds two equal numbers up: (2 w)**3, of which the slope over both losses is 24 w**2.
    weight = 1 - 0.001 * 24
    value, totals = [8 * weight**3], [2 * weight, 4 * weight**2, 8 * weight**3]
    assert first["loop"] == [
        pytest.approx(weight - 0.001 * 24 * weight**2, rel=1e-5),
        pytest.approx(value[0], rel=1e-5),
        pytest.approx(totals, rel=1e-5),
    ]


def test_stages_between_sums_compute_what_kernels_do() -> None:
    explained = {"POLYKERAS_EXPLAIN": "1", "POLYKERAS_FAST": "1"}
    first, second = results_of(SCRIPTS / "stages_tensorflow.py", "tensorflow", 2, environment=explained)
    assert first | {"loop": None} == second | {"loop": None}, "the loop's logs are those of a worker"
    assert "out of range" in first.pop("out of range")
    for name, [(in_stages, results), (_, expected)] in first.items():
        assert in_stages == (name != "loop"), name
        for result, correct in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, correct, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("name", "victim"), [("SIGKILL", 0), ("SIGTERM", 1), ("SIGSTOP", 0), ("SIGSTOP", 1)])
def test_a_lost_worker_is_told(name: str, victim: int) -> None:
    other, timeout = 1 - victim, 4
    arguments = (name, str(victim), str(timeout))
    with Workers(SCRIPTS / "fault_tensorflow.py", "tensorflow", 2, arguments) as workers:
        end = time.monotonic() + 120
        while workers.processes[other].poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        output = workers.output(other)
        assert workers.processes[other].returncode == 0, output
    line = next(line for line in output.splitlines() if line.startswith("RESULT"))
    found = json.loads(line.split(" ", 2)[2])
    assert len(found["told"]) == 2, "the chunk, and what comes after it"
    assert f"this is worker {other} of 2" in found["told"][0]
    assert found["seconds"] < 0.5 + 3 * timeout * (name == "SIGSTOP") + 20, "a busy machine is slow to answer"


def test_what_cannot_be_connected() -> None:
    [[devices, addresses, used, workers]] = results_of(SCRIPTS / "connect_tensorflow.py", "tensorflow", 1, ["alone"])
    assert "one process for each device" in devices
    assert "TF_CONFIG" in addresses
    assert "before it is first used" in used
    assert workers == 1


def test_a_cluster_of_the_user_is_used() -> None:
    first, second = results_of(SCRIPTS / "connect_tensorflow.py", "tensorflow", 2, ["adopted"])
    assert first == [1.0, 0.0, 1.0]
    assert second == [1.0, 1.0, 1.0]

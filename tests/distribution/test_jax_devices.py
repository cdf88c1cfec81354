"""Several devices of a process as workers, which JAX's engine has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.workers import results_of

SCRIPT = Path(__file__).parent / "scripts" / "jax_devices.py"
TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}


@pytest.mark.slow
@pytest.mark.needs("jax")
@pytest.mark.parametrize("processes", [1, 2])
def test_each_device_has_its_number_and_its_rows(processes: int) -> None:
    workers = 2 * processes
    for rank, found in enumerate(results_of(SCRIPT, "jax", processes, environment=TWO_DEVICES)):
        for name, batch in (("steps", np.arange(8, 16)), ("batches", np.arange(16))):
            assert found[name]["index"] == list(range(workers))
            assert found[name]["rows"] == [batch[number::workers].tolist() for number in range(workers)]
            assert found[name]["numbers"] == [[workers, 1]] * workers
        assert found["alone"] == {"gather": list(range(processes)), "index": rank}
        assert found["sizes"] == [processes, 2]
        assert found["state"] == [2.0, 2.0, 2.0]
        assert "for each of the 2 devices of this process; received 3 rows" in found["message"]

"""How PyTorch's engine connects: by itself, or by the process group of the user."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from helpers.workers import free_ports, results_of
from polykeras.backend import registry
from polykeras.backend.job import Job

SCRIPT = Path(__file__).parent / "scripts" / "torch_connections.py"


@pytest.mark.needs("torch")
@pytest.mark.slow
def test_connections() -> None:
    for rank, found in enumerate(results_of(SCRIPT, "torch", 2)):
        assert found["alone"] == found["not connected"] == [1, 1.0 + rank]
        assert found["own 1"] == found["own 2"] == found["adopted"] == [2, rank, 3.0]
        assert found["ended 1"] == found["ended 2"] == [1, 1.0 + rank, False, 0]
        assert found["error"].startswith(f"Expected process {rank} of 3; torch's process group, which was made before,")
        assert found["left"] == [1, 2.0]


@pytest.mark.needs("torch")
def test_a_worker_that_never_comes() -> None:
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match=r"Process 0 of 2 did not find all others within 1 s"):
        registry.load("torch").connect(Job(0, 2, f"127.0.0.1:{free_ports(1)}", timeout=1.0))
    assert time.monotonic() - begun < 15
    assert registry.load("torch").workers() == 1


@pytest.mark.needs("torch")
def test_torch_without_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed

    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    with pytest.raises(ImportError, match=r"has no `torch\.distributed`, which several processes need"):
        registry.load("torch").connect(Job(0, 2, "127.0.0.1:1"))


@pytest.mark.needs("torch")
def test_several_devices_of_one_process() -> None:
    with pytest.raises(ValueError, match=r"each process is one worker; received the devices cpu:0, cpu:1 .*torchrun"):
        registry.load("torch").connect(Job(0, 1, "127.0.0.1:1", devices=("cpu:0", "cpu:1")))

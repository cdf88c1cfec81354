"""`import polykeras` loads no framework and is quick: measured in processes of their own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import pytest

FRAMEWORKS = ("jax", "torch", "tensorflow", "keras")
BOUND = 0.3
"""Seconds over `import numpy`. The goal is 0.15; the bound leaves room for slow machines."""


def _python(code: str) -> str:
    slower = ("COV_", "PYTHONDONTWRITEBYTECODE")  # without bytecode, the time would be that of compiling our source
    environment = {key: value for key, value in os.environ.items() if not key.startswith(slower)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import polykeras",
        "from polykeras.backend import backends; backends()",
        "from polykeras.backend.symbolic import *",
    ],
)
def test_loads_no_framework(code: str) -> None:
    loaded = _python(f"{code}; import sys; print(*[name for name in {FRAMEWORKS!r} if name in sys.modules])")
    assert loaded == ""


def test_import_time() -> None:
    clock = "time.process_time()"  # of the processor: other work on the machine does not count
    code = f"import time, numpy; start = {clock}; import polykeras; print({clock} - start)"
    seconds = statistics.median(float(_python(code)) for _ in range(5))
    print(f"import polykeras: {seconds * 1000:.0f} ms over numpy")
    assert seconds < BOUND

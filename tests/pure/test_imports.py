"""`import polykeras` loads no framework and is quick: measured in processes of their own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import pytest

FRAMEWORKS = ("jax", "torch", "tensorflow", "keras")
BOUND = 0.3
"""Seconds over `import numpy`. The goal is 0.15; the bound leaves room for a busy machine."""


def _python(code: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV_")}
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
    code = "import time, numpy; start = time.perf_counter(); import polykeras; print(time.perf_counter() - start)"
    seconds = statistics.median(float(_python(code)) for _ in range(5))
    print(f"import polykeras: {seconds * 1000:.0f} ms over numpy")
    assert seconds < BOUND

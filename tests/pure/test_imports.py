"""`import polykeras` loads no framework and is light: looked at in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FRAMEWORKS = ("jax", "torch", "tensorflow", "keras")
MOST = 90
"""Modules over those of `import numpy`; 62 on Python 3.11. The seconds are a section of the benchmarks (`build`)."""


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


def test_imports_little() -> None:
    """What takes the time of an import is modules: those of others than ours are few, over NumPy's own."""
    code = "import sys, numpy; before = set(sys.modules); import polykeras; print(*(set(sys.modules) - before))"
    others = [name for name in _python(code).split() if not name.startswith("polykeras")]
    assert len(others) < MOST, others
    assert "ml_dtypes" not in others, "whose release 0.7 takes a quarter of a second"


def test_what_is_supplied_from_above_is_listed() -> None:
    """Calls to higher layers of the code are few, and all are supplied once `polykeras` is imported."""
    code = (
        "import gc, polykeras; from polykeras.common.supplied import Supplied; "
        "found = [x for x in gc.get_objects() if type(x) is Supplied]; assert all(x.get() for x in found); "
        "print(*sorted(x.by for x in found))"
    )
    assert _python(code).split() == [
        "polykeras.graph.operation",  # ops on symbolic tensors
        "polykeras.initializers",  # `Variable("uniform", shape)`
        "polykeras.models.functional",  # `Model(inputs, outputs)`
        "polykeras.seeds",  # seeds of ops
    ]

"""A backend from outside: installed by pip from a folder of its own, then held to the whole contract suite.

Nothing in polykeras knows of it. It implements only what is required, so the run also shows that the required part is
enough for everything else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a process that has the package installed."""
    target = tmp_path_factory.mktemp("site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    options = ["--no-deps", "--no-build-isolation", "--target", str(target), str(HERE / "polykeras_counting")]
    done = subprocess.run([*pip, *options], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH")]))}


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def test_is_found_and_listed(environment: dict[str, str]) -> None:
    code = "from polykeras.backend import backends; print([b for b in backends() if b.name == 'counting'][0].installed)"
    assert _run(environment, "-c", code).strip() == "True"


def test_counts_the_primitives_of_a_composite(environment: dict[str, str]) -> None:
    code = """
from polykeras.backend import use_backend
from polykeras.backend.dispatch import bind
from polykeras.backend import Backend
with use_backend("counting") as backend:
    bind(Backend.log_softmax)([[1.0, 2.0]])
print(backend.calls["exp"], backend.calls["log"], backend.calls["conv_nd"])
"""
    assert _run(environment, "-c", code).split() == ["1", "1", "0"]


SUITE = ("primitives", "points", "promotion", "reflection", "layers")
"""What tests a backend: every op, the hard points, dtypes, the contract by reflection, every layer."""


def test_passes_the_contract_suite(environment: dict[str, str]) -> None:
    files = [f"tests/contract/test_{name}.py" for name in SUITE]
    output = _run(
        environment, "-m", "pytest", *files, "-p", "no:cacheprovider", "-n", "0", "--backends=counting", "-vv"
    )
    assert "test_case[counting-gradient-conv_nd-" in output
    assert " FAILED" not in output

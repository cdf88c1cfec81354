"""Code in a Python of its own: what must hold from the first import on, or in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def run_python(code: str, *arguments: str, **environment: str) -> str:
    """Run code in a fresh process, in which the tests can be imported; return what it prints.

    Args:
        code: the program.
        *arguments: its `sys.argv[1:]`.
        **environment: variables to set.

    Raises:
        AssertionError: the process failed; the message has its error output.
    """
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    variables = os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=300)
    assert result.returncode == 0, f"The process failed:\n{result.stderr[-3000:]}"
    return result.stdout

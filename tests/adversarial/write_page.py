"""Writes the tables of `docs/generated/compiled_programs.md` anew: `python tests/adversarial/write_page.py`, for each framework that is there."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from adversarial.harness import write_page  # noqa: E402

if __name__ == "__main__":
    for framework in ("torch", "jax", "tensorflow"):
        module = f"adversarial.{framework}_programs"
        if find_spec(framework) and find_spec(module):
            write_page(import_module(module).PROGRAMS)

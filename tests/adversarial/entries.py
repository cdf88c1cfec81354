"""Ways in which a function of arrays comes to be compiled, on backends that trace, and outcomes that are errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from adversarial.harness import Entry, Outcome, Program, judge, plain
from polykeras.backend import Backend
from polykeras.common import nested

DEVICES, ONE_WAY = "two devices", "switches that cannot be put back"
OWN_PROCESS = (DEVICES, ONE_WAY)
"""Kinds of programs that need a process of their own; see `own_process`."""
BY_FUNCTION = (
    "within a function of TensorFlow's",
    "global state, in models",
    "arguments",
    "transformations",
    "sizes that depend on values",
    "models",
    "effects",
)
"""Kinds of programs whose calls a step cannot make, or that make models: they are judged by `function` alone."""


def as_step(backend: Backend, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays of equally many rows as a training step, whose logs are its result."""

    structure: Any = None

    def step(state: list[Any], batch: Any) -> tuple[list[Any], Any]:
        nonlocal structure
        leaves, structure = nested.flatten_with_def(fn(*batch))
        return [state[0] + 1], {str(place): leaf for place, leaf in enumerate(leaves)}

    run = backend.compile_steps(step)

    def call(*args: Any) -> Any:
        data = nested.map_structure(backend.asarray, args)
        rows = np.arange(len(args[0]), dtype="int32")[None]
        logs = run([backend.asarray(np.zeros((), "float32"))], data, backend.asarray(rows), 0, 1)[1]
        return nested.unflatten(structure, [logs[str(place)] for place in range(len(logs))])

    return call


ENTRIES: dict[str, Callable[[Backend, Callable[..., Any]], Callable[..., Any]]] = {
    "function": lambda backend, fn: keras.function(fn),
    "step": as_step,
}


def outcome_of(program: Program, entry: Entry) -> Outcome:
    """Return what `judge` says; a program is refused too if the compiled run ends by an error for the stated reason."""

    began = []

    def run(entry: Entry) -> Iterator[Any]:
        began[:] = [entry]
        for result in program.run(entry):  # of numbers of Python's too the last digits may differ
            yield nested.map_structure(lambda leaf: np.asarray(leaf) if isinstance(leaf, float) else leaf, result)

    try:
        return judge(replace(program, run=run), entry, lambda: keras.utils.set_random_seed(0))
    except AssertionError:
        raise
    except Exception as error:
        stated = program.outcome == "refused" and began[0] is not plain
        if stated and re.search(program.reason, f"{type(error).__name__}: {error}"):
            return "refused"
        raise


def caught(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the name of the error that it raises, where both runs are to raise the same."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def told(compiled: Entry, match: str) -> Any:
    """Return a context within which the compiled run must give a RuntimeWarning, and the plain run none."""
    return pytest.warns(RuntimeWarning, match=match) if compiled is not plain else nullcontext()


def judged(programs: Sequence[Program]) -> list[tuple[Program, str]]:
    """Return which programs are judged in this process, and by which entries."""
    here = [program for program in programs if program.kind not in OWN_PROCESS]
    return [(p, entry) for p in here for entry in ENTRIES if entry == "function" or p.kind not in BY_FUNCTION]


def in_own_process(framework: str) -> None:
    """Have the other programs judged in a process of their own; its account is that of a failure."""
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "adversarial.own_process", framework],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

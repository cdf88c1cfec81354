"""Two libraries in processes of their own, and where what they show differs."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

TESTS = Path(__file__).parents[2]
XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


class Tolerance(NamedTuple):
    """How far numbers may be apart, as part of a number and as a number; and whether tensors may be arrays."""

    relative: float
    absolute: float
    arrays: bool = False


class Side:
    """A library with a framework and a policy of dtypes, in a process."""

    def __init__(self, library: str, framework: str, policy: str = "float32") -> None:
        self.name = f"{library} on {framework}"
        path = os.pathsep.join((str(TESTS), *sys.path))
        self._printed = Path(tempfile.mkdtemp()) / "printed.txt"
        with self._printed.open("w") as printed:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "differential.programs.interpreter", library, framework, policy],
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "XLA_FLAGS": XLA_FLAGS},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                text=True,
            )

    def ask(self, call: dict[str, Any]) -> None:
        """Send a call."""
        assert self._process.stdin
        try:
            print(json.dumps(call), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            self._ended()

    def answer(self) -> dict[str, Any]:
        """Return what was seen of it."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        return json.loads(line) if line else self._ended()

    def _ended(self) -> Any:
        code, printed = self._process.wait(), self._printed.read_text()
        raise RuntimeError(f"The process of {self.name} ended with {code}:\n{printed[-3000:]}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            self._process.stdin.close()
        self._process.wait(300)  # TensorFlow frees gigabytes
        self._process.stdout.close()


class Differs(AssertionError):
    """What two sides show of a call is not the same."""


class Pair:
    """Two sides that run the same program.

    Attributes:
        counts: how often each kind of call ran on both sides, and how often both refused it.
    """

    def __init__(self, left: Side, right: Side, tolerance: Tolerance) -> None:
        self.sides = left, right
        self.tolerance = tolerance
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_: object) -> None:
        for side in self.sides:
            side.close()

    def both(self, call: dict[str, Any]) -> dict[str, Any]:
        """Run a call on both sides, and return what was seen of the first. Raise if they differ."""
        for side in self.sides:
            side.ask(call)
        left, right = [side.answer() for side in self.sides]
        self.counts[f"{call['do']}{' refused' * ('raised' in left)}"] += 1
        told = difference(left, right, self.tolerance)
        if told:
            raise Differs(f"{json.dumps(call)}\n{told}\n({' / '.join(side.name for side in self.sides)})")
        return left


def difference(left: Any, right: Any, tolerance: Tolerance, place: str = "") -> str:
    """Return where two observations differ, or nothing."""
    if not place and ("raised" in left or "raised" in right):
        if "raised" in left and "raised" in right:
            return ""
        return f"raised: {left.get('raised')} / {right.get('raised')}"
    if isinstance(left, float) and isinstance(right, float):
        return "" if _near(left, right, tolerance) else f"{place}: {left:.6g} / {right:.6g}"
    if type(left) is not type(right):
        return f"{place}: {_short(left)} / {_short(right)}"
    if isinstance(left, dict):
        if list(left) != list(right):
            return f"{place}: {list(left)} / {list(right)}"
        if left.get("warned") != right.get("warned"):
            return f"warned: {left['warnings']} / {right['warnings']}"
        items = [(f"{place}.{name}", left[name], right[name]) for name in left if name != "warnings"]
    elif isinstance(left, list):
        if len(left) != len(right):
            return f"{place}: {len(left)} entries {_short(left)} / {len(right)} {_short(right)}"
        items = [(f"{place}[{i}]", *pair) for i, pair in enumerate(zip(left, right, strict=True))]
    else:
        if tolerance.arrays and {left, right} == {"array", "tensor"}:
            return ""
        return "" if left == right else f"{place}: {left!r} / {right!r}"
    return next((told for at, *pair in items if (told := difference(*pair, tolerance, at))), "")


def _near(left: float, right: float, tolerance: Tolerance) -> bool:
    if not (math.isfinite(left) and math.isfinite(right)):
        return left == right or (math.isnan(left) and math.isnan(right))
    return abs(left - right) <= tolerance.absolute + tolerance.relative * max(abs(left), abs(right))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:200]}..."

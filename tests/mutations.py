"""Twenty changes of the code on purpose, of different kinds: which commands notice them?

`python tests/mutations.py "make test-ci"` makes one change after the other in a copy of the last commit, runs the command there, and
prints the first test that fails, where the command ends. With `{folder}` in the command, each folder of tests is asked by itself. `--only 3,8`
makes some of the changes. `--slices 3` runs the command on three slices, one after the other, until one notices. First the command runs on the
commit as it is, where it must pass; `--trust` leaves that out.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from helpers.slices import PARTS

ROOT = Path(__file__).parents[1]


class Mutation(NamedTuple):
    """A change: what it breaks, where, and how."""

    kind: str
    path: str
    before: str
    after: str


MUTATIONS = [
    Mutation("a gradient", "polykeras/backend/families/recurrence.py", "before * f * (1.0 - f)", "before * f"),
    Mutation("a dtype", "polykeras/dtypes.py", '("bool", "int8", "int16")', '("bool", "int8")'),
    Mutation(
        "an optimizer",
        "polykeras/optimizers/adam.py",
        "sqrt(one_minus_power(self.beta_2",
        "sqrt(one_minus_power(self.beta_1",
    ),
    Mutation(
        "a frozen layer",
        "polykeras/layers/normalization/batch_normalization.py",
        "if training and self.trainable else",
        "if training else",
    ),
    Mutation("a loss of workers", "polykeras/losses/reduction.py", "total * float(workers())", "total * 1.0"),
    Mutation("a callback", "polykeras/training/callbacks/stopping.py", ">= self.patience", "> self.patience"),
    Mutation(
        "a last batch",
        "polykeras/training/padding.py",
        "ops.cast(valid, config",
        "ops.cast(ops.ones_like(valid), config",
    ),
    Mutation("the order of weights", "polykeras/graph/order.py", "in reversed(needs(node))", "in needs(node)"),
    Mutation(
        "a file left over",
        "polykeras/saving/files/atomic.py",
        "part.unlink()\n        error",
        "part.stat()\n        error",
    ),
    Mutation(
        "draws of workers",
        "polykeras/backend/families/random.py",
        "shared.workers), self.worker_index())",
        "shared.workers), 0)",
    ),
    Mutation(
        "a stale recording",
        "backends/polykeras_torch/compiler/foreign.py",
        "return not self._held or self._now() == self._known",
        "return True",
    ),
    Mutation(
        "a kernel of PyTorch",
        "backends/polykeras_torch/recurrence.py",
        "d_memory.contiguous()",
        "d_memory.contiguous() * 0.0",
    ),
    Mutation("rows on JAX", "backends/polykeras_jax/steps.py", "* (count - block)", "* block"),
    Mutation(
        "an order on TensorFlow",
        "backends/polykeras_tensorflow/indexing.py",
        "y=tf.constant(tf.int64.min, tf.int64)",
        "y=tf.constant(0, tf.int64)",
    ),
    Mutation("a file of Keras 1", "polykeras/saving/legacy/keras1.py", '"l1l2": {"l1": 0.01, "l2"', '"l1l2": {"l2"'),
    Mutation("a metric", "polykeras/metrics/confusion.py", "ops.not_equal(y_true, 0)", "ops.greater(y_true, 0.5)"),
    Mutation(
        "a check of inputs", "polykeras/layers/base/input_spec.py", "ndim < self.min_ndim:", "ndim < self.min_ndim - 1:"
    ),
    Mutation("a resumed run", "polykeras/training/data/orders.py", "deque(seeds)", "deque()"),
    Mutation("an unknown size", "polykeras/backend/symbolic/dims.py", "return b if not is_known(a) else a", "return a"),
    Mutation("a name of Keras", "polykeras/as_keras/finder.py", '("", "src", "version", "src.version")', '("",)'),
]


def first_failure(command: str, folder: Path, slice_: str) -> str | None:
    """Run a command and end it at its first failure.

    Args:
        command: for the shell.
        folder: where it runs.
        slice_: what it is told in `POLYKERAS_SLICE`, if anything.

    Returns:
        The test that failed, or the last line of a command that failed otherwise; None if all passed.
    """
    environment = os.environ | {"PYTEST_ADDOPTS": "-x"} | ({"POLYKERAS_SLICE": slice_} if slice_ else {})
    process = subprocess.Popen(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        last = line.strip() or last
        if found := re.match(r"(?:FAILED|ERROR) (\S+)", line):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return found[1]
    return f"no test, but: {last}" if process.wait() else None


def noticed(command: str, folder: Path, slices: int) -> str:
    """Return the first test that notices a change, and in which slice if there are several; `NOT FOUND` if none does."""
    for place in range(1, slices + 1) if slices else [0]:
        if found := first_failure(command, folder, f"{place}/{PARTS}" if place else ""):
            return f"{found} (slice {place})" if place else found
    return "NOT FOUND"


def main() -> None:
    """Print a line for each change and command, and how many of the changes were found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", help="`{folder}` in it stands for each folder of tests")
    parser.add_argument("--only", default="", help="numbers of changes, as 3,8")
    parser.add_argument("--slices", type=int, default=0, help="how many slices to try, one after the other")
    parser.add_argument("--trust", action="store_true", help="do not run the command without a change first")
    told = parser.parse_args()
    only = [int(number) for number in told.only.split(",") if number] or range(1, len(MUTATIONS) + 1)
    folders = (
        sorted({path.parent.name for path in ROOT.glob("tests/*/test_*.py")}) if "{folder}" in told.command else [""]
    )
    found: set[int] = set()
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", copy], cwd=ROOT, check=True)

        def ask(number: int, kind: str) -> None:
            for folder in folders:
                begin = time.monotonic()
                test = noticed(told.command.replace("{folder}", folder), copy, told.slices)
                if test != "NOT FOUND":
                    found.add(number)
                seconds = time.monotonic() - begin
                print(f"{number:2} {kind:24} {folder:14} {seconds:6.0f} s  {test}", flush=True)

        try:
            if not told.trust:
                ask(0, "no change")
            for number in [] if found else only:
                mutation = MUTATIONS[number - 1]
                path = copy / mutation.path
                text = path.read_text()
                assert text.count(mutation.before) == 1, f"{mutation.path}: {mutation.before!r} is not there once"
                path.write_text(text.replace(mutation.before, mutation.after))
                ask(number, mutation.kind)
                path.write_text(text)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", copy], cwd=ROOT, check=True)
    print("It fails without a change." if 0 in found else f"{len(found)} of {len(only)} changes were found")


if __name__ == "__main__":
    main()

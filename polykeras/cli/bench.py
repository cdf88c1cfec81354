"""Time a model on each installed backend: which is the fastest for this model?

Each backend runs in a process of its own. One after another, they load their framework and train
the first epoch, which compiles, while the others wait. Then, in each round, each of them in turn
trains an epoch and predicts all data, so that a disturbance of the machine affects all of them.
Short measurements are repeated for 0.2 s. The result is the median of the rounds; the ratio to
the fastest backend is found within each round.

The exit status is 1 if a backend fails while others run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from operator import truediv
from statistics import median
from typing import Any

from polykeras.backend import registry
from polykeras.cli.choices import chosen_backends, runs_nowhere
from polykeras.cli.data import add_data_arguments, positive, prepared_experiment, row_count
from polykeras.cli.errors import one_line
from polykeras.cli.models import add_model_arguments, require_file
from polykeras.cli.texts import print_json, table
from polykeras.random import set_random_seed

REPEATED = {"train": "train step", "predict": "predict a batch"}
ONCE = {"first": "first epoch", "load": "loading"}
_LONG_ENOUGH = 0.2  # seconds
_WORKER = "from polykeras.cli.bench import serve; serve()"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model_arguments(parser, with_data=True)
    add_data_arguments(parser, samples=None)
    parser.add_argument("--backends", metavar="A,B", help="default: all that are installed")
    parser.add_argument("--rounds", type=positive, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Measure, print the results, and return the exit status."""
    require_file(options.model)  # before backends are started
    report = measure(chosen_backends(options.backends, least=1), options)
    if options.json:
        print_json(report)
    else:
        print(_text(report))
    return 1 if report["failures"] else 0


def measure(names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Time the model on each backend.

    Args:
        names: the backends.
        options: the options of the command.

    Returns:
        `backends`: for each, the seconds of all rounds, the medians and ratios. `fastest`: the fastest one in each
        measurement. `failures` and `notes`.

    Raises:
        CommandError: if no backend runs the model.
    """
    workers: dict[str, _Worker] = {}
    rows: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    notes: list[str] = []
    busy = _other_work()
    try:
        for name in names:
            try:
                workers[name] = _Worker(name, options)
                told = workers[name].ask(vars(options))
                rows[name] = told["row"] | {key: [] for key in REPEATED}
                rows[name]["first"] = workers[name].ask("first")["seconds"]
                notes = told["notes"]
            except _Failed as error:
                failures[name] = str(error)
        for round_number in range(options.rounds + 1):
            for name in [name for name in names if name not in failures]:
                try:
                    seconds = {key: workers[name].ask(key)["seconds"] for key in REPEATED}
                except _Failed as error:
                    failures[name] = str(error)
                    continue
                for key in REPEATED if round_number else ():  # the first round compiles the prediction
                    rows[name][key].append(seconds[key] / rows[name]["steps"])
    finally:
        for worker in workers.values():
            worker.stop()
    rows = {name: row for name, row in rows.items() if name not in failures}
    if not rows:
        raise runs_nowhere(options.model, failures)
    return {"backends": rows, "fastest": _compare(rows), "failures": failures, "notes": notes + busy}


def _other_work() -> list[str]:
    """Return a note if other programs keep the processors busy, which affects kernels with several threads most."""
    processors = os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < processors / 2:
        return []
    return [f"the machine is busy (load {load:.1f}, {processors} processors): a quiet machine gives other numbers"]


def _compare(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Add medians and ratios to the rows, and return the name of the fastest backend in each measurement."""
    fastest = {}
    for key in (*REPEATED, *ONCE):
        rounds = {name: row[key] if key in REPEATED else [row[key]] for name, row in rows.items()}
        least = [min(together) for together in zip(*rounds.values(), strict=True)]
        slowdowns = {name: median(map(truediv, seconds, least)) for name, seconds in rounds.items()}
        best = fastest[key] = min(slowdowns, key=lambda name: slowdowns[name])
        for name, row in rows.items():
            row[f"{key}_median"] = median(rounds[name])
            row[f"{key}_ratio"] = slowdowns[name] / slowdowns[best]
    return fastest


# ---- the processes ---------------------------------------------------------------------------------------------------


class _Failed(Exception):
    """Raised if a backend's process could not do what it was asked for."""


class _Worker:
    """A process with one backend. It answers requests, one line of JSON each, and is idle in between."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (`stop` closes it)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | {registry.ENVIRONMENT[0]: name},
        )

    def ask(self, request: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            _Failed: if the process reports an error, or ends.
        """
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):  # the process ended without an answer
            print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            said = [text for text in self._errors.read().splitlines() if text.strip()]
            raise _Failed(f"its process ended with {self._process.returncode}: {said[-1] if said else 'no message'}")
        answer = json.loads(line)
        if "error" in answer:
            raise _Failed(answer["error"])
        return answer

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


def serve() -> None:
    """Run the process of one backend, the default one: answer requests on stdin until it ends.

    The first request contains the command's options. The others are `"first"` (one epoch), `"train"` or `"predict"`.
    The output of scripts and frameworks goes to stderr.
    """
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        experiment: Any = None
        options = argparse.Namespace()
        for line in sys.stdin:
            request = json.loads(line)
            try:
                if isinstance(request, dict):
                    options = argparse.Namespace(**request)
                    experiment, answer = _begin(options)
                else:
                    answer = {"seconds": _timed(request, experiment, options)}
            except Exception as error:
                answer = {"error": one_line(error)}
            print(json.dumps(answer), file=answers, flush=True)


def _begin(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    begin = time.perf_counter()
    backend = registry.current()
    seconds = time.perf_counter() - begin
    set_random_seed(options.seed)
    experiment, notes = prepared_experiment(options)
    samples = row_count(experiment.x)
    steps = -(-samples // options.batch_size)
    notes.append(f"{samples} samples in {steps} batches of {options.batch_size}")
    return experiment, {"row": {"version": backend.version, "load": seconds, "steps": steps}, "notes": notes}


def _timed(what: str, experiment: Any, options: argparse.Namespace) -> float:
    """Return the seconds that one epoch of training, or one prediction of all data, takes."""
    begin, passed, times = time.perf_counter(), 0.0, 0
    while passed < _LONG_ENOUGH:
        if what == "predict":
            experiment.model.predict(experiment.x, batch_size=options.batch_size, verbose=0)
        else:
            experiment.model.fit(experiment.x, experiment.y, batch_size=options.batch_size, epochs=1, verbose=0)
        passed, times = time.perf_counter() - begin, times + 1
        if what == "first":
            break
    return passed / times


# ---- printing -------------------------------------------------------------------------------------------------


def _text(report: dict[str, Any]) -> str:
    titles = REPEATED | ONCE
    rows = [
        [
            f"{name} {row['version']}",
            *(cell for key in titles for cell in (_time(row[f"{key}_median"]), _ratio(row[f"{key}_ratio"]))),
        ]
        for name, row in report["backends"].items()
    ]
    header = ["backend", *(cell for title in titles.values() for cell in (title, ""))]
    fastest = ", ".join(f"{titles[key]} {name}" for key, name in report["fastest"].items() if key != "load")
    lines = [f"{name} fails: {text}" for name, text in report["failures"].items()]
    lines.append(f"Fastest for this model here: {fastest}.")
    return "\n\n".join(["; ".join(report["notes"]), table(header, rows, range(1, len(header))), "\n".join(lines)])


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{seconds * 1e3:.3g} ms"
        if seconds >= 1e-3
        else f"{seconds * 1e6:.0f} us"
    )


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"

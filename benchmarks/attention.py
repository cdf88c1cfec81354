"""Time and memory of attention by its length: Keras, polykeras and the framework's own function, side by side.

    python -m benchmarks.attention [--rounds 3] [--lengths 512,1024] [--frameworks jax,torch] [--fit]

Each cell runs in a process of its own, since the peak of the resident set is that of a process; the processes of a
length alternate, and a row shows the least of the rounds, which the machine's other work disturbs least. JAX and
TensorFlow compile what is measured, PyTorch runs eagerly. `--fit` trains a small transformer on 4,096 tokens instead,
with polykeras's choice and with `flash_attention=False`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.memory import megabytes, peak_of

HEADS, DEPTH = 4, 64
LENGTHS = (512, 1024, 2048, 4096, 8192)
FRAMEWORKS = ("jax", "tensorflow", "torch")
REPEATS = 3
WHO = ("keras", "polykeras", "own")


def _native(framework: str) -> Any:
    return importlib.import_module(f"benchmarks.native.attention_{framework}")


def cell(who: str, framework: str, length: int, gradient: bool) -> dict[str, float]:
    """Return milliseconds a call, and MB of the process's peak over what it held before the first call."""
    native, rng = _native(framework), np.random.default_rng(0)
    arrays = [native.array(rng.standard_normal((1, length, HEADS, DEPTH), "float32")) for _ in range(3)]
    attention = native.own if who == "own" else importlib.import_module(who).ops.dot_product_attention
    run = native.compiled(attention, gradient)
    small = [native.array(np.zeros((1, 16, HEADS, DEPTH), "float32")) for _ in range(3)]
    native.wait(run(*small))  # loads what the framework loads at first
    start, seconds = megabytes("VmRSS"), []

    def calls() -> None:
        for _ in range(1 + REPEATS):
            begin = perf_counter()
            native.wait(run(*arrays))
            seconds.append(perf_counter() - begin)

    peak = peak_of(calls) - start
    return {"ms": 1000 * min(seconds[1:]), "MB": peak}


def fit(framework: str, hint: str) -> dict[str, float]:
    """Return seconds and MB over the start of two epochs of a small transformer on 4,096 tokens."""
    import polykeras as keras

    layers = keras.layers
    tokens = keras.Input((4096,), dtype="int32")
    x = layers.Embedding(64, 64)(tokens)
    for _ in range(2):
        attention = layers.MultiHeadAttention(4, 16, flash_attention={"chosen": None, "False": False}[hint])
        x = layers.LayerNormalization()(x + attention(x, x, use_causal_mask=True))
        x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(128, activation="relu")(x)))
    model = keras.Model(tokens, layers.Dense(64)(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = np.random.default_rng(0).integers(0, 64, (4, 4097)).astype("int32")
    start, begin = megabytes("VmRSS"), perf_counter()
    peak = peak_of(lambda: model.fit(data[:, :-1], data[:, 1:], batch_size=1, epochs=2, verbose=0))
    return {"s": perf_counter() - begin, "MB": peak - start}


def _in_a_process(framework: str, *cell: str) -> dict[str, float] | None:
    """Return what a process measures, None where it fails (for lack of memory, as a rule)."""
    variables = os.environ | {"KERAS_BACKEND": framework, "POLYKERAS_BACKEND": framework}
    command = [sys.executable, "-m", "benchmarks.attention", "--cell", framework, *cell]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        print(framework, *cell, "ended with", done.returncode, done.stderr[-300:], file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def _least(found: list[dict[str, float] | None]) -> dict[str, float] | None:
    whole = [one for one in found if one is not None]
    return {name: min(one[name] for one in whole) for name in whole[0]} if len(whole) == len(found) else None


def _text(found: dict[str, float] | None, name: str) -> str:
    return "-" if found is None else f"{max(found[name], 0):.0f}"


def table(frameworks: list[str], lengths: list[int], rounds: int) -> None:
    """Print the table, in Markdown."""
    print("| framework, length | ms: Keras 3 / polykeras / own | MB | gradient, ms | MB |\n|---|---|---|---|---|")
    for framework in frameworks:
        who = WHO if _native(framework).own else WHO[:2]
        for length in lengths:
            columns = []
            for kind in ("value", "gradient"):
                runs = [
                    {name: _in_a_process(framework, name, str(length), kind) for name in who} for _ in range(rounds)
                ]
                least = [_least([run[name] for run in runs]) for name in who]
                columns += [" / ".join(_text(found, unit) for found in least) for unit in ("ms", "MB")]
            print(f"| {framework}, {length} |", " | ".join(columns), "|", flush=True)


def fits(frameworks: list[str]) -> None:
    """Print what `fit` takes, in Markdown."""
    print("| framework | s: `flash_attention=None` / `False` | MB |\n|---|---|---|")
    for framework in frameworks:
        found = [_in_a_process(framework, "fit", hint) for hint in ("chosen", "False")]
        print(f"| {framework} |", " | ".join(" / ".join(_text(x, unit) for x in found) for unit in ("s", "MB")), "|")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)))
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS))
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--cell", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    frameworks = given.frameworks.split(",")
    if given.cell:
        framework, who, *rest = given.cell
        found = fit(framework, rest[0]) if who == "fit" else cell(who, framework, int(rest[0]), rest[1] == "gradient")
        print(json.dumps(found))
    elif given.fit:
        fits(frameworks)
    else:
        table(frameworks, list(map(int, given.lengths.split(","))), given.rounds)


if __name__ == "__main__":
    main()

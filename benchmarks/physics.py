"""The section physics: how far each training step is from what this machine can do.

FLOPs and bytes of a step are counted from the shapes of the layers. Only products with weights and with attention's
weights count as FLOPs (2 for each multiplication and addition): backward, each costs the same again for the gradient
of its weights, and again for that of its input, unless the input is data. XLA's own count of the loop by hand, which
has the elementwise arithmetic too, stands beside as a check; it counts the body of a recurrence once, and is left out
there.

Bytes are the least that must move: the batch; and, where they do not fit into the last cache, the weights and the
optimizer's slots (read and written) and the outputs of layers (written, read backward, and the same for their
gradients; those of elementwise layers need not touch memory). The lower bound is the longer of FLOPs over the measured
rate of a large product of matrices and bytes over the measured rate of a large triad (`a + 3 b`), each of a framework
with all its threads.

`python -m benchmarks.physics outputs/benchmarks.json` adds the shares to rows of the section train measured earlier.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import last_cache
from benchmarks.tasks import TASKS, Task
from benchmarks.timing import least_seconds
from polykeras.backend.host_memory import freed_memory_kept

FLOAT = 4  # bytes
SIZE = 2048  # of the matrices
LONG = 2**25  # numbers in each array of the triad
TRIES = 8
SLOTS = {"sgd": 0, "momentum": 1, "adam": 2}
RECURRENT = {"LSTM": 4, "GRU": 3}  # gates
FREE = ("Flatten", "InputLayer", "Activation", "Dropout", "BatchNormalization")  # their outputs need no memory
Row = dict[str, Any]


# ---- what a step takes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """FLOPs, and the least bytes: of the batch, of weights and slots, of the outputs of layers."""

    flops: float
    batch_bytes: float
    state_bytes: float
    output_bytes: float

    @property
    def held(self) -> float:
        """The bytes that stay from step to step, or within one."""
        return self.state_bytes + self.output_bytes

    def moved(self, cache: float) -> float:
        """Return the bytes that must come from or go to memory behind a cache of so many bytes."""
        return self.batch_bytes + (self.held if self.held > cache else 0.0)


def _size(shape: tuple[int | None, ...]) -> int:
    return math.prod(n for n in shape[1:] if n is not None)


def _is_data(layer: Any, model: Any) -> bool:
    given = layer.input if isinstance(layer.input, list) else [layer.input]
    return all(any(tensor is entry for entry in model.inputs) for tensor in given)


def _layer_flops(layer: Any, data: bool) -> float:
    """Return the FLOPs of a layer for one sample, forward and backward."""
    kind = type(layer).__name__
    if kind == "Embedding":
        return 0.0
    places = layer.input.shape[1] if kind in RECURRENT else math.prod(layer.output.shape[1:-1])
    flops = 0.0
    for weight in layer.trainable_weights:
        if not weight.path.endswith("kernel"):
            continue
        of_input = "recurrent" not in weight.path and "attention_output" not in weight.path
        flops += (2 if data and of_input else 3) * 2 * places * math.prod(weight.shape)
    if kind == "MultiHeadAttention":  # queries with keys, weights with values; both factors have gradients
        heads, depth, _ = next(w.shape for w in layer.trainable_weights if "attention_output_kernel" in w.path)
        flops += 3 * 2 * 2 * places * places * heads * depth
    return flops


def _layer_outputs(layer: Any) -> float:
    """Return the numbers that a layer makes for one sample and that are wanted backward."""
    kind = type(layer).__name__
    if kind in FREE:
        return 0.0
    if kind in RECURRENT:  # gates and states at each time
        return layer.input.shape[1] * (RECURRENT[kind] + 1) * layer.output.shape[-1]
    if kind == "MultiHeadAttention":
        heads, depth, _ = next(w.shape for w in layer.trainable_weights if "attention_output_kernel" in w.path)
        length = layer.output.shape[1]
        return 4 * length * heads * depth + heads * length * length + _size(layer.output.shape)
    return _size(layer.output.shape)


def work_of(task: Task) -> Work:
    """Return what one training step takes."""
    import polykeras

    with polykeras.use_backend("numpy"):
        model = task.model(polykeras)
        weights = sum(math.prod(w.shape) for w in model.trainable_weights)
        flops = sum(_layer_flops(layer, _is_data(layer, model)) for layer in model.layers if layer.trainable_weights)
        outputs = sum(_layer_outputs(layer) for layer in model.layers)
        x, y = task.data(steps=1)
        parts = [*polykeras.tree.flatten(x), *([] if y is x else [y])]
    return Work(
        flops=task.batch * flops,
        batch_bytes=float(sum(part.nbytes for part in parts)),
        state_bytes=2.0 * FLOAT * weights * (1 + SLOTS[task.optimizer]),
        output_bytes=4.0 * FLOAT * task.batch * outputs,
    )


def _xla_flops(name: str) -> float:
    """Return what XLA counts in the step by hand, before it optimizes."""
    jax: Any = importlib.import_module("jax")
    loops: Any = importlib.import_module("benchmarks.native.loops_jax")
    task = TASKS[name]
    x, y = task.data(steps=1)
    step = jax.jit(lambda state, x, y: loops._step(name, 0.0, state, x, y))
    analysis = step.lower(loops._initial(name, task.initial_weights()), x, y).cost_analysis()
    return float(analysis["flops"])


# ---- what the machine does ---------------------------------------------------------------------------------------


Functions = tuple[Callable[[Any], Any], Callable[[Any, Any], Any], Callable[..., Any]]


def _torch_functions() -> Functions:
    torch: Any = importlib.import_module("torch")
    return torch.from_numpy, torch.matmul, lambda a, b: a.add_(b, alpha=3.0)


def _jax_functions() -> Functions:
    jax: Any = importlib.import_module("jax")
    product, triad = jax.jit(lambda a, b: a @ b), jax.jit(lambda a, b: a + 3.0 * b, donate_argnums=0)
    return jax.numpy.asarray, lambda *p: product(*p).block_until_ready(), lambda *p: triad(*p).block_until_ready()


def _tensorflow_functions() -> Functions:
    tf: Any = importlib.import_module("tensorflow")
    fused = tf.function(lambda a, b: a + 3.0 * b, autograph=False, jit_compile=True)
    return tf.constant, tf.matmul, fused


# On a framework: from NumPy, the product of matrices, and `a + 3 b` in one pass; both are waited for.
FUNCTIONS: dict[str, Callable[[], Functions]] = {
    "torch": _torch_functions,
    "jax": _jax_functions,
    "tensorflow": _tensorflow_functions,
}
COUNTS_FLOPS = {"jax": _xla_flops}


def physics(who: str, framework: str, _: str) -> dict[str, Any]:
    """Return GFLOP/s of a large product of matrices, GB/s of a large triad; on JAX also what XLA counts in steps."""
    convert, product, triad = FUNCTIONS[framework]()
    rng = np.random.default_rng(0)
    a, b = (convert(rng.standard_normal((SIZE, SIZE), dtype="float32")) for _ in range(2))
    rate = 2 * SIZE**3 / least_seconds(lambda: product(a, b), TRIES) / 1e9
    total, addend = (convert(rng.standard_normal(LONG, dtype="float32")) for _ in range(2))

    def add() -> None:
        nonlocal total
        total = triad(total, addend)  # in the memory of the old one, where the framework knows how

    with freed_memory_kept():  # as in `fit`: where it does not, new memory would take longer than the triad
        band = 3 * FLOAT * LONG / least_seconds(add, TRIES) / 1e9
    result: dict[str, Any] = {"matmul": rate, "triad": band}
    if framework in COUNTS_FLOPS:
        counted = [name for name in TASKS if name not in ("lstm", "gru")]  # the count takes a loop for one turn
        result |= {f"XLA FLOPs, {name}": COUNTS_FLOPS[framework](name) for name in counted}
    return result


def cache_bytes(told: int | None = None) -> int:
    """Return the size of the last cache: what is told of the machine of a run, or that of this one."""
    return told or last_cache() or 32 * 2**20


# ---- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bound:
    """The shortest time of a step on a framework, in ms, what bounds it, and our share of it, if it was measured."""

    milliseconds: float
    by_bytes: bool
    share: float | None


def _numbers(rows: list[Row], section: str, who: str) -> dict[tuple[str, str], float]:
    column = "task" if section == "train" else "measure"
    return {(row["framework"], row[column]): row[who] for row in rows if row["section"] == section and who in row}


def reached(rows: list[Row]) -> dict[str, tuple[float, float]]:
    """Return, by framework, GFLOP/s of a product of matrices and GB/s of a triad."""
    measured = _numbers(rows, "physics", "native")
    return {f: (measured[f, "matmul"], measured[f, "triad"]) for f, measure in measured if measure == "matmul"}


def bounds(rows: list[Row], name: str, work: Work, cache: float) -> dict[str, Bound]:
    """Return, by framework, what a step of a task takes at least."""
    trained, found = _numbers(rows, "train", "polykeras"), {}
    for framework, (flops, band) in reached(rows).items():
        compute, transport = work.flops / flops / 1e6, work.moved(cache) / band / 1e6
        bound = max(compute, transport)
        ours = trained.get((framework, name))
        found[framework] = Bound(bound, compute < transport, None if ours is None else bound / ours)
    return found


def show_physics(rows: list[Row], console: Console, cache: float) -> None:
    """Print the work of each step beside what the machine does; and shares, where `rows` has the section train."""
    measured = _numbers(rows, "physics", "native")
    for framework, (flops, band) in reached(rows).items():
        console.print(f"{framework}: matmul {flops:.0f} GFLOP/s, triad {band:.1f} GB/s")
    table = Table(title=f"What a step takes at least (last cache: {cache / 2**20:.0f} MB), and our share of the limit")
    table.add_column("task", no_wrap=True)
    for column in ("MFLOP", "XLA counts", "MB held", "MB moved"):
        table.add_column(column, justify="right")
    for framework in reached(rows):
        table.add_column(f"{framework}, ms", justify="right")
        table.add_column("share", justify="right")
    for name, task in TASKS.items():
        work = work_of(task)
        xla = measured.get(("jax", f"XLA FLOPs, {name}"))
        cells = [f"{work.flops / 1e6:.4g}", "" if xla is None else f"{xla / 1e6:.4g}"]
        cells += [f"{work.held / 1e6:.3g}", f"{work.moved(cache) / 1e6:.3g}"]
        for bound in bounds(rows, name, work, cache).values():
            cells.append(f"{bound.milliseconds:.3g}{'*' if bound.by_bytes else ''}")
            cells.append("" if bound.share is None else f"{100 * bound.share:.0f} %")
        table.add_row(name, *cells)
    console.print(table)
    console.print("*: the bytes take longer than the FLOPs. A share is the bound over the measured time of our step.")


def main() -> None:
    """Measure the machine, and print the table with the times of an earlier run."""
    from benchmarks.processes import Runner

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, help="rows of an earlier `python -m benchmarks`, with the section train")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frameworks", default="jax,tensorflow,torch")
    options = parser.parse_args()
    console = Console(width=160)
    rows = [row for row in json.loads(options.json.read_text())["rows"] if row["section"] == "train"]
    for framework in options.frameworks.split(","):
        rows += Runner(console).measure("physics", framework, "machine", options.rounds)
    show_physics(rows, console, cache_bytes())


if __name__ == "__main__":
    main()

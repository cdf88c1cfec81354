"""Compare polykeras with Keras on models that people train: `python -m benchmarks.real`.

Other people's model code runs unchanged (`as_keras`), from equal weights. Each measurement is a process of its own; the
processes alternate, and the table shows Keras's median divided by ours: above 1, ours is faster or smaller. "Tuned" is
Keras with `jit_compile=True`, where it does not compile by default. Predictions of the untrained model are compared.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from benchmarks.competitors import TUNED
from benchmarks.machine import machine
from benchmarks.timing import median_seconds, seconds_of

NAMES = ("llama", "gpt2", "bert", "resnet50", "efficientnet", "vit", "whisper", "unet", "diffusion")
MEASURES = ("step", "predict", "first step", "first fit", "first predict", "build", "peak memory")
PARTS = ("steps", "fit")  # each in a process of its own, so that neither finds what the other one compiled
WHO = ("polykeras", "keras", "tuned")
RUNS = 5
NEAR = 1e-4  # of the mean size of predictions
Measured = dict[str, float]


def _seeded_weights(model: Any) -> None:
    """Set matrices to small random numbers from one seed; vectors stay as they are made, ones and zeros."""
    import numpy as np

    rng = np.random.default_rng(1)
    for weight in model.weights:
        if len(shape := tuple(weight.shape)) > 1 and "float" in str(weight.dtype):
            fan_in = int(np.prod(shape[:-1]))
            weight.assign((rng.standard_normal(shape) / fan_in**0.5).astype("float32"))


def measure(who: str, name: str, part: str) -> Measured:
    """Return seconds, the peak of resident memory in MB, and the mean size of predictions."""
    if who == "polykeras":
        importlib.import_module("polykeras.as_keras").install()
    import numpy as np

    k = importlib.import_module("keras")
    models = importlib.import_module("benchmarks.real_models")
    made: list[Any] = []
    if name not in ("resnet50", "efficientnet", "unet", "diffusion"):
        importlib.import_module("keras_hub")
    k.ops.ones((8, 32))  # the framework is loaded
    build = seconds_of(lambda: made.append(models.MODELS[name]()))
    model, x, y = made[0]
    _seeded_weights(model)
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled = {"jit_compile": True} if who == "tuned" else {}
    model.compile(optimizer=k.optimizers.Adam(1e-4), loss=loss, **compiled)
    if part == "fit":
        return {"first fit": seconds_of(lambda: model.fit(x, y, batch_size=len(y), epochs=2, verbose=0))}
    predicted: list[Any] = []
    return {
        "build": build,
        "first predict": seconds_of(lambda: predicted.append(model.predict(x, batch_size=len(y), verbose=0))),
        "predict": median_seconds(lambda: model.predict(x, batch_size=len(y), verbose=0), RUNS),
        "predictions": float(np.abs(predicted[0]).mean()),
        "first step": seconds_of(lambda: model.train_on_batch(x, y)),
        "step": median_seconds(lambda: model.train_on_batch(x, y), RUNS),
        "peak memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _run(who: str, framework: str, name: str, part: str) -> Measured:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.real", "--worker", who, name, part]
    environment = os.environ | {"KERAS_BACKEND": framework, "POLYKERAS_BACKEND": framework, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{who} on {framework}, {name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def medians(runs: list[Measured]) -> Measured:
    """Return the median of each measure."""
    return {measure: median(run[measure] for run in runs) for measure in runs[0]}


def ratios(found: dict[str, Measured], peer: str) -> Measured:
    """Return a peer's figures divided by ours."""
    return {measure: found[peer][measure] / found["polykeras"][measure] for measure in MEASURES}


def _can_be_tuned(framework: str) -> bool:
    return any("jit_compile" in way for way in TUNED[framework].values())


def _cells(frameworks: Iterable[str], names: Iterable[str], who: Iterable[str], rounds: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for framework in frameworks:
        for name in names:
            runs: dict[str, list[Measured]] = {peer: [] for peer in who if peer != "tuned" or _can_be_tuned(framework)}
            for turn in range(rounds):
                order = list(runs)[turn % len(runs) :] + list(runs)[: turn % len(runs)]
                for peer in order:
                    parts = [_run(peer, framework, name, part) for part in PARTS]
                    runs[peer].append({measure: figure for part in parts for measure, figure in part.items()})
            found = {peer: medians(each) for peer, each in runs.items()}
            rows.append({"framework": framework, "model": name, "found": found})
            for peer in found.keys() - {"polykeras"}:
                told = ", ".join(f"{measure} {ratio:.2f}" for measure, ratio in ratios(found, peer).items())
                print(f"{framework} {name}, {peer}: {told}", flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return markdown: Keras's figures divided by ours, with those of the tuned one after a stroke."""
    lines = [f"| model | framework | {' | '.join(MEASURES)} |", "|---" * (len(MEASURES) + 2) + "|"]
    for row in rows:
        each = [ratios(row["found"], peer) for peer in WHO[1:] if peer in row["found"]]
        cells = [" / ".join(f"{one[measure]:.2f}" for one in each) for measure in MEASURES]
        sizes = [one["predictions"] for one in row["found"].values()]
        apart = max(sizes) - min(sizes) > NEAR * max(sizes)
        lines.append(f"| {row['model']}{' (predictions differ)' * apart} | {row['framework']} | {' | '.join(cells)} |")
    for peer in WHO[1:]:
        held = [ratios(row["found"], peer) for row in rows if peer in row["found"]]
        if held:
            means = [f"{geometric_mean(one[measure] for one in held):.2f}" for measure in MEASURES]
            lines.append(f"| geometric mean, {peer} | | {' | '.join(means)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line names, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frameworks", default="torch,jax,tensorflow")
    parser.add_argument("--models", default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--who", default=",".join(WHO))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--worker", nargs=3, metavar=("WHO", "MODEL", "PART"), help="measure once, in this process")
    options = parser.parse_args()
    if options.worker:
        who, name, part = options.worker
        print(json.dumps(measure(who, name, part)))
        return
    frameworks, models, who = (value.split(",") for value in (options.frameworks, options.models, options.who))
    rows = _cells(frameworks, models, who, options.rounds)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()

"""Files that were valid, changed at random, and what becomes of them when they are loaded.

`python tests/saving/fuzz.py --format keras --count 10000` prints how many were loaded, how many refused with an error
that is a `ValueError`, and all others: those are mistakes of ours. Mutant `i` of a seed is always the same one, so that
`--start i --count 1 --keep FILE` writes it down. Mutants are loaded in a process apart, as HDF5's library may crash.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECONDS, STALL, MEMORY, BATCH = 10, 40, 2**30, 2000
FORMATS = {
    "keras": ".keras",
    "h5": ".weights.h5",
    "npz": ".npz",
    "safetensors": ".safetensors",
    "sharded": ".weights.json",
    "config": ".config.json",
    "legacy": ".h5",
}
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**48,
    2**63 - 1,
    2**64 - 1,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**62,
    -(2**62),
    1e9,
    -0.5,
    float("nan"),
    float("inf"),
    "",
    "x",
)
VALUES += (
    "relu",
    "Dense",
    "__numpy__",
    "function",
    "\0",
    "../x",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    {"class_name": "Dense"},
)
VALUES += (
    {"class_name": "__tuple__", "config": [1]},
    {"class_name": "function", "config": "relu"},
    [0, 0, 0],
    ["x", 0, 0],
)


# ---- changes ---------------------------------------------------------------------------------------------------


def flip(rng: random.Random, data: bytes) -> bytes:
    """Change some bytes."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if out:
            out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def number(rng: random.Random, data: bytes) -> bytes:
    """Write a number that is hard to get right over some bytes."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(max(1, len(data) - size))
    return (
        data[:at] + (rng.choice(NUMBERS) % 256**size).to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]
    )


def truncate(rng: random.Random, data: bytes) -> bytes:
    """Cut a piece off."""
    at = rng.randrange(len(data) + 1)
    return data[:at] if rng.random() < 0.8 else data[at:]


def splice(rng: random.Random, data: bytes) -> bytes:
    """Put a piece somewhere else: instead of what is there, or before it; or leave it out."""
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.choice((1, 4, 8, 64, 512, 4096))]
    at = rng.randrange(len(data) + 1)
    return rng.choice(
        (data[:at] + piece + data[at:], data[:at] + piece + data[at + len(piece) :], data.replace(piece, b"", 1))
    )


def near(marks: tuple[bytes, ...], reach: int) -> Callable[[random.Random, bytes], bytes]:
    """Return a change of what stands shortly behind a mark."""

    def change(rng: random.Random, data: bytes) -> bytes:
        places = []
        for mark in marks:
            at = data.find(mark)
            while at >= 0:
                places.append(at)
                at = data.find(mark, at + 1)
        if not places:
            return flip(rng, data)
        at = rng.choice(places)
        return data[:at] + rng.choice((flip, number))(rng, data[at : at + reach]) + data[at + reach :]

    return change


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Return all places in a tree: containers and keys."""
    found = []
    stack = [value]
    while stack:
        node = stack.pop()
        for key, part in list(node.items()) if isinstance(node, dict) else list(enumerate(node)):
            found.append((node, key))
            if isinstance(part, (dict, list)):
                stack.append(part)
    return found


def tree_change(rng: random.Random, data: bytes) -> bytes:
    """Change JSON as such: exchange, leave out, repeat or rename what is in it."""
    value = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        places = _nodes(value)
        if not places:
            break
        (node, key), (other, other_key) = rng.choice(places), rng.choice(places)
        kind = rng.randrange(6)
        if kind < 2:
            node[key] = json.loads(json.dumps(rng.choice(VALUES)))  # a new one: it may be changed next
        elif kind == 2:
            node[key] = json.loads(json.dumps(other[other_key]))
        elif kind == 3:
            del node[key]
        elif kind == 4 and isinstance(node, dict):
            node[rng.choice((str(other_key), "x", ""))] = node.pop(key)
        elif isinstance(node, list):
            node.insert(rng.randrange(len(node) + 1), json.loads(json.dumps(node[key])))
    return json.dumps(value).encode()


def in_json(rng: random.Random, data: bytes) -> bytes:
    """Change JSON within other data, which keeps its length."""
    start = data.index(b'{"class_name"')
    _, length = json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))
    for _ in range(100):
        changed = tree_change(rng, data[start : start + length])
        if len(changed) <= length:
            return data[:start] + changed.ljust(length) + data[start + length :]
    return flip(rng, data)


PLAIN = (flip, number, truncate, splice)
ZIP = near((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"), 64)
NPY = near((b"\x93NUMPY",), 128)
HDF5 = near((b"\x89HDF", b"TREE", b"HEAP", b"SNOD", b"OHDR", b"GCOL", b"deflate", b"\x01\x00"), 96)


def within(member: str, change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, bytes], bytes]:
    """Return a change of a member of an archive, which is right in all else."""

    def changed(rng: random.Random, data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            names = [name for name in old.namelist() if member in name]
            chosen = rng.choice(names)
            for name in old.namelist():
                new.writestr(name, change(rng, old.read(name)) if name == chosen else old.read(name))
        return out.getvalue()

    return changed


CHANGES: dict[str, tuple[Callable[[random.Random, bytes], bytes], ...]] = {
    "keras": (
        *PLAIN,
        *(ZIP, ZIP, within("metadata", flip)),
        *(within("config", tree_change),) * 6,
        *(within("config", change) for change in PLAIN),
        *(within("weights", HDF5),) * 3,
        *(within("weights", change) for change in PLAIN),
    ),
    "h5": (*PLAIN, *(HDF5,) * 6),
    "legacy": (*PLAIN, *(HDF5,) * 6, *(in_json,) * 6),
    "npz": (*PLAIN, ZIP, ZIP, within("npy", NPY), within("npy", NPY), *(within("npy", change) for change in PLAIN)),
    "safetensors": (*PLAIN, near((b"{", b"dtype", b"shape", b"offsets"), 24)),
    "sharded": (*PLAIN, *(tree_change,) * 6),
    "config": (*PLAIN, *(tree_change,) * 12),
}


def mutant(kind: str, seed: int, i: int, seeds: list[bytes]) -> bytes:
    """Return the changed file of a number."""
    rng = random.Random(f"{kind} {seed} {i}")
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2))):
        change = rng.choice(CHANGES[kind])
        try:
            data = change(rng, data)
        except Exception:  # what was changed before cannot be taken apart any more
            data = flip(rng, data)
    return data


# ---- the process that loads ------------------------------------------------------------------------------------


def models() -> list[Callable[[], Any]]:
    """Return makers of models whose files are changed."""
    import polykeras as keras

    def dense() -> Any:
        x = keras.Input((4,), name="x")
        y = keras.layers.Dense(3, activation="relu", kernel_regularizer="l2")(x)
        y = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(y))
        model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Concatenate()([x, y])) * 2.0)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae", keras.metrics.AUC(20)])
        model.optimizer.build(model.trainable_variables)
        return model

    def sequence() -> Any:
        layers = keras.layers
        cells = [layers.Embedding(9, 4, mask_zero=True), layers.Bidirectional(layers.LSTM(3, return_sequences=True))]
        return keras.Sequential(
            [keras.Input((5,), dtype="int32"), *cells, layers.TimeDistributed(layers.Dense(2)), layers.GRU(2)]
        )

    def image() -> Any:
        layers = keras.layers
        blocks = [
            layers.Conv2D(2, 3, padding="same", activation="gelu"),
            layers.MaxPooling2D(),
            layers.UpSampling2D(interpolation="bilinear"),
        ]
        return keras.Sequential([keras.Input((8, 8, 1)), *blocks, layers.Flatten(), layers.Dense(2, dtype="bfloat16")])

    return [dense, sequence, image]


def valid_files(kind: str, folder: Path) -> list[tuple[bytes, Any]]:
    """Return valid files, each with the model to which it is loaded."""
    import h5py
    import numpy as np

    found = []
    for i, make in enumerate(models()):
        model = make()
        path = folder / f"seed{i}{FORMATS[kind]}"
        if kind == "config":
            path.write_text(model.to_json())
        elif kind in ("keras", "legacy"):
            model.save(path)
        else:
            model.save_weights(path)
        if kind == "h5" and i == 1:
            with h5py.File(path, "r+") as file:  # packed, as users do to save space
                data = file["layers/embedding/vars/0"][()]
                del file["layers/embedding/vars/0"]
                packed = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (3, 2)}
                file.create_dataset("layers/embedding/vars/0", data=data, **packed)
        if kind == "npz" and i == 1:
            with np.load(path) as arrays:
                np.savez_compressed(path, **dict(arrays))
        found.append((path.read_bytes(), model))
    return found


def load(kind: str, path: Path, model: Any) -> None:
    """Load a file of a format."""
    import polykeras as keras

    if kind == "config":
        keras.models.model_from_json(path.read_text(encoding="utf-8", errors="surrogateescape"))
    elif kind in ("keras", "legacy"):
        keras.saving.load_model(path)
    else:
        model.load_weights(path)


class TimeIsUpError(BaseException):
    """A mutant took too long."""


def _time_is_up(*_: Any) -> None:
    raise TimeIsUpError


def child(kind: str, seed: int, start: int, stop: int) -> None:
    """Load mutants, and print what became of each."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = valid_files(kind, folder)
        path = folder / f"mutant{FORMATS[kind]}"
        for data, model in files:
            path.write_bytes(data)
            load(kind, path, model)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY,) * 2)
        signal.signal(signal.SIGALRM, _time_is_up)
        model = files[0][1]
        for i in range(start, stop):
            print(f"{i} ", end="", flush=True)
            path.write_bytes(mutant(kind, seed, i, [data for data, _ in files]))
            before = time.monotonic()
            signal.alarm(SECONDS)
            try:
                load(kind, path, files[i % len(files)][1] if kind not in ("keras", "config", "legacy") else model)
                outcome = "loaded"
            except ValueError as error:
                outcome = "memory" if "MemoryError" in str(error) else "refused"
            except BaseException as error:  # all others are what is looked for
                where = traceback.extract_tb(error.__traceback__)[-1]
                outcome = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno} {str(error)[:150]!r}"
            signal.alarm(0)
            print(f"{time.monotonic() - before:.3f} {outcome}", flush=True)


# ---- the process that counts -----------------------------------------------------------------------------------


def fuzz(kind: str, count: int, seed: int = 0, start: int = 0) -> tuple[Counter[str], dict[int, str], float]:
    """Load mutants of a format.

    Returns:
        How many there were of each outcome, the others by number, and the longest time of one in seconds.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "POLYKERAS_BACKEND": "numpy"}
    counts: Counter[str] = Counter()
    others: dict[int, str] = {}
    longest, at, stop = 0.0, start, start + count
    while at < stop:
        command = [sys.executable, __file__, "--child", "--format", kind, "--seed", str(seed)]
        command += ["--start", str(at), "--count", str(min(stop, at + BATCH) - at)]
        with tempfile.TemporaryFile("w+") as lines, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdout=lines, stderr=errors, env=environment)
            size, since = 0, time.monotonic()
            while process.poll() is None:
                time.sleep(0.05)
                now = os.fstat(lines.fileno()).st_size
                if now != size:
                    size, since = now, time.monotonic()
                elif time.monotonic() - since > STALL:
                    process.kill()
            lines.seek(0)
            errors.seek(0)
            done, told = lines.read().splitlines(), errors.read()
        if not done:
            raise RuntimeError(f"The process that loads did not begin: {told}")
        for line in done:
            number, _, rest = line.partition(" ")
            seconds, _, outcome = rest.partition(" ")
            if not outcome:
                outcome, seconds = f"the process ended with {process.returncode}: {told[-200:]}", "0"
            longest, at = max(longest, float(seconds)), int(number) + 1
            counts[outcome if outcome in ("loaded", "refused") else "other"] += 1
            if outcome not in ("loaded", "refused"):
                others[int(number)] = outcome
    return counts, others, longest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--keep", help="write the first mutant to this file, and load none")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keep:
        with tempfile.TemporaryDirectory() as folder:
            seeds = [data for data, _ in valid_files(options.format, Path(folder))]
        Path(options.keep).write_bytes(mutant(options.format, options.seed, options.start, seeds))
        return 0
    if options.child:
        child(options.format, options.seed, options.start, options.start + options.count)
        return 0
    began = time.monotonic()
    counts, others, longest = fuzz(options.format, options.count, options.seed, options.start)
    for i, outcome in others.items():
        print(f"mutant {i}: {outcome}")
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ("loaded", "refused", "other"))
    print(f"{options.format}: {told}; {time.monotonic() - began:.0f} s, the longest {longest:.2f} s")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())

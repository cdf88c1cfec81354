"""What Keras 3 does with our files, in a process of its own: `python keras_side.py FOLDER`.

For each `NAME.keras` in the folder, with its inputs in `NAME.inputs.npz`, it loads the model, writes what it predicts
to `NAME.outputs.npz` and saves the model as Keras does to `NAME.back.keras`; a compiled model is trained for a step
before it is saved. Where there are weights beside it, `NAME.weights.h5` or `NAME.weights.json`, it does the same with them. Prints JSON: what went wrong, by name.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from exchange_own import registered  # beside this program

registered(keras)


def _arrays(path: Path) -> list[np.ndarray]:
    with np.load(path) as file:
        return [file[str(i)] for i in range(len(file.files))]


def _host(outputs: Any) -> dict[str, np.ndarray]:
    return {str(i): np.asarray(keras.ops.convert_to_numpy(y)) for i, y in enumerate(keras.tree.flatten(outputs))}


def _predicted(model: Any, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    given = keras.tree.pack_sequence_as(model._inputs_struct, inputs) if hasattr(model, "_inputs_struct") else inputs[0]
    if keras.backend.backend() != "jax":
        return _host(model(given, training=False))
    import jax

    def call(arrays: Any) -> Any:
        with keras.StatelessScope():  # states that the call changes are dropped
            return model(arrays, training=False)

    try:  # one program for all, in a fraction of the time of one an operation
        return _host(jax.jit(call)(given))
    except Exception:  # what looks at values, or fails there too
        return _host(model(given, training=False))


def _visit(path: Path) -> None:
    name = str(path).removesuffix(".keras")
    inputs = _arrays(Path(f"{name}.inputs.npz"))
    model = keras.saving.load_model(path)
    np.savez(f"{name}.outputs.npz", **_predicted(model, inputs))
    for suffix in (".weights.h5", ".weights.json"):
        if Path(f"{name}{suffix}").exists():
            model.set_weights([0 * w for w in model.get_weights()])
            model.load_weights(f"{name}{suffix}")
            np.savez(f"{name}{suffix}.outputs.npz", **_predicted(model, inputs))
            shards = {"max_shard_size": 1} if suffix.endswith("json") else {}
            model.save_weights(f"{name}_back{suffix}", **shards)
    if getattr(model, "optimizer", None) is not None:
        with np.load(f"{name}.labels.npz") as file:
            labels = file["0"]
        model.train_on_batch(inputs[0], labels)
        np.savez(f"{name}.trained.npz", **_predicted(model, inputs))
    model.save(f"{name}.back.keras")


def main(folder: Path) -> None:
    """Visit all files of a folder."""
    failed: dict[str, str] = {}
    for path in sorted(p for p in folder.glob("*.keras") if not p.name.endswith(".back.keras")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _visit(path)
        except Exception as error:
            failed[path.name.removesuffix(".keras")] = f"{type(error).__name__}: {error}"[-600:]
    print(json.dumps(failed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

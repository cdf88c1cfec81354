"""What Keras 3 does with our `.h5` files, in a process of its own: `python legacy_keras_side.py FOLDER`.

For each `NAME.h5` in the folder, with its inputs in `NAME.npz`, it loads the model, writes what it predicts to
`NAME.out.npz` and saves it to `NAME.back.h5`. What is compiled is compiled anew before that (Keras 3 builds the
optimizer of an `.h5` file for no weights, and cannot train it), trained for two steps on `NAME.labels.npz`, and after
it for two more; the weights are then written to `NAME.trained.npz`. Prints JSON: what went wrong, by name.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np


def _visit(path: Path) -> None:
    name = str(path).removesuffix(".h5")
    with np.load(f"{name}.npz") as file:
        inputs = [file[key] for key in file.files]
    model: Any = keras.saving.load_model(path)
    outputs = keras.tree.flatten(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
    np.savez(f"{name}.out.npz", *outputs)
    compiled = getattr(model, "optimizer", None) is not None
    if compiled:
        model.compile(path.stem, "mse")
        _train(model, name, inputs[0])
    model.save(f"{name}.back.h5")
    if compiled:
        _train(model, name, inputs[0])
        weights = {v.path.replace("/", "."): keras.ops.convert_to_numpy(v) for v in model.weights}
        np.savez(f"{name}.trained.npz", **weights)


def _train(model: Any, name: str, x: np.ndarray) -> None:
    with np.load(f"{name}.labels.npz") as file:
        for _ in range(2):
            model.train_on_batch(x, file["arr_0"])


def main(folder: Path) -> None:
    """Visit all files of a folder."""
    failed: dict[str, str] = {}
    for path in sorted(p for p in folder.glob("*.h5") if not p.name.endswith(".back.h5")):
        try:
            _visit(path)
        except Exception as error:
            failed[path.stem] = f"{type(error).__name__}: {error}"[-600:]
    print(json.dumps(failed))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))

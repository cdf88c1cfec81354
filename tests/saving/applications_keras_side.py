"""Networks as Keras 3 makes them, in a process of its own: `python applications_keras_side.py FOLDER`.

For each line of its input, JSON of `[name, arguments]`, it makes that network with weights drawn for this, and writes
its weights as Keras 3 does (`new.weights.h5`) and as Keras 1 and 2 did (`old.h5`), images and what it makes of them; where
asked to train, also the losses of two steps and what it makes of the images then. It answers each with a line of JSON: the
signature of the network's constructor.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group


def _drawn(model: Any, x: np.ndarray, rng: np.random.Generator) -> None:
    """Draw what new networks have at 0 or 1, so that none can be taken for another, and take statistics from images.

    Without these what random networks give is huge, and changes wholly with the last bits of its inputs.
    """
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            layer.finalize_state()  # takes up the weights
    names = {keras.layers.BatchNormalization: "momentum", keras.layers.Dropout: "rate"}
    changed = [(layer, name) for layer in model.layers for kind, name in names.items() if isinstance(layer, kind)]
    before = [getattr(layer, name) for layer, name in changed]
    for layer, name in changed:
        setattr(layer, name, 0.0)
    model(x, training=True)
    for (layer, name), value in zip(changed, before, strict=True):
        setattr(layer, name, value)


def _visit(folder: Path, name: str, arguments: dict[str, Any], training: bool) -> list[Any]:
    make = getattr(keras.applications, name)
    rng = np.random.default_rng(7)
    keras.utils.set_random_seed(7)
    keras.utils.clear_session()
    model = make(weights=None, **arguments)
    x = rng.uniform(0, 255, (8, *model.input_shape[1:])).astype("float32")
    _drawn(model, x, rng)
    model.save_weights(folder / "new.weights.h5")
    with h5py.File(folder / "old.h5", "w") as file:
        save_weights_to_hdf5_group(file, model)
    results = {"x": x, "y": keras.ops.convert_to_numpy(model(x, training=False))}
    if training:
        model.compile(keras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
        results["losses"] = np.array([model.train_on_batch(x, np.arange(len(x))) for _ in range(2)])
        results["trained"] = keras.ops.convert_to_numpy(model(x, training=False))
    np.savez(folder / "results.npz", **results)
    return [[p.name, p.default] for p in inspect.signature(make).parameters.values()]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        print(json.dumps(_visit(Path(sys.argv[1]), *json.loads(line))), flush=True)

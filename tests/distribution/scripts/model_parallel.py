"""Trains models whose weights are cut over devices; prints their histories, where arrays lie, and what must not change.

The arguments are a folder that all processes see, and names of models and grids of devices, such as `dense:1x2`; `1x1`
trains on one device.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import polykeras as keras
from helpers.parts import part
from helpers.workers import tell
from polykeras import layers
from polykeras.backend import registry
from polykeras.distribution.connections import current_job

Data = tuple[np.ndarray, np.ndarray]


def dense() -> tuple[keras.Model, Data]:
    """A dense net with dropout, of a partial last batch."""
    model = keras.Sequential(
        [
            layers.Dense(16, activation="relu", name="first"),
            layers.Dropout(0.3),
            layers.Dense(4, activation="softmax", name="last"),
        ],
        name="dense",
    )
    x = np.random.default_rng(1).normal(size=(120, 8)).astype(np.float32)
    return model, (x, np.argmax(x[:, :4], 1))


def transformer() -> tuple[keras.Model, Data]:
    """An embedding and a transformer block."""
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8, name="embedding")(tokens)
    attended = layers.MultiHeadAttention(4, 2, dropout=0.1, name="attention")(x, x)
    x = layers.LayerNormalization()(x + attended)
    hidden = layers.Dense(16, activation="gelu", name="first")(x)
    x = layers.LayerNormalization()(x + layers.Dense(8, name="second")(hidden))
    outputs = layers.Dense(4, activation="softmax", name="last")(layers.GlobalAveragePooling1D()(x))
    x = np.random.default_rng(2).integers(0, 20, (96, 6))
    return keras.Model(tokens, outputs, name="transformer"), (x, x[:, 0] % 4)


MODELS = {"dense": dense, "transformer": transformer}
LAYOUTS = {
    "(.*/)?first/kernel": (None, "model"),
    "(.*/)?first/bias": ("model",),
    "(.*/)?(second|last)/kernel": ("model", None),
    "(.*/)?embedding/embeddings": (None, "model"),
    "(.*/)?(query|key|value)/kernel": (None, "model", None),
    "(.*/)?attention_output/kernel": ("model", None, None),
    "dense/first/output": ("batch", "model"),
}


def distribute(shape: str) -> None:
    """Set the distribution over the first devices of a grid; none over a single device."""
    api, sizes = keras.distribution, tuple(map(int, shape.split("x")))
    if np.prod(sizes) == 1:
        api.set_distribution(None)
        return
    mesh = api.DeviceMesh(sizes, ["batch", "model"], api.list_devices()[: int(np.prod(sizes))])
    layout_map = api.LayoutMap(mesh)
    for path, axes in LAYOUTS.items():
        layout_map[path] = axes
    api.set_distribution(api.ModelParallel(layout_map=layout_map, batch_dim_name="batch"))


def saved(model: keras.Model, folder: Path) -> keras.Model:
    """Save a model on all workers, to a folder of each; return what worker 0 wrote."""
    own = folder / str(current_job().rank)
    own.mkdir(parents=True, exist_ok=True)
    model.save(own / "model.keras")
    model.save_weights(own / "model.weights.h5")
    first = current_job().rank == 0
    assert sorted(p.name for p in own.iterdir()) == (["model.keras", "model.weights.h5"] if first else [])
    loaded = keras.models.load_model(folder / "0" / "model.keras")
    loaded.load_weights(folder / "0" / "model.weights.h5")
    return loaded


def run(name: str, folder: Path) -> dict[str, Any]:
    """Train a model, and use it afterwards."""
    keras.utils.set_random_seed(0)
    model, (x, y) = MODELS[name]()
    model.compile(keras.optimizers.Adam(0.01, name="adam"), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=40, epochs=3, verbose=0, validation_split=0.2).history
    variables = [*model.variables, *model.optimizer.variables]
    parts = {v.path: part(v) for v in variables}
    found = {key: [float(v) for v in values] for key, values in history.items()}
    found["evaluate"] = [float(v) for v in model.evaluate(x, y, verbose=0)]
    predicted = model.predict(x, verbose=0)
    loaded = saved(model, folder)
    assert np.allclose(keras.ops.convert_to_numpy(model(x[:4])), predicted[:4], atol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True))
    model.set_weights(model.get_weights())
    found["on_batch"] = [float(v) for v in model.train_on_batch(x[:32], y[:32])]
    assert parts == {v.path: part(v) for v in variables}, "variables have moved"
    held, weights = [v.value for v in model.weights], model.get_weights()
    model.fit(x, y, batch_size=40, verbose=0)  # takes the memory of what nobody holds
    assert all(np.array_equal(registry.current().to_numpy(a), b) for a, b in zip(held, weights, strict=True))
    found["predicted"] = predicted.ravel().tolist()
    return {"numbers": found, "parts": parts}


def main() -> None:
    keras.distribution.initialize()
    found, folder = {}, Path(sys.argv[1])
    for argument in sys.argv[2:]:
        name, shape = argument.split(":")
        distribute(shape)
        found[argument] = run(name, folder / argument)
    tell(current_job().rank, found)


main()

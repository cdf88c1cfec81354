"""Two workers that write one checkpoint of Orbax. The arguments are a folder, and "shared" or "cut"."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import layers
from polykeras.distribution.connections import current_job

api = keras.distribution
folder, how = Path(sys.argv[1]), sys.argv[2]
api.initialize()
if how == "cut":
    layout_map = api.LayoutMap(api.DeviceMesh((1, 2), ["batch", "model"]))
    layout_map["(.*/)?first/kernel"] = (None, "model")
    api.set_distribution(api.ModelParallel(layout_map=layout_map, batch_dim_name="batch"))
else:
    api.set_distribution(api.DataParallel())

keras.utils.set_random_seed(0)
X = np.linspace(-1, 1, 128, dtype="float32").reshape(16, 8)
model = keras.Sequential([layers.Dense(8, name="first", activation="tanh"), layers.Dense(1)], name="net")
model.compile(keras.optimizers.Adam(0.01), "mse")
model.fit(X, X[:, :1], batch_size=8, epochs=2, verbose=0, callbacks=[keras.callbacks.OrbaxCheckpoint(folder)])
values = [*model.variables, *model.optimizer.variables]
tell(current_job().rank, [float(np.abs(variable.numpy()).sum()) for variable in values])

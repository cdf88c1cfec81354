"""What Keras 3 makes of random graphs, in a process of its own: `python graphs_keras_side.py FOLDER`.

`plan.json` in the folder lists the graphs: suffix of the files for which each is meant, and seed. Keras makes each graph
from the same lines as polykeras and sets the weights of `ours.npz` in it. It reads `SEED.SUFFIX`, which polykeras wrote, and
writes `SEED.theirs.SUFFIX`, and `SEED.ops.h5` of some graphs with ops. What it predicts and holds goes to `theirs.npz`, the
order of layers and weights to `theirs.json`.
"""

from __future__ import annotations

import gc
import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.utils.naming import reset_uids
from masked_graphs import masked_graphs  # beside this program
from random_graphs import Maker, draw_arrays, order, own_layers, predicted


class Side:
    """Keras's side of the exchange.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = own_layers(keras)
        self.known = {cls.__name__: cls for cls in self.own}  # `.h5` files do not say where a class is registered
        self.arrays: dict[str, np.ndarray] = {}
        self.orders: dict[str, Any] = {}
        self.failed: dict[str, str] = {}

    def visit(self, suffix: str, seed: int, ours: np.ndarray) -> None:
        """Make a graph, set our weights in it, and exchange files."""
        reset_uids()
        name = f"{seed}{suffix}"
        model = Maker(keras, self.own, seed, suffix).model()
        self.orders[name] = order(model)
        model.set_weights(list(ours))
        self.arrays[f"{name} with ours"] = predicted(keras, model, seed)
        model.set_weights(list(draw_arrays(f"theirs {seed}", len(model.weights))))
        self.arrays[f"{name} weights"] = np.array(model.get_weights())
        self.arrays[f"{name} predicted"] = predicted(keras, model, seed)
        try:
            self._exchange(model, seed, suffix)
            if suffix == ".keras":
                self.orders[f"{name} clone"] = order(keras.models.clone_model(model))
        except Exception:
            self.failed[name] = traceback.format_exc()[-1500:]

    def _exchange(self, model: Any, seed: int, suffix: str) -> None:
        if suffix == ".weights.h5":
            model.save_weights(self.folder / f"{seed}.theirs{suffix}")
            model.load_weights(self.folder / f"{seed}{suffix}")
        else:
            model.save(self.folder / f"{seed}.theirs{suffix}")
            if suffix == ".keras" and seed % 5 == 0:
                model.save(self.folder / f"{seed}.ops.h5")
            model = keras.saving.load_model(self.folder / f"{seed}{suffix}", self.known, compile=False)
            self.orders[f"{seed}{suffix} there"] = order(model)
        self.arrays[f"{seed}{suffix} there"] = predicted(keras, model, seed)


def main(folder: Path) -> None:
    """Visit all graphs of the plan."""
    plan = json.loads((folder / "plan.json").read_text())
    side = Side(folder)
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # looking for garbage in all that Keras imports takes a seventh of the time
    with np.load(folder / "ours.npz") as ours, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `.h5` is old, and weights are loaded twice
        for suffix, seed in plan:
            side.visit(suffix, seed, ours[f"{seed}{suffix}"])
        for name, make in masked_graphs(keras).items():
            reset_uids()
            side.orders[name] = order(make())
    np.savez(folder / "theirs.npz", **side.arrays)
    (folder / "theirs.json").write_text(json.dumps({"orders": side.orders, "failed": side.failed}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Runs the calls of a program with one library, and tells what a user sees of each: values, names, order, types, errors."""

from __future__ import annotations

import copy
import csv
import os
import pickle
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from differential.programs.data import Data
from differential.programs.models import Maker
from differential.programs.own import own_classes

UNSEEN = (
    "Gradients do not exist",  # Keras says it on some frameworks alone
    "does not have any trainable weights",
    "Error reading persistent compilation cache entry",  # JAX does not lock it, and another process just writes it
)
"""Warnings that are not compared."""
RAN_OUT = "Your input ran out of data"
"""What Keras warns of when a generator ends, as each does."""


class Interpreter:
    """The models of one program, and the calls on them. Each public method is a call."""

    def __init__(self, keras: Any, framework: str, policy: str) -> None:
        self.keras, self.policy = keras, policy
        self.own = own_classes(keras, framework)
        self.maker = Maker(keras, self.own)
        self.models: dict[str, Any] = {}
        self.folder = Path(tempfile.mkdtemp())

    def run(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what a call gave, and what is seen of its model afterwards."""
        arguments = {name: value for name, value in told.items() if name != "do"}
        seen: dict[str, Any] = {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                seen["gave"] = plain(getattr(self, told["do"])(**arguments), self.keras)
            except Exception as error:  # what a call raises is what is compared
                seen["raised"] = f"{type(error).__name__}: {error}"[:400]
            if told["do"] == "fit":
                texts = [str(entry.message)[:200] for entry in caught if issubclass(entry.category, UserWarning)]
                unseen = (*UNSEEN, RAN_OUT) if told["data"]["form"] == "generator" else UNSEEN
                texts = [text for text in texts if not any(part in text for part in unseen)]
                seen["warned"], seen["warnings"] = bool(texts), texts
        if told.get("on") in self.models and "raised" not in seen:
            seen["state"] = self.state(self.models[told["on"]])
        return seen

    def state(self, model: Any) -> dict[str, Any]:
        """Return what a user sees of a model between calls."""
        optimizer = getattr(model, "optimizer", None)
        return plain(
            {
                "weights": [self._array(weight) for weight in model.weights],
                "names": ["/".join(weight.path.split("/")[-2:]) for weight in model.weights],
                "trainable": len(model.trainable_weights),
                "steps": int(optimizer.iterations) if optimizer else None,
                "rate": float(optimizer.learning_rate) if optimizer else None,
            },
            self.keras,
        )

    def _array(self, value: Any) -> np.ndarray:
        return np.asarray(self.keras.ops.convert_to_numpy(value))

    def reset(self) -> None:
        """Forget all models; names, and the seeds of values that a program does not set, begin anew."""
        self.models.clear()
        self.keras.utils.clear_session()
        self.keras.utils.set_random_seed(0)
        self.keras.config.set_dtype_policy(self.policy)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def make(self, on: str, how: str, model: dict[str, Any]) -> None:
        """Make a model of its layers."""
        self.models[on] = getattr(self.maker, how)(model)

    def nest(self, on: str, within: str, model: dict[str, Any]) -> None:
        """Make a model that holds another one."""
        self.models[on] = self.maker.nested(model, self.models[within])

    def cut(self, on: str, within: str, place: int, head: str) -> None:
        """Make a model of the first layers of another one and a new head, as for transfer learning."""
        whole = self.models[within]
        layers = [layer for layer in whole.layers if not isinstance(layer, self.keras.layers.InputLayer)]
        x = layers[place % len(layers)].output
        x = x if len(x.shape) == 2 else self.keras.layers.Flatten()(x)
        inputs = whole.inputs if len(whole.inputs) > 1 else whole.inputs[0]  # Keras warns where data are no list of one
        self.models[on] = self.keras.Model(inputs, self.maker.head(None, head)(x))

    def clone(self, on: str, of: str, weights: bool) -> None:
        """Clone a model."""
        copied = self.keras.models.clone_model(self.models[of])
        if weights:
            copied.set_weights(self.models[of].get_weights())
        self.models[on] = copied

    def copied(self, on: str, of: str, how: str) -> None:
        """Copy a model, compiled or not, in Python's ways or by its config."""
        model = self.models[of]
        if how == "config":
            self.models[on] = type(model).from_config(model.get_config())
        else:
            self.models[on] = copy.deepcopy(model) if how == "deepcopy" else pickle.loads(pickle.dumps(model))

    def save(self, on: str, of: str, form: str) -> list[str]:
        """Save a model and load it, whole or its weights alone."""
        path = str(self.folder / f"{on}.{form}")
        model = self.models[of]
        if form == "weights.h5":
            model.save_weights(path)
            model.load_weights(path)
            self.models[on] = model
        else:
            model.save(path)
            self.models[on] = self.keras.models.load_model(path, safe_mode=False)
        return [layer.name for layer in self.models[on].layers]

    def compile(self, on: str, optimizer: Any, loss: Any, **arguments: Any) -> None:
        """Compile a model."""
        for key in ("metrics", "weighted_metrics"):
            if arguments.get(key) is not None:
                arguments[key] = self.maker.metric(arguments[key])
        self.models[on].compile(optimizer=self.maker.optimizer(optimizer), loss=self.maker.loss(loss), **arguments)

    def fit(self, on: str, data: Any, validation: Any = None, callbacks: Any = (), **arguments: Any) -> Any:
        """Train a model; returned are the history, and what callbacks noted and wrote."""
        for left in self.folder.glob("*.csv"):
            left.unlink()
        made = [self.maker.callback(entry, str(self.folder)) for entry in callbacks]
        if validation:
            held = Data(validation)
            arguments["validation_data"] = held.parts() if held.form == "arrays" else held.arguments(self.keras)["x"]
        history = error = None
        try:
            history = self.models[on].fit(
                **Data(data).arguments(self.keras), callbacks=made, verbose=0, shuffle=False, **_counted(arguments)
            )
        except RuntimeError as raised:
            if str(raised) != "on purpose":
                raise
            error = str(raised)
        return {
            "history": history,
            "error": error,
            "events": [getattr(entry, "events", None) for entry in made],
            "stopped": [getattr(entry, "stopped_epoch", None) for entry in made],
            "best": [getattr(entry, "best", None) for entry in made],
            "files": self._files(),
            "stop_training": bool(self.models[on].stop_training),
        }

    def _files(self) -> dict[str, Any]:
        """Return the files that callbacks wrote: their names, and the tables whole."""
        found: dict[str, Any] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix == ".csv":
                rows = list(csv.reader(path.open()))
                found[path.name] = rows[:1] + [
                    [float(cell) if cell != "NA" else cell for cell in row] for row in rows[1:]
                ]
            else:
                found[path.name] = None
        return found

    def evaluate(self, on: str, data: Any, callbacks: Any = (), **arguments: Any) -> Any:
        """Evaluate a model."""
        made = [self.maker.callback(entry, str(self.folder)) for entry in callbacks]
        seen = self.models[on].evaluate(**Data(data).arguments(self.keras), callbacks=made, verbose=0, **arguments)
        return [seen, [getattr(entry, "events", None) for entry in made]]

    def predict(self, on: str, data: Any, **arguments: Any) -> Any:
        """Predict with a model."""
        given = Data(data).arguments(self.keras)
        given = {name: value for name, value in given.items() if name in ("x", "batch_size")}
        return by_name(self.models[on].predict(**given, verbose=0, **arguments))

    def on_batch(self, on: str, data: Any, what: str, times: int = 1, **arguments: Any) -> Any:
        """Train, test or predict on one batch, some times."""
        parts = Data(data)
        given: dict[str, Any] = {"x": parts.x}
        if what != "predict":
            given |= {"y": parts.y, "sample_weight": parts.weights, **_counted(arguments)}
        seen = [getattr(self.models[on], f"{what}_on_batch")(**given) for _ in range(times)]
        return [by_name(entry) for entry in seen] if what == "predict" else seen

    def call(self, on: str, data: Any, training: bool) -> Any:
        """Call a model, and look at its losses."""
        model = self.models[on]
        return {
            "gave": by_name(model(Data(data).x, training=training)),
            "losses": [self._array(loss) for loss in model.losses],
        }

    def freeze(self, on: str, place: int, trainable: bool, weight: bool = False) -> None:
        """Freeze or thaw a layer, the whole model (a place below 0) or one weight."""
        model = self.models[on]
        if weight:
            model.weights[place % len(model.weights)].trainable = trainable
        elif place < 0:
            model.trainable = trainable
        else:
            model.layers[place % len(model.layers)].trainable = trainable

    def rate(self, on: str, value: float) -> None:
        """Set the learning rate by hand."""
        self.models[on].optimizer.learning_rate = value

    def count(self, on: str, optimizers: bool = True) -> Any:
        """Look at what a model tells of itself; its own name says how many graphs Keras has made within."""
        model = self.models[on]
        optimizer = getattr(model, "optimizer", None)
        return [
            model.count_params(),
            [layer.name for layer in model.layers],
            len(optimizer.variables) if optimizers and optimizer and int(optimizer.iterations) else None,
        ]

    def edit(self, on: str, pop: bool) -> Any:
        """Take the last layer of a Sequential away, or add one."""
        model = self.models[on]
        return model.pop() if pop else model.add(self.maker.layer({"class": "Dense", "config": {"units": 2}}))

    def adapt(self, on: str, how: str) -> None:
        """Quantize a model, or put LoRA into its dense layers."""
        model = self.models[on]
        if how == "lora":
            for layer in model.layers:
                if isinstance(layer, self.keras.layers.Dense):
                    layer.enable_lora(2, a_initializer=self.own.Waves(0.9), b_initializer="zeros")
        else:
            model.quantize(how)


def _counted(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with class weights by number: JSON has names alone."""
    weights = arguments.get("class_weight")
    return (
        arguments
        if not weights
        else {**arguments, "class_weight": {int(name): value for name, value in weights.items()}}
    )


def by_name(outputs: Any) -> Any:
    """Return outputs, a dict by the names: Keras's order depends on its framework, and ours is that of the model."""
    return dict(sorted(outputs.items())) if isinstance(outputs, dict) else outputs


def plain(value: Any, keras: Any) -> Any:
    """Return a value as JSON has it, with the types that a user sees."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return {"type": "number", "value": float(value)}
    if isinstance(value, dict):
        return {"type": "dict", "items": [[str(name), plain(entry, keras)] for name, entry in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"type": "list", "items": [plain(entry, keras) for entry in value]}
    if isinstance(value, keras.callbacks.History):
        return {"type": "History", "epoch": plain(value.epoch, keras), "history": plain(value.history, keras)}
    if isinstance(value, keras.layers.Layer):
        return {"type": type(value).__name__}
    kind = "array" if isinstance(value, np.ndarray) else "tensor"
    array = value if kind == "array" else np.asarray(keras.ops.convert_to_numpy(value))
    dtype, shape = str(array.dtype), list(array.shape)
    return {"type": kind, "dtype": dtype, "shape": shape, "values": array.astype("float64").ravel().tolist()}


def main() -> None:
    """Serve: read a call a line, write what is seen a line, until the input ends."""
    import json
    import sys

    library, framework, policy = sys.argv[1:]
    os.environ["KERAS_BACKEND" if library == "keras" else "POLYKERAS_BACKEND"] = framework
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    keras = __import__(library)
    interpreter = Interpreter(keras, framework, policy)
    for line in sys.stdin:
        print(json.dumps(interpreter.run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()

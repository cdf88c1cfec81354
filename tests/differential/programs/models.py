"""The models of random programs, made of plain data with either library. No weight is drawn at random."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from differential.programs.data import HEADS, SHAPES

KERNELS = ("kernel_initializer", "recurrent_initializer", "embeddings_initializer")
INITIALIZED = {
    "Dense": KERNELS[:1],
    "Conv1D": KERNELS[:1],
    "Conv2D": KERNELS[:1],
    "SimpleRNN": KERNELS[:2],
    "LSTM": KERNELS[:2],
    "GRU": KERNELS[:2],
    "Embedding": KERNELS[2:],
}


class Maker:
    """Makes layers and models with one library."""

    def __init__(self, keras: Any, own: SimpleNamespace) -> None:
        self.keras, self.own = keras, own

    def layer(self, told: dict[str, Any]) -> Any:
        """Return a layer, of its class and its arguments."""
        name, config = told["class"], dict(told.get("config", {}))
        for key in INITIALIZED.get(name, ()):
            config[key] = self.own.Waves(0.3 + len(key) * 0.1)
        around = config.pop("layer", None)
        cls = getattr(self.own, name, None) or getattr(self.keras.layers, name)
        return cls(self.layer(around), **config) if around else cls(**config)

    def head(self, name: str | None, kind: str) -> Any:
        """Return the last layer for a kind of labels."""
        units, activation = HEADS[kind]
        dense = {"class": "Dense", "config": {"units": units, "activation": activation}}
        if name:
            dense["config"]["name"] = name
        return self.layer(dense)

    def sequential(self, told: dict[str, Any]) -> Any:
        """Return a Sequential, with or without an Input, made at once or by `add`."""
        layers = [self.layer(layer) for layer in told["trunk"]] + [self.head(None, told["heads"][0])]
        if told["with_input"]:
            layers.insert(0, self.keras.Input(SHAPES[told["inputs"][0]], dtype=_dtype(told["inputs"][0])))
        if told["by_add"]:
            model = self.keras.Sequential()
            for layer in layers:
                model.add(layer)
            return model
        return self.keras.Sequential(layers)

    def functional(self, told: dict[str, Any]) -> Any:
        """Return a functional model: inputs, each through the trunk of its own, joined, and a head for each output."""
        names = told["input_names"]
        inputs = [
            self.keras.Input(SHAPES[kind], dtype=_dtype(kind), name=name)
            for kind, name in zip(told["inputs"], names, strict=True)
        ]
        features = []
        for x, trunk in zip(inputs, told["trunks"], strict=True):
            for layer in trunk:
                x = self.layer(layer)(x)
            features.append(x)
        x = features[0] if len(features) == 1 else self.keras.layers.Concatenate()(features)
        if told["shared"]:
            shared = self.layer({"class": "Dense", "config": {"units": int(x.shape[-1]), "activation": "tanh"}})
            x = shared(shared(x))
        outputs = [self.head(name, kind)(x) for name, kind in zip(told["output_names"], told["heads"], strict=True)]
        return self.keras.Model(
            dict(zip(names, inputs, strict=True))
            if told["x_form"] == "dict"
            else inputs
            if len(inputs) > 1
            else inputs[0],
            dict(zip(told["output_names"], outputs, strict=True))
            if told["outputs_form"] == "dict"
            else outputs
            if len(outputs) > 1 or told["outputs_form"] == "list"
            else outputs[0],
        )

    def subclassed(self, told: dict[str, Any]) -> Any:
        """Return a model of a user's class."""
        return getattr(self.own, told["class"])(**told.get("config", {}))

    def nested(self, told: dict[str, Any], inner: Any) -> Any:
        """Return a model that holds another one."""
        layers = [inner, self.head(None, told["heads"][0])]
        if told["kind"] == "sequential":
            return self.keras.Sequential(
                [self.keras.Input(SHAPES[told["inputs"][0]], dtype=_dtype(told["inputs"][0])), *layers]
            )
        start = x = self.keras.Input(SHAPES[told["inputs"][0]], dtype=_dtype(told["inputs"][0]))
        for layer in layers:
            x = layer(x)
        return self.keras.Model(start, x)

    def loss(self, told: Any) -> Any:
        """Return a loss: a name, None, a function, an object, or a list or dict of them."""
        if isinstance(told, list):
            return [self.loss(entry) for entry in told]
        if not isinstance(told, dict):
            return told
        if "each" in told:
            return {name: self.loss(entry) for name, entry in told["each"].items()}
        if "own" in told:
            entry = getattr(self.own, told["own"])
            return entry(**told.get("config", {})) if isinstance(entry, type) else entry
        for room in (self.keras.losses, self.keras.metrics):
            if hasattr(room, told["class"]):
                return getattr(room, told["class"])(**told.get("config", {}))
        raise LookupError(told["class"])

    metric = loss

    def optimizer(self, told: Any) -> Any:
        """Return an optimizer, of its class and its arguments; its rate may follow a schedule."""
        if isinstance(told, str):
            return told
        config = dict(told["config"])
        if isinstance(config.get("learning_rate"), dict):
            rate = config["learning_rate"]
            config["learning_rate"] = getattr(self.keras.optimizers.schedules, rate["class"])(**rate["config"])
        return getattr(self.keras.optimizers, told["class"])(**config)

    def callback(self, told: dict[str, Any], folder: str) -> Any:
        """Return a callback; files go into a folder."""
        name, config = told["class"], dict(told.get("config", {}))
        if name == "LearningRateScheduler":
            return self.keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 ** (epoch % 2))
        for key in ("filename", "filepath", "backup_dir"):
            if key in config:
                config[key] = f"{folder}/{config[key]}"
        return (getattr(self.own, name, None) or getattr(self.keras.callbacks, name))(**config)


def _dtype(kind: str) -> str:
    return "int32" if kind == "tokens" else "float32"

"""What differs from Keras on purpose over several calls: a program for each, and the frameworks on which Keras differs.

`known_differences` says why. The machine does not write what differs on the framework of its Keras (`Programs.differs`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from differential.programs.vocabulary import DECAYING, layer

JAX, TENSORFLOW, TORCH = "jax", "tensorflow", "torch"
EVERYWHERE = (JAX, TENSORFLOW, TORCH)


class Shown(NamedTuple):
    """A program that shows a difference.

    Attributes:
        frameworks: those of Keras on which it shows; on the others, the program gives the same.
        calls: the program.
        differs: a part of what `opponents.difference` says.
    """

    frameworks: tuple[str, ...]
    calls: list[dict[str, Any]]
    differs: str


DENSE = layer("Dense", units=3)
EMBEDDING = layer("Embedding", input_dim=7, output_dim=3)
ADAM = layer("Adam", learning_rate=0.01, epsilon=1e-3)
TWO = ("real", "yes")


def _data(kind: str = "vector", heads: tuple[str, ...] = ("real",), form: str = "arrays", rows: int = 8) -> Any:
    given = {"seed": 1, "rows": rows, "batch": 4, "form": form, "inputs": [kind], "input_names": [f"x0_{kind}"]}
    y_form = "single" if len(heads) == 1 else "list"
    return {**given, "x_form": "single", "heads": heads, "output_names": ["b", "a"][: len(heads)], "y_form": y_form}


def _model(*trunk: Any, kind: str = "vector", heads: tuple[str, ...] = ("real",)) -> dict[str, Any]:
    model = {"inputs": [kind], "input_names": [f"x0_{kind}"], "trunks": [list(trunk)], "shared": False, "heads": heads}
    model |= {"output_names": ["b", "a"][: len(heads)], "x_form": "single"}
    model["outputs_form"] = "single" if len(heads) == 1 else "list"
    return {"do": "make", "how": "functional", "on": "m", "model": model}


def _compile(optimizer: Any = "sgd", loss: Any = "mse", **more: Any) -> dict[str, Any]:
    return {"do": "compile", "on": "m", "optimizer": optimizer, "loss": loss, **more}


def _do(what: str, data: Any = None, on: str = "m", **more: Any) -> dict[str, Any]:
    return {"do": what, "on": on, "data": data or _data(), **more}


def _fit(data: Any = None, on: str = "m", epochs: int = 1, **more: Any) -> dict[str, Any]:
    return _do("fit", data, on, epochs=epochs, **more)


def _evaluate(data: Any = None, **more: Any) -> dict[str, Any]:
    return _do("evaluate", data, return_dict=True, callbacks=[layer("Recorder", batches=True)], **more)


def _on_batch(what: str) -> dict[str, Any]:
    return {**_do("on_batch", return_dict=True, times=1), "what": what}


def _save(form: str = "keras") -> dict[str, Any]:
    return {"do": "save", "on": "n", "of": "m", "form": form}


def _copied(how: str) -> dict[str, Any]:
    return {"do": "copied", "on": "n", "of": "m", "how": how}


def _freeze(place: int, weight: bool = False) -> dict[str, Any]:
    return {"do": "freeze", "on": "m", "place": place, "trainable": False, "weight": weight}


def _adapt(how: str) -> dict[str, Any]:
    return {"do": "adapt", "on": "m", "how": how}


MASKS = layer("Embedding", input_dim=7, output_dim=3, mask_zero=True)
MEAN = layer("MeanSquaredError")
UNBUILT = {"trunk": [DENSE], "heads": ["real"], "inputs": ["vector"], "with_input": False, "by_add": True}
PLAIN = {"do": "make", "how": "subclassed", "on": "m", "model": {"class": "Plain"}}
AVERAGED = layer("SGD", learning_rate=0.1, use_ema=True)

SHOWN: dict[str, Shown] = {
    "metrics of an earlier compile": Shown(
        EVERYWHERE, [_model(), _compile(metrics=["mae"]), _compile(), _evaluate()], "2 entries"
    ),
    "a loss beyond 16": Shown(
        (JAX, TORCH),
        [
            _model(layer("Rescaling", scale=99.0), heads=("class",)),
            _compile(loss="sparse_categorical_crossentropy"),
            _do("evaluate", _data(heads=("class",)), return_dict=True),
        ],
        "gave",
    ),
    "frozen after training": Shown(
        (JAX, TENSORFLOW), [_model(DENSE), _compile(ADAM), _fit(), _freeze(1), _fit()], "1:1 |history"
    ),
    "labels that do not sum to 1": Shown(
        (TENSORFLOW,), [_model(), _compile(loss=layer("CategoricalCrossentropy", from_logits=True)), _fit()], "values"
    ),
    "a backup of a model that its data build": Shown(
        (TENSORFLOW,),
        [PLAIN, _compile(), _fit(callbacks=[layer("BackupAndRestore", backup_dir="backup")])],
        "you model must be built",
    ),
    "files of a backup": Shown(
        EVERYWHERE,
        [
            _model(),
            _compile(),
            _fit(
                epochs=2,
                callbacks=[layer("BackupAndRestore", backup_dir="backup"), layer("Interrupts", epoch=1, how="raise")],
            ),
        ],
        "latest.weights.h5",
    ),
    "a trainable weight that a call assigns": Shown(
        (JAX,), [_model(layer("Scale")), _compile(), {**_freeze(1, True), "trainable": True}, _fit()], "0 / 2"
    ),
    "LoRA after a prediction": Shown(
        (TENSORFLOW,),
        [_model(DENSE), _compile(), _do("predict"), _adapt("lora"), _fit(), _do("predict")],
        "gave",
    ),
    "thawing a trainable layer": Shown(
        (TENSORFLOW,),
        [_model(DENSE), _adapt("lora"), {**_freeze(1), "trainable": True}],
        "6 / 7",
    ),
    "LoRA after training": Shown(
        (TENSORFLOW,), [_model(DENSE), _compile(), _fit(), _adapt("lora"), _fit()], "raised: None / "
    ),
    "int8 after training": Shown(
        EVERYWHERE, [_model(DENSE), _compile(AVERAGED), _fit(), _adapt("int8"), _fit()], "raised"
    ),
    "a fresh layer of int8": Shown(
        EVERYWHERE,
        [_model(DENSE), _adapt("int8"), {"do": "clone", "on": "n", "of": "m", "weights": False}],
        "values",
    ),
    "int8 in TimeDistributed": Shown(
        EVERYWHERE,
        [
            _model(layer("TimeDistributed", layer=DENSE), layer("Flatten"), kind="sequence"),
            _adapt("int8"),
            _do("call", _data("sequence"), training=False),
        ],
        "gave",
    ),
    "an integer weight that is to train": Shown(
        (TORCH,), [_model(DENSE), _adapt("int8"), {**_freeze(1, True), "trainable": True}], "require gradients"
    ),
    "a step that fails": Shown(
        (TORCH,),
        [
            _model(layer("Scale")),
            _compile(),
            _fit(),
            {**_freeze(1, True), "trainable": True},
            _on_batch("train"),
            _do("call", training=False),
        ],
        "values",
    ),
    "a fit that fails": Shown(
        (JAX,),
        [
            _model(DENSE),
            _compile(loss="kl_divergence"),
            _fit(),
            _fit(_data(heads=("class",))),
            _do("predict", steps=None),
        ],
        "NoneType",
    ),
    "averages of frozen layers": Shown(
        EVERYWHERE, [_model(DENSE), _compile(AVERAGED), _fit(), _freeze(1), _fit()], "raised|history"
    ),
    "averages and another training": Shown((JAX,), [_model(DENSE), _compile(AVERAGED), _fit(), _fit()], "/ None"),
    "averages and copies": Shown(
        (JAX,), [_model(DENSE), _compile(AVERAGED), _fit(), _on_batch("predict"), _copied("pickle")], "/ None"
    ),
    "averages after an error": Shown(
        (JAX,),
        [_model(DENSE), _compile(AVERAGED), _fit(epochs=2, callbacks=[layer("Interrupts", epoch=1, how="raise")])],
        "values",
    ),
    "copies after weights were frozen or added": Shown(
        EVERYWHERE, [_model(DENSE), _compile(ADAM), _fit(), _freeze(1), _copied("pickle")], "0 / 2"
    ),
    "an empty Sequential": Shown(
        EVERYWHERE,
        [
            {**_model(), "how": "sequential", "model": {**UNBUILT, "trunk": []}},
            {"do": "edit", "on": "m", "pop": True},
        ],
        "IndexError",
    ),
    "a layer after a model that has changed": Shown(
        EVERYWHERE,
        [
            {**_model(), "how": "sequential", "model": {**UNBUILT, "heads": ["class"], "with_input": True}},
            {
                "do": "nest",
                "on": "n",
                "within": "m",
                "model": {"kind": "sequential", "inputs": ["vector"], "heads": ["class"]},
            },
            {"do": "edit", "on": "m", "pop": False},
            {"do": "edit", "on": "n", "pop": False},
        ],
        "is incompatible",
    ),
    "names of inputs in clones": Shown(
        EVERYWHERE,
        [
            _model(DENSE),
            {
                "do": "nest",
                "on": "n",
                "within": "m",
                "model": {"kind": "functional", "inputs": ["vector"], "heads": ["real"]},
            },
            {"do": "clone", "on": "c", "of": "n", "weights": True},
            {"do": "count", "on": "c"},
        ],
        "'keras_tensor",
    ),
    "LoRA in files": Shown(EVERYWHERE, [_model(DENSE), _adapt("lora"), _save()], "values"),
    "a frozen weight in copies": Shown(EVERYWHERE, [_model(), _freeze(0, True), _copied("pickle")], "2 / 1"),
    "a frozen weight in .h5": Shown(EVERYWHERE, [_model(DENSE), _freeze(0, True), _save("h5")], "Shape mismatch"),
    "a model without weights in .h5": Shown(
        EVERYWHERE,
        [{**_model(DENSE), "how": "sequential", "model": UNBUILT}, _save("h5")],
        "is not built",
    ),
    "a frozen weight of a thawed layer": Shown(
        (TENSORFLOW,), [_model(DENSE), _freeze(0, True), {**_freeze(1), "trainable": True}], "3 / 4"
    ),
    "names of copied objects": Shown(EVERYWHERE, [PLAIN, _do("call", training=False), _copied("pickle")], "dense_2"),
    "masks in .h5": Shown(
        EVERYWHERE, [_model(MASKS, layer("LSTM", units=3), kind="tokens"), _save("h5")], "'NotEqual'"
    ),
    "a loss by name in .h5": Shown(EVERYWHERE, [_model(), _compile(), _save("h5")], "'keras.metrics.mse'"),
    "an optimizer in .h5": Shown(
        EVERYWHERE, [_model(), _compile(loss=MEAN), _save("h5"), _fit(on="n")], "Unknown variable|1:1"
    ),
    "a user's class in .h5": Shown(EVERYWHERE, [PLAIN, _do("call", training=False), _save("h5")], "'Plain'"),
    "metrics of layers": Shown(
        (JAX,), [_model(layer("Measured")), _compile(), _do("predict"), _fit()], "Measured.call()"
    ),
    "several steps in a call": Shown((TORCH,), [_model(), _compile(steps_per_execution=2), _fit()], "must be 1"),
    "several steps and callbacks": Shown(
        EVERYWHERE, [_model(), _compile(steps_per_execution=2), _evaluate(_data(rows=10))], "3 / 2|must be 1"
    ),
    "several steps and steps_per_epoch": Shown(
        EVERYWHERE, [_model(), _compile(steps_per_execution=2), _fit(steps_per_epoch=1, epochs=2)], "history|must be 1"
    ),
    "batches of a generator": Shown((TENSORFLOW,), [_model(), _compile(), _fit(_data(form="generator"))], "3 / 2"),
    "weights of classes in streams": Shown(
        EVERYWHERE,
        [
            _model(heads=("yes",)),
            _compile(),
            _fit(_data(heads=("yes",), form="loader"), class_weight={"0": 0.5, "1": 2.0}),
        ],
        "`class_weight` is not supported",
    ),
    "a generator and callbacks": Shown(
        (JAX, TENSORFLOW), [_model(), _compile(), _evaluate(_data(form="generator"))], "entries"
    ),
    "rows of an Embedding": Shown(
        (TENSORFLOW,),
        [_model(EMBEDDING, layer("Flatten"), kind="tokens"), _compile(ADAM), _fit(_data("tokens"), epochs=2)],
        "weights|values",
    ),
    "small batches of several outputs": Shown(
        (TENSORFLOW,),
        [_model(heads=TWO), _compile(loss=["mse", "mse"]), _fit(_data(heads=TWO, rows=10))],
        "history",
    ),
    "averages without an epoch": Shown(
        (TENSORFLOW,), [_model(), _compile(AVERAGED), _fit(epochs=1, initial_epoch=1)], "AttributeError"
    ),
    "a number that a step has read": Shown(
        (JAX, TENSORFLOW),
        [
            {**PLAIN, "model": {"class": "OwnLossTerm"}},
            _compile(),
            _fit(epochs=2, callbacks=[layer("Anneals")]),
        ],
        "history",
    ),
    "decay without a gradient": Shown(
        (TENSORFLOW, TORCH),
        [_model(heads=TWO), _compile(DECAYING, loss=["mse", None]), _fit(_data(heads=TWO))],
        "values",
    ),
}

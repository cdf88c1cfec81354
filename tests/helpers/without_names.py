"""The core of the contract on a backend whose framework lacks one of the private names, each in turn.

Run as a program in a fresh process, as `without_names.py torch`: the framework is imported once, and a child process is
forked for each name before the backend is loaded. There the name is not found, and all of the core must give the
numbers that it gives with all names.

Names that have nothing to do with each other may share a child, in which none of them is found.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Collection
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).parents[1]
EXACT = {"rtol": 2e-5, "atol": 2e-6}
TRAINED = {"rtol": 2e-4, "atol": 2e-4}  # Adam's steps are as long for gradients of rounding errors as for others


def outcome(backend: str, together: Collection[str] = ()) -> dict[str, Any]:
    """Run the core on a backend, without each private name of its framework in turn.

    Args:
        backend: its name.
        together: names that are taken away in one child, as none makes up for another one.

    Returns:
        For each name, and for "" where all are there: `values`, by part of the core; `warnings`, the texts; `asked`,
        the names that the backend asked for; and `private`, what its module of private names has without this one.
    """
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    level = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    variables = os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": level}
    command = [sys.executable, __file__, backend, *together]
    result = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=600)
    assert result.returncode == 0, f"The process failed:\n{result.stderr[-3000:]}"
    return json.loads(result.stdout.splitlines()[-1])


def check(results: dict[str, Any]) -> None:
    """Check that each name was taken away, and that all numbers stay.

    Raises:
        AssertionError: with the names, and what differs.
    """
    whole = results[""]
    assert whole["warnings"] == []
    assert set(whole["asked"]) == set(results) - {""}
    wrong: dict[Any, Any] = {}
    for name, result in results.items():
        if "error" in result:
            wrong[name] = result["error"]
            continue
        if name and result["private"] == whole["private"]:
            wrong[name] = "nothing stands in its place"
        for part, values in result["values"].items():
            tolerance = TRAINED if part in TRAINING else EXACT
            if not np.allclose(values, whole["values"][part], **tolerance):
                wrong[name, part] = np.abs(np.subtract(values, whole["values"][part])).max()
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())


TRAINING = ("fit", "predict", "evaluate", "auc", "fit of two inputs", "weights")

# ---- within the process ------------------------------------------------------------------------------------------


def core() -> dict[str, list[float]]:
    """Return numbers of each part of the contract's core, on the current backend."""
    import polykeras as keras
    from polykeras import layers, ops

    draw = np.random.default_rng(0).normal
    found: dict[str, Any] = {}

    x, kernel = draw(size=(2, 7, 7, 3)).astype("float32"), draw(size=(3, 3, 3, 4)).astype("float32")
    found["softmax"] = ops.softmax(x)
    found["sort"] = ops.sort(ops.sum(x, axis=(1, 2)))
    found["conv"] = ops.conv(x, kernel, strides=1, padding="same")
    found["take"] = ops.take(x, np.array([1, 0, 1]), axis=0)
    found["cond"] = ops.cond(ops.sum(x) > 0, lambda: ops.exp(x), lambda: -ops.convert_to_tensor(x))
    found["scan"] = ops.scan(lambda carry, row: (carry + row, carry * row), x[0, 0], x[0])[1]

    weight = keras.Variable(kernel)
    slope = keras.value_and_grad(lambda: ops.mean(ops.conv(x, weight) ** 2), [weight])
    value, gradients = keras.function(slope)()
    found["gradient"] = [value, *gradients]

    # A perceptron on the kernels of an optimizer, of normalization and of a loss.
    inputs, target = draw(size=(40, 6)).astype("float32"), (draw(size=(40, 1)) > 0).astype("float32")
    keras.utils.set_random_seed(1)
    deep = [layers.Dense(16, activation="relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((6,)), *deep, layers.BatchNormalization(), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(inputs, target, epochs=2, batch_size=8, verbose=0).history
    found["fit"] = list(history.values())
    found["predict"] = model.predict(
        inputs, batch_size=20, verbose=0
    )  # a last batch of another size is one program more
    found["evaluate"] = model.evaluate(inputs, target, batch_size=20, verbose=0)

    found["auc"] = keras.metrics.AUC()(target, found["predict"])

    words, labels = np.random.default_rng(1).integers(0, 20, (24, 5)), np.arange(24) % 3
    images = draw(size=(24, 8, 8, 2)).astype("float32")
    keras.utils.set_random_seed(2)
    text, picture = keras.Input((5,), dtype="int32"), keras.Input((8, 8, 2))
    seen = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(picture))
    read = layers.LSTM(8)(layers.Embedding(20, 32)(text))
    joined = layers.Concatenate()([layers.Flatten()(seen), read])
    both = keras.Model([text, picture], layers.Dense(3, "softmax")(joined))
    both.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    found["fit of two inputs"] = both.fit([words, images], labels, epochs=2, batch_size=8, verbose=0).history["loss"]
    found["weights"] = both.get_weights()

    return {part: _flat(values) for part, values in found.items()}


def _flat(values: Any) -> list[float]:
    from polykeras import ops
    from polykeras.common import nested

    arrays = [np.asarray(ops.convert_to_numpy(leaf), "float64") for leaf in nested.flatten(values)]
    return [float(number) for array in arrays for number in array.ravel()]


def _take_away(names: Collection[str]) -> list[str]:
    """Have names not found from here on; return a list to which goes what is asked for."""
    from polykeras.backend import private_names

    asked: list[str] = []
    found = private_names.find

    def find(name: str, otherwise: Any = None) -> Any:
        asked.append(name)
        return otherwise if name in names else found(name, otherwise)

    private_names.find = find  # before the backend's module takes it from there
    return asked


def _run(backend: str, away: Collection[str]) -> dict[str, Any]:
    """Return what the core gives in this process, in which some names are not found."""
    import polykeras

    asked = _take_away(away)
    with warnings.catch_warnings(record=True) as caught, polykeras.use_backend(backend):
        warnings.simplefilter("always")
        values = core()
    return {"values": values, "warnings": [str(warning.message) for warning in caught], "asked": asked}


def _private(backend: str, away: Collection[str]) -> dict[str, Any]:
    """Return what is in the module of private names where some are not found, without addresses in memory."""
    _take_away(away)
    spec = find_spec(f"polykeras_{backend}.private")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    there = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    return {"private": {name: re.sub(" at 0x[0-9a-f]+", "", repr(value)) for name, value in there.items()}}


def _child(work: Callable[..., Any], backend: str, away: Collection[str], answers: Any) -> None:
    try:
        answers.send(work(backend, away))
    except BaseException as error:
        answers.send({"error": f"{type(error).__name__}: {error}"})
        raise


def _in_child(work: Callable[..., Any], backend: str, away: Collection[str] = ()) -> dict[str, Any]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, backend, away, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        return {"error": "the process ended"}
    finally:
        process.join()


def _main(backend: str, together: list[str]) -> None:
    import polykeras

    if backend == "tensorflow":
        sys.modules["keras"] = None  # type: ignore[assignment]  (which takes longer than all else)
    import_module(backend)
    with polykeras.use_backend("numpy"):
        core()  # which imports, once for all children, what is loaded when it is first named
    gc.collect()
    gc.freeze()  # children look for garbage in what is theirs, and copy no memory for it
    results = {"": _in_child(_run, backend) | _in_child(_private, backend)}
    names = dict.fromkeys(results[""].get("asked", ()))
    for group in [together, *([name] for name in names if name not in together)]:
        run = _in_child(_run, backend, group)
        results |= {name: run | _in_child(_private, backend, [name]) for name in group}
    print(json.dumps(results))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])

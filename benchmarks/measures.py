"""What the sections measure: training steps, first epochs, predictions, calls in a loop, and the check of losses."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from benchmarks.tasks import TASKS, Task

EPOCHS = 5
CALLS = 1000
CALLS_SECONDS = 20.0
CHECKED_STEPS = 8
CHECKED_EPOCHS = 2


def seconds_of(function: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def library(who: str) -> Any:
    """Return Keras or polykeras with its framework loaded: that is no part of an epoch."""
    k = importlib.import_module(who)
    k.ops.ones((1,))
    k.utils.set_random_seed(0)
    return k


def model_of(who: str, task: Task, dropout: bool = True) -> Any:
    """Return a task's compiled model with the weights from which everybody begins."""
    model = task.build(library(who), dropout)
    model.set_weights(task.initial_weights())
    return model


def _native(framework: str) -> Any:
    return importlib.import_module(f"benchmarks.native.loops_{framework}")


def _orders(task: Task) -> Callable[[], np.ndarray]:
    rng = np.random.default_rng(0)
    return lambda: rng.permutation(task.batch * task.steps).astype("int32").reshape(task.steps, task.batch)


def _fastest(ways: dict[str, Callable[[], Callable[[], Any]]]) -> tuple[str, Callable[[], Any]]:
    """Return the name of the fastest way and the function that it makes, begun anew."""
    seconds = {}
    for way, make in ways.items():
        function = make()
        function()
        seconds[way] = min(seconds_of(function) for _ in range(2))
    best = min(seconds, key=lambda way: seconds[way])
    return best, ways[best]()


def _fit(model: Any, x: Any, y: Any, batch: int, shuffle: bool = True) -> float:
    return model.fit(x, y, batch_size=batch, epochs=1, verbose=0, shuffle=shuffle).history["loss"][0]


def native_epochs(framework: str, name: str, x: Any, y: Any) -> dict[str, Callable[[], Callable[[], float]]]:
    """Return the ways by hand to train: each begins anew and gives a function of an epoch in a new order."""
    task = TASKS[name]
    trainers = _native(framework).trainers(name, task.initial_weights(), x, y, 0.2)

    def shuffled(make: Callable[[], Callable[[np.ndarray], float]]) -> Callable[[], float]:
        epoch, order = make(), _orders(task)
        return lambda: epoch(order())

    return {way: lambda make=make: shuffled(make) for way, make in trainers.items()}


def _epochs_of_fit(k: Any, model: Any, x: Any, y: Any, batch: int, epochs: int) -> tuple[list[float], list[float]]:
    """Return the seconds of the epochs of one `fit`, what comes before the first one included, and the losses."""
    marks = [time.perf_counter()]
    callback = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))
    history = model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0, callbacks=[callback])
    return [end - begin for begin, end in pairwise(marks)], history.history["loss"]


def first(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return the seconds of the first epoch, tracing and compiling included."""
    task = TASKS[name]
    x, y = task.data()
    seconds, losses = _epochs_of_fit(library(who), model_of(who, task), x, y, task.batch, epochs=1)
    return {"first": seconds[0], "losses": losses}


def _predictor(framework: str, name: str, x: Any) -> tuple[str, Callable[[], Any]]:
    return _fastest(_native(framework).predictors(name, TASKS[name].initial_weights(), x))


def _milliseconds_a_batch(call: Callable[[], Any], task: Task) -> float:
    call()
    return 1000 * median(seconds_of(call) for _ in range(EPOCHS)) / task.steps


def predict(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return milliseconds a batch of `predict` over the rows of an epoch."""
    task = TASKS[name]
    x, _ = task.data()
    if who == "native":
        way, call = _predictor(framework, name, x)
        return {"predict": _milliseconds_a_batch(call, task), "ways": {"predict": way}}
    model = model_of(who, task)
    call = partial(model.predict, x, batch_size=task.batch, verbose=0)
    return {"predict": _milliseconds_a_batch(call, task)}


def train(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return milliseconds a step, the median of the epochs after the first, and what can be measured in passing.

    That is the first epoch's seconds, the losses, and milliseconds a batch of `predict` after training.
    """
    task = TASKS[name]
    x, y = task.data()
    ways = {}
    if who == "native":
        losses: list[float] = []
        ways["train"], epoch = _fastest(native_epochs(framework, name, x, y))
        seconds = [seconds_of(lambda: losses.append(epoch())) for _ in range(EPOCHS)]
        ways["predict"], call = _predictor(framework, name, x)
    else:
        model = model_of(who, task)
        seconds, losses = _epochs_of_fit(library(who), model, x, y, task.batch, EPOCHS)
        call = partial(model.predict, x, batch_size=task.batch, verbose=0)
    result: dict[str, Any] = {"first": seconds[0], "losses": losses, "ways": ways}
    result["train"] = 1000 * median(seconds[1:]) / task.steps
    return result | {"predict": _milliseconds_a_batch(call, task)}


def _loop(function: Callable[[], Any]) -> float:
    """Return the milliseconds a call takes in a loop of `CALLS` calls, or of as many as fit into `CALLS_SECONDS`."""
    for _ in range(3):
        function()
    begin = time.perf_counter()
    result: Any = None
    done = 0
    while done < CALLS and time.perf_counter() - begin < CALLS_SECONDS:
        result = function()
        done += 1
    _on_host(result)  # what is under way belongs to the time
    return 1000 * (time.perf_counter() - begin) / done


def _on_host(result: Any) -> np.ndarray:
    result = result[0] if isinstance(result, list | tuple) else result
    return np.asarray(result.detach() if hasattr(result, "detach") else result)


def _rows(data: Any, stop: int) -> Any:
    return {key: part[:stop] for key, part in data.items()} if isinstance(data, dict) else data[:stop]


def calls(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return milliseconds a call of `predict(x[:1])`, `model(x[:1])` and `train_on_batch`, each in a Python loop."""
    task = TASKS[name]
    x, y = task.data(steps=1)
    model = model_of(who, task)
    k = importlib.import_module(who)
    row = _rows(x, 1)
    tensor = k.tree.map_structure(k.ops.convert_to_tensor, row)
    return {
        "predict(x[:1])": _loop(lambda: model.predict(row, verbose=0)),
        "model(x)": _loop(lambda: model(tensor)),
        "train_on_batch": _loop(lambda: model.train_on_batch(x, y)),
    }


def _checked(who: str, framework: str, name: str) -> dict[str, list[float]]:
    task = TASKS[name]
    x, y = task.data(steps=CHECKED_STEPS)
    if who != "native":
        model = model_of(who, task, dropout=False)
        predicted = model.predict(x, batch_size=task.batch, verbose=0)
        losses = [_fit(model, x, y, task.batch, shuffle=False) for _ in range(CHECKED_EPOCHS)]
        return {who: [*losses, float(np.mean(np.square(predicted)))]}
    weights, order = task.initial_weights(), np.arange(len(y), dtype="int32").reshape(-1, task.batch)
    result = {}
    for way, make in _native(framework).trainers(name, weights, x, y, 0.0).items():
        epoch = make()
        result[way] = [epoch(order) for _ in range(CHECKED_EPOCHS)]
    for way, make in _native(framework).predictors(name, weights, x).items():
        result[f"predict: {way}"] = [float(np.mean(np.square(make()())))]
    return result


def check(who: str, framework: str, names: str) -> dict[str, dict[str, list[float]]]:
    """Return, for each task and each way, the losses of the first epochs without dropout in the order of the rows.

    The mean square of the predictions of the untrained model follows, or comes alone for native ways to predict.
    """
    return {name: _checked(who, framework, name) for name in names.split(",")}

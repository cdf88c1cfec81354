"""The sections train, predict, first, others and calls: steps, first epochs, predictions, calls in a loop."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from benchmarks.tasks import OTHERS, TASKS, Task
from benchmarks.timing import median_seconds, seconds_a_call, seconds_of

EPOCHS = 5
SECONDS = 1.0  # of epochs after the first, at least: 4 of a small model are over in a neighbour's moment
CALLS = 1000
Ways = Mapping[str, list[str]]  # by measure: the ways by hand that are asked for; a measure without any: all
Made = TypeVar("Made")


def library(who: str) -> Any:
    """Return Keras or polykeras with its framework loaded: that is no part of an epoch."""
    k = importlib.import_module(who)
    k.ops.ones((1,))
    k.utils.set_random_seed(0)
    return k


def model_of(who: str, task: Task, dropout: bool = True, weights: list[np.ndarray] | None = None) -> Any:
    """Return a task's compiled model with the weights from which everybody begins.

    Args:
        who: "keras" or "polykeras".
        task: the model and the way it is trained.
        dropout: whether it drops.
        weights: those of the task, where making them here would count as work of `who`: that imports polykeras.
    """
    model = task.build(library(who), dropout)
    model.set_weights(task.initial_weights() if weights is None else weights)
    return model


def loops_by_hand(framework: str) -> Any:
    """Return the module of the loops by hand on a framework."""
    return importlib.import_module(f"benchmarks.native.loops_{framework}")


def asked_ways(measure: str, makers: Mapping[str, Made], ways: Ways | None) -> dict[str, Made]:
    """Return those of the ways by hand that are asked for, in their own order; all where nobody asked.

    The order matters: ways that change the process (how it keeps freed memory) come last.
    """
    wanted = (ways or {}).get(measure, list(makers))
    if unknown := set(wanted) - set(makers):
        raise ValueError(
            f"Expected ways of {measure} among {', '.join(makers)}; received {', '.join(sorted(unknown))}."
        )
    return {way: make for way, make in makers.items() if way in wanted}


def native_epochs(
    framework: str, name: str, task: Task, x: Any, y: Any
) -> dict[str, Callable[[], Callable[[], float]]]:
    """Return the ways by hand to train: each begins anew and gives a function of an epoch in a new order.

    The loop is that of the task `name`, in which the loss, the optimizer and the kind of layers stand. The weights and
    the batches are those of `task`: it may have other sizes.
    """
    trainers = loops_by_hand(framework).trainers(name, task.initial_weights(), x, y, 0.2)

    def shuffled(make: Callable[[], Callable[[np.ndarray], float]]) -> Callable[[], float]:
        epoch, rng = make(), np.random.default_rng(0)
        rows = task.batch * task.steps
        return lambda: epoch(rng.permutation(rows).astype("int32").reshape(task.steps, task.batch))

    return {way: partial(shuffled, make) for way, make in trainers.items()}


def epochs_of_fit(k: Any, model: Any, epochs: int, **arguments: Any) -> tuple[list[float], list[float]]:
    """Return the seconds of the epochs of one `fit`, what comes before the first one included, and the losses."""
    marks = [perf_counter()]
    callback = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(perf_counter()))
    history = model.fit(**arguments, epochs=epochs, verbose=0, callbacks=[callback])
    return [end - begin for begin, end in pairwise(marks)], history.history["loss"]


def milliseconds_a_step(seconds: list[float], steps: int) -> float:
    """Return what a step takes in the median of the epochs after the first."""
    return 1000 * median(seconds[1:]) / steps


def native_seconds(
    make: Callable[[], Callable[[], float]], epochs: int, at_least: float = 0.0
) -> tuple[list[float], list[float]]:
    """Return the seconds of the epochs of a loop by hand, and the losses.

    Args:
        make: makes the loop.
        epochs: how many, and the number of losses.
        at_least: the seconds of those after the first; there are more epochs where they are shorter.
    """
    losses: list[float] = []
    seconds: list[float] = []
    epoch = make()
    while len(seconds) < epochs or sum(seconds[1:]) < at_least:
        seconds.append(seconds_of(lambda: losses.append(epoch())))
    return seconds, losses[:epochs]


def fitted(who: str, task: Task, epochs: int, at_least: float = 0.0) -> tuple[Any, Any, list[float], list[float]]:
    """Return the inputs, a model trained on them, the seconds of its epochs and the losses of its first ones.

    Args:
        who: "keras" or "polykeras".
        task: the model and the way it is trained.
        epochs: how many, and the number of losses.
        at_least: the seconds of those after the first; the model is fitted again where they are shorter.
    """
    arguments = task.fit_arguments()
    model = model_of(who, task)
    fit = partial(epochs_of_fit, library(who), model, epochs, **arguments)
    seconds, losses = fit()
    while sum(seconds[1:]) < at_least:
        seconds += fit()[0][1:]  # to the first one of a `fit` belongs its beginning
    return arguments["x"], model, seconds, losses


def first(who: str, framework: str, name: str, compiled: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return the seconds of the first epoch, tracing and compiling included."""
    _, _, seconds, losses = fitted(who, replace(TASKS[name], compiled=compiled), epochs=1)
    return {"first": seconds[0], "losses": losses}


def others(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return milliseconds a step by the rule of the section train, and the seconds of the first epoch."""
    _, _, seconds, losses = fitted(who, OTHERS[name], EPOCHS)
    step = milliseconds_a_step(seconds, OTHERS[name].steps)
    return {"a step": step, "the first epoch": seconds[0], "losses": losses}


def _milliseconds_a_batch(call: Callable[[], Any], task: Task) -> float:
    return 1000 * median_seconds(call, EPOCHS, at_least=SECONDS / 2) / task.steps


def _native_predictions(framework: str, name: str, x: Any, ways: Ways | None) -> dict[str, float]:
    makers = loops_by_hand(framework).predictors(name, TASKS[name].initial_weights(), x)
    wanted = asked_ways("predict", makers, ways)
    return {way: _milliseconds_a_batch(make(), TASKS[name]) for way, make in wanted.items()}


def predict(
    who: str, framework: str, name: str, ways: Ways | None = None, compiled: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """Return milliseconds a batch of `predict` over the rows of an epoch."""
    task = replace(TASKS[name], compiled=compiled)
    x, _ = task.data()
    if who == "native":
        return {"ways": {"predict": _native_predictions(framework, name, x, ways)}}
    call = partial(model_of(who, task).predict, x, batch_size=task.batch, verbose=0)
    return {"predict": _milliseconds_a_batch(call, task)}


def _native_train(framework: str, name: str, ways: Ways | None) -> dict[str, Any]:
    task = TASKS[name]
    x, y = task.data()
    steps: dict[str, float] = {}
    losses: dict[str, list[float]] = {}
    for way, make in asked_ways("train", native_epochs(framework, name, task, x, y), ways).items():
        seconds, losses[way] = native_seconds(make, EPOCHS, SECONDS)
        steps[way] = milliseconds_a_step(seconds, task.steps)
    predictions = _native_predictions(framework, name, x, ways)
    return {"ways": {"train": steps, "predict": predictions}, "losses": losses}


def train(
    who: str, framework: str, name: str, ways: Ways | None = None, compiled: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """Return milliseconds a step, the median of the epochs after the first, and what can be measured in passing.

    That is the first epoch's seconds, the losses, and milliseconds a batch of `predict` after training. Of the loops by
    hand every way that is asked for is measured in full.
    """
    if who == "native":
        return _native_train(framework, name, ways)
    task = replace(TASKS[name], compiled=compiled)
    x, model, seconds, losses = fitted(who, task, EPOCHS, SECONDS)
    call = partial(model.predict, x, batch_size=task.batch, verbose=0)
    result = {"first": seconds[0], "train": milliseconds_a_step(seconds, task.steps), "losses": losses}
    return result | {"predict": _milliseconds_a_batch(call, task)}


def calls(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return milliseconds a call of `predict(x[:1])`, `model(x[:1])` and `train_on_batch`, each in a Python loop."""
    task = TASKS[name]
    x, y = task.data(steps=1)
    model = model_of(who, task)
    k = importlib.import_module(who)
    row = k.tree.map_structure(lambda part: part[:1], x)
    tensor = k.tree.map_structure(k.ops.convert_to_tensor, row)
    functions: dict[str, Callable[[], Any]] = {
        "predict(x[:1])": lambda: model.predict(row, verbose=0),
        "model(x)": lambda: model(tensor),
        "train_on_batch": lambda: model.train_on_batch(x, y),
    }
    return {measure: 1000 * seconds_a_call(function, CALLS) for measure, function in functions.items()}

"""The section check, also `python -m benchmarks --check`: all compute the same losses and the same predictions.

Losses are those of two epochs of eight steps, without dropout, in the order of the rows; predictions are those of the
untrained model, compared one by one. All begin from the same weights.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from benchmarks.machine import load
from benchmarks.measures import loops_by_hand, model_of
from benchmarks.rows import Result, Row
from benchmarks.tasks import TASKS

STEPS = 8
EPOCHS = 2
# Relative. Sums in another order differ by some 1e-7 in a step; Adam, which divides by the roots of squares, makes up
# to 1e-5 of it over sixteen steps (measured: 9.8e-6, the convolutions on PyTorch). Ten times that leaves room for
# other machines, and is less than what a rule of its own for one optimizer makes (`KERAS_DIFFERS`).
LOSSES = 1e-4
# Absolute: all models end in a sigmoid or softmax, so that predictions lie in [0, 1]. A logit is off by some 1e-6 after
# sums of thousands of float32 products, a probability by at most a quarter of that for a sigmoid.
PREDICTIONS = 1e-5
# On TensorFlow, Keras's Adam squares the gradient of an embedding slice by slice, before rows that occur twice in a
# batch are summed; on JAX and PyTorch it squares the sum, as polykeras and the loops by hand do on all three. Measured:
# 1.7e-3 and 9.3e-5.
KERAS_DIFFERS = {("tensorflow", "text_cnn"): 5e-3, ("tensorflow", "two_inputs"): 5e-4}
PREDICTED = "predict: "


def _packed(predictions: Any) -> str:
    return base64.b64encode(np.asarray(predictions, "float32").tobytes()).decode()


def unpacked(text: str) -> np.ndarray:
    """Return predictions from the text in which a process gave them."""
    return np.frombuffer(base64.b64decode(text), "float32")


def _epoch(model: Any, x: Any, y: Any, batch: int) -> float:
    return model.fit(x, y, batch_size=batch, epochs=1, verbose=0, shuffle=False).history["loss"][0]


def _checked(who: str, framework: str, name: str) -> dict[str, Any]:
    task = TASKS[name]
    x, y = task.data(steps=STEPS)
    if who != "native":
        model = model_of(who, task, dropout=False)
        predicted = model.predict(x, batch_size=task.batch, verbose=0)
        return {who: [_epoch(model, x, y, task.batch) for _ in range(EPOCHS)], PREDICTED + who: _packed(predicted)}
    weights, order = task.initial_weights(), np.arange(len(y), dtype="int32").reshape(-1, task.batch)
    result: dict[str, Any] = {}
    for way, make in loops_by_hand(framework).trainers(name, weights, x, y, 0.0).items():
        epoch = make()
        result[way] = [epoch(order) for _ in range(EPOCHS)]
    for way, make in loops_by_hand(framework).predictors(name, weights, x).items():
        result[PREDICTED + way] = _packed(make()())
    return result


def check(who: str, framework: str, names: str) -> dict[str, dict[str, Any]]:
    """Return, for each task and each way, the losses of the first epochs, and the predictions before them, packed."""
    return {name: _checked(who, framework, name) for name in names.split(",")}


# ---- what is made of it ------------------------------------------------------------------------------------------


def _errors(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return, for losses and for predictions, the greatest error of each way; nan counts as infinite."""
    (losses,) = (value for way, value in ours.items() if not way.startswith(PREDICTED))
    (predictions,) = (unpacked(value) for way, value in ours.items() if way.startswith(PREDICTED))
    found: dict[str, dict[str, float]] = {"losses": {}, "predictions": {}}
    for way, value in theirs.items():
        if way.startswith(PREDICTED):
            error = float(np.abs(unpacked(value) - predictions).max())
            found["predictions"][way.removeprefix(PREDICTED)] = error if error == error else np.inf
        else:
            error = float(np.max(np.abs(np.subtract(value, losses)) / np.abs(losses)))
            found["losses"][way] = error if error == error else np.inf
    return found


def check_rows(framework: str, tasks: list[str], results: dict[str, list[Result]]) -> list[Row]:
    """Return two rows a task, losses and predictions: the greatest errors of Keras and of the worst way by hand."""
    ran = {who: runs[0] for who, runs in results.items() if runs}
    rows: dict[tuple[str, str], Row] = {}
    if "polykeras" not in ran:  # it failed: there is nothing to compare with
        return []
    ours = ran.pop("polykeras")
    for task in tasks:
        for measure, unit in (("losses", "relative"), ("predictions", "absolute")):
            row: Row = {"section": "check", "framework": framework, "task": task, "measure": measure}
            rows[task, measure] = row | {"unit": unit, "load": load()}
        for who, result in ran.items():
            for measure, errors in _errors(ours[task], result[task]).items():
                worst = max(errors, key=lambda way: errors[way])
                rows[task, measure] |= {who: errors[worst], f"{who}_way": worst}
    return list(rows.values())


def tolerance(row: Row, who: str) -> float:
    """Return how far `who` may be from polykeras in a row of the check."""
    if row["measure"] == "predictions":
        return PREDICTIONS
    return KERAS_DIFFERS.get((row["framework"], row["task"]), LOSSES) if who == "keras" else LOSSES


def beyond(row: Row) -> list[str]:
    """Return those who are further from polykeras than they may be in a row of the check."""
    return [who for who in ("keras", "native") if who in row and not row[who] <= tolerance(row, who)]

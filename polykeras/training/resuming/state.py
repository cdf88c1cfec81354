"""Saving and restoring the whole state of a run: variables, callbacks, and the position of the loop."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from polykeras import dtypes, seeds
from polykeras.backend import registry
from polykeras.saving.errors import SavedFileError, reading
from polykeras.training.resuming.encoding import decode, encode
from polykeras.training.resuming.files import BackupFiles
from polykeras.variables import Variable, unique

_THE_SAME = "Train the same model, compiled in the same way; or remove the folder to start again."


@dataclass
class SavedRun:
    """The state of a run.

    Attributes:
        run: the state of the loop: plain data and arrays.
        callbacks: the class name and the state of each callback.
        variables: names and values of variables, by their owner: "weights", "metrics", "optimizer" or "steps".
        optimizers: the class names of the optimizers.
        folder: the folder from which the state was read.
    """

    run: dict[str, Any]
    callbacks: list[tuple[str, dict[str, Any]]]
    variables: dict[str, list[tuple[str, np.ndarray]]]
    optimizers: list[str]
    folder: str = ""

    def write(self, files: BackupFiles) -> None:
        """Write the state to files.

        Raises:
            SavedFileError: the text is too large to be read again. The last state stays.
            TypeError: the state of a callback holds an object that cannot be kept.
        """
        arrays: list[np.ndarray] = []
        text = {
            "run": encode(self.run, arrays),
            "callbacks": [[name, _encode_state(name, state, arrays)] for name, state in self.callbacks],
            "variables": {group: [name for name, _ in found] for group, found in self.variables.items()},
            "optimizers": self.optimizers,
        }
        named = {f"values/{i}": array for i, array in enumerate(arrays)}
        for group, found in self.variables.items():
            named.update((f"{group}/{i}", value) for i, (_, value) in enumerate(found))
        try:
            files.write(text, named)
        except SavedFileError as error:
            name, size = max(((n, len(json.dumps(state))) for n, state in text["callbacks"]), key=lambda item: item[1])
            error.add_note(
                f"No backup was written, since it could not be read. The longest text is the state of {name}: {size} "
                "bytes. Let its `get_state` leave things out, or keep them in NumPy arrays."
            )
            raise

    @classmethod
    def read(cls, files: BackupFiles) -> SavedRun | None:
        """Return the state in the files; None if there is none.

        Raises:
            SavedFileError: the file is damaged, or not a backup.
        """
        found = files.read()
        if found is None:
            return None
        text, named = found
        with reading(files.latest):
            arrays = [named[f"values/{i}"] for i in range(sum(name.startswith("values/") for name in named))]
            variables = {
                group: [(name, named[f"{group}/{i}"]) for i, name in enumerate(names)]
                for group, names in text["variables"].items()
            }
            callbacks = [(name, decode(state, arrays)) for name, state in text["callbacks"]]
            return cls(decode(text["run"], arrays), callbacks, variables, text["optimizers"], str(files.folder))


def saved_run(model: Any, step: Any, callbacks: list[Any], run: dict[str, Any]) -> SavedRun:
    """Return the state of a run.

    Args:
        model: the model that is trained.
        step: its compiled step, or None.
        callbacks: the callbacks.
        run: the state of the loop.
    """
    groups = _groups(model, step)
    variables = {group: [(v.path, v.numpy()) for v in found] for group, found in groups.items()}
    return SavedRun(run, [(type(c).__qualname__, c.get_state()) for c in callbacks], variables, _optimizers(model))


def _optimizers(model: Any) -> list[str]:
    return [type(optimizer).__qualname__ for optimizer in model._optimizers()]


def _encode_state(name: str, state: dict[str, Any], arrays: list[np.ndarray]) -> Any:
    try:
        return encode(state, arrays)
    except TypeError as error:
        raise TypeError(f"{name}.get_state: {error} Leave it out, or return plain data instead.") from None


def _groups(model: Any, step: Any) -> dict[str, list[Variable]]:
    """Return all variables that steps may change, by their owner. Seeds of the process are kept elsewhere."""
    optimizers = [variable for optimizer in model._optimizers() for variable in optimizer.variables]
    found = {
        "weights": model.variables,
        "metrics": model.metrics_variables,
        "optimizer": optimizers,
        "steps": step.variables if step is not None else [],
    }
    seen = {id(variable) for variable in seeds.process_variables()}
    groups: dict[str, list[Variable]] = {}
    for group, variables in found.items():
        groups[group] = [variable for variable in unique(variables) if id(variable) not in seen]
        seen.update(map(id, groups[group]))
    return groups


def restore_state(saved: SavedRun, model: Any, step: Any, batch: Any, callbacks: list[Any]) -> None:
    """Give variables and callbacks the state of an earlier run.

    Args:
        saved: the state.
        model: the model, built as far as shapes alone allow.
        step: its compiled step.
        batch: run once if some variables are made only by running a step.
        callbacks: each gets the state of a callback of the same class, in their order.

    Raises:
        SavedFileError: the model or its optimizer has other variables. Existing variables keep their values.
    """
    now = _optimizers(model)
    if now != saved.optimizers:
        raise SavedFileError(
            saved.folder, "optimizer", f"the earlier run had {saved.optimizers}, this one has {now}. {_THE_SAME}"
        )
    groups = _groups(model, step)
    parts = [*model._flatten_layers(), *model._optimizers()]
    if len(groups["steps"]) < len(saved.variables["steps"]) or not all(part.built for part in parts):
        # Run a step. It may give away the memory of the values, so the copies are on the host.
        before = [(variable, variable.numpy()) for found in groups.values() for variable in found]
        try:
            step.run_batch(batch)
            groups = _checked_groups(saved, model, step)
        except BaseException:
            _assign(before)
            raise
    else:
        groups = _checked_groups(saved, model, step)
    for group, variables in groups.items():
        _assign(zip(variables, (value for _, value in saved.variables[group]), strict=True))
    _restore_callbacks(saved.callbacks, callbacks)


def _checked_groups(saved: SavedRun, model: Any, step: Any) -> dict[str, list[Variable]]:
    """Return the variables to restore, by their owner, after checking that the values of the earlier run fit.

    Raises:
        SavedFileError: they do not fit.
    """
    groups = _groups(model, step)
    if saved.run["position"]["step"] == 0 and not _fits(groups["metrics"], saved.variables["metrics"]):
        del groups["metrics"]  # an epoch begins and resets them, so other metrics may be compiled now
    for group, variables in groups.items():
        _check(group, variables, saved.variables[group], saved.folder)
    return groups


def _assign(values: Iterable[tuple[Variable, np.ndarray]]) -> None:
    with registry.use_backend("numpy"):  # on the host, since reading a file needs no framework
        for variable, value in values:
            variable.assign(value)


_Spec: TypeAlias = tuple[tuple[int, ...], str]
"""The shape and the dtype of an array."""


def _specs(variables: list[Variable], stored: list[tuple[str, np.ndarray]]) -> tuple[list[_Spec], list[_Spec]]:
    """Return the shapes and dtypes of the variables, and those of the stored values."""
    now = [(variable.shape, variable.dtype) for variable in variables]
    return now, [(value.shape, dtypes.standardize_dtype(value.dtype)) for _, value in stored]


def _fits(variables: list[Variable], stored: list[tuple[str, np.ndarray]]) -> bool:
    now, then = _specs(variables, stored)
    return now == then


def _check(group: str, variables: list[Variable], stored: list[tuple[str, np.ndarray]], folder: str) -> None:
    now, then = _specs(variables, stored)
    if now == then:
        return
    differs = ""
    for i, (a, b) in enumerate(zip(then, now, strict=False)):
        if a != b:
            what = 0 if a[0] != b[0] else 1
            differs = f"{stored[i][0]} of {('shape', 'dtype')[what]} {a[what]}, now {variables[i].path} of {b[what]}"
            break
    raise SavedFileError(
        folder,
        group,
        f"the earlier run had {len(stored)} arrays, this one has {len(variables)}"
        f"{'; it had ' + differs if differs else ''}. {_THE_SAME}",
    )


def _restore_callbacks(saved: list[tuple[str, dict[str, Any]]], callbacks: list[Any]) -> None:
    states: dict[str, list[Mapping[str, Any]]] = {}
    for name, state in saved:
        states.setdefault(name, []).append(state)
    for callback in callbacks:
        of_class = states.get(type(callback).__qualname__)
        if of_class:
            callback.set_state(of_class.pop(0))

"""The state of an optimizer in files of Keras 1 and 2."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.backend import registry
from polykeras.saving.files.base import StoredArray
from polykeras.saving.legacy.forms import Form
from polykeras.saving.legacy.layout import Origin
from polykeras.saving.legacy.order import trained, trained_in_order
from polykeras.saving.legacy.weights import Found
from polykeras.saving.state import unchanged_on_error
from polykeras.variables import Variable

Values = list[tuple[Variable, Any]]
"""Variables, each with the array to assign to it."""


class Misfit(ValueError):
    """A file's optimizer state does not fit this optimizer."""


def in_order(optimizer: Any, variables: Sequence[Variable]) -> list[Variable]:
    """Return an optimizer's variables in the order in which Keras 3 would have made them for those variables.

    Raises:
        Misfit: if it is not an optimizer of polykeras, or was built for other variables.
    """
    if not optimizer.built:
        return list(optimizer.variables)
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        within = {id(variable) for variable in inner.variables}
        rest = iter(in_order(inner, variables))
        return [next(rest) if id(variable) in within else variable for variable in optimizer.variables]
    places = getattr(optimizer, "_places", None)
    if places is None or any(id(variable) not in places for variable in variables):
        raise Misfit(f"{type(optimizer).__name__} was not built for the weights of the model.")
    own = [places[id(variable)] for variable in variables]
    found: list[Variable | None] = [optimizer._iterations]
    if isinstance(optimizer._learning_rate, Variable):
        found.append(optimizer._learning_rate)
    for lists in (optimizer._averages, optimizer._accumulators):
        found += [lists[place] for place in own] if lists else []
    slots = iter(optimizer._slots)
    for group in optimizer.slots():
        together = [next(slots) for _ in group]
        found += [slot[place] for place in own for slot in together]
    ordered = [variable for variable in found if variable is not None]
    known = {id(variable) for variable in ordered}
    return ordered + [variable for variable in optimizer.variables if id(variable) not in known]


def load_state(
    model: Any, stored: Mapping[str, StoredArray], origin: Origin, found: list[Found], told: Mapping[str, Any]
) -> str | None:
    """Load the state of a model's optimizer from a file.

    Args:
        model: a compiled model, with its weights.
        stored: the arrays, in the order of the file.
        origin: the program that wrote the file.
        found: the model's weights in the file.
        told: the arguments of the optimizer in the file.

    Returns:
        None, or the reason why the optimizer was left unchanged.

    Raises:
        SavedFileError: if an array cannot be read; then nothing is changed.
    """
    optimizer = model.optimizer
    try:
        optimizer.build(model.trainable_variables)
        if _is_of_keras_3(stored, origin, told):
            values = _one_by_one(optimizer, list(stored.values()), trained_in_order(model))
        else:
            values = _kind_by_kind(optimizer, list(stored.values()), found, origin)
    except Misfit as error:
        return str(error)
    with unchanged_on_error([optimizer]), registry.use_backend("numpy"):
        for variable, value in values:
            variable.assign(value() if callable(value) else np.asarray(value))
    return None


def _is_of_keras_3(stored: Mapping[str, StoredArray], origin: Origin, told: Mapping[str, Any]) -> bool:
    """Return whether the state has the format of Keras 3, which the last versions of Keras 2 already used."""
    if origin.major > 2 or "jit_compile" in told or "is_legacy_optimizer" in told:
        return True
    return any("learning_rate" in name for name in list(stored)[:2])


def _one_by_one(optimizer: Any, stored: list[StoredArray], variables: list[Variable]) -> Values:
    """Return values from the format of Keras 3, in which all arrays of one variable are adjacent."""
    own = in_order(optimizer, variables)
    shapes = [array.shape for array in stored]
    expected = [variable.shape for variable in own]
    if shapes != expected:
        raise Misfit(f"{type(optimizer).__name__} keeps {len(own)} arrays; the file holds {len(stored)} or others.")
    return list(zip(own, stored, strict=True))


def _kind_by_kind(optimizer: Any, stored: list[StoredArray], found: list[Found], origin: Origin) -> Values:
    """Return values from the format of Keras 1 and 2, in which arrays of one kind, for all variables, are adjacent."""
    if not hasattr(optimizer, "_slots") or hasattr(optimizer, "inner_optimizer"):
        raise Misfit(f"That of {type(optimizer).__name__} has another form.")
    usual = [optimizer._iterations, optimizer._learning_rate, *(slot for slots in optimizer._slots for slot in slots)]
    extra = [v for v in optimizer.variables if v.shape == () and not any(v is known for known in usual)]
    scalars = list(itertools.takewhile(lambda array: array.shape == (), stored))[: 1 + len(extra)]
    if extra and len(scalars) != 1 + len(extra):
        raise Misfit(f"{type(optimizer).__name__} keeps {1 + len(extra)} numbers; the file holds {len(scalars)}.")
    held = _held(optimizer, found)
    count = sum(len(one.form.shapes) for one in held)
    rest = stored[len(scalars) :]
    kinds = optimizer._slots
    # Unused arrays that are written all the same: `vhats` of Adam as placeholders, and momenta with a factor of 0.
    surplus = rest[count * len(kinds) :]
    idle = all(array.shape == (1,) for array in surplus) or not kinds
    if len(rest) < count * len(kinds) or not idle:
        raise Misfit(
            f"{type(optimizer).__name__} keeps {len(kinds)} arrays for each of {count} weights; the file holds "
            f"{len(rest)}."
        )
    groups = [rest[number * count : (number + 1) * count] for number in range(len(kinds))]
    values: Values = list(zip([optimizer._iterations, *extra], scalars, strict=False))
    for slots, group in zip(kinds, _by_weight(groups, held, origin), strict=True):
        values += _of_kind(optimizer, slots, group, held)
    return values


@dataclass(frozen=True)
class _Held:
    """How the trained weights of a layer were stored.

    Attributes:
        form: the form of the arrays.
        names: the names of the arrays.
        variables: the weights.
    """

    form: Form
    names: list[str]
    variables: list[Variable]


def _held(optimizer: Any, found: list[Found]) -> list[_Held]:
    """Return how the weights of each layer were stored, each layer once."""
    seen: set[int] = set()
    held = []
    for one in found:
        for part in one.parts:
            variables = trained(part.owner)
            if part.owner.trainable and variables and id(part.owner) not in seen:
                seen.add(id(part.owner))
                form, names = part.form, one.names[part.place]
                kept = [i for i, variable in enumerate(variables) if variable.trainable]
                if len(kept) < len(variables):  # a class may freeze weights of its own, which have no slots
                    form = Form([form.shapes[i] for i in kept])
                    names, variables = [names[i] for i in kept], [variables[i] for i in kept]
                held.append(_Held(form, names, variables))
    covered = {id(variable) for one in held for variable in one.variables}
    if covered != set(optimizer._places):
        raise Misfit("It belongs to other weights.")
    return held


def _by_weight(groups: list[list[StoredArray]], held: list[_Held], origin: Origin) -> list[list[StoredArray]]:
    """Return arrays in the order of the weights to which they belong.

    Until Keras 2.0.5, an optimizer got the weights in the order of their names; later, in the order of the layers.
    """
    names = [name for one in held for name in one.names]
    shapes = [shape for one in held for shape in one.form.shapes]
    by_layer = list(range(len(names)))
    by_name = list(by_layer)
    for place, i in enumerate(sorted(by_layer, key=lambda i: names[i])):
        by_name[i] = place
    for order in (by_name, by_layer) if _sorts_names(origin) else (by_layer, by_name):
        if all([group[i].shape for i in order] == shapes for group in groups):
            return [[group[i] for i in order] for group in groups]
    raise Misfit("Its arrays and the weights differ in shape.")


def _sorts_names(origin: Origin) -> bool:
    numbers = [int(part) for part in origin.version.partition("-")[0].split(".") if part.isdecimal()]
    # TensorFlow's copy of Keras kept the old order for a while.
    return numbers < ([2, 1] if origin.version.endswith("-tf") else [2, 0, 6])


def _of_kind(optimizer: Any, slots: list[Variable | None], stored: list[StoredArray], held: list[_Held]) -> Values:
    values: Values = []
    place = 0
    for one in held:
        own = stored[place : place + len(one.form.shapes)]
        place += len(own)
        if not one.form.fits_slots:
            raise Misfit("It belongs to weights that are split or joined differently in the model.")
        read = _Once(one.form, own)
        for i, variable in enumerate(one.variables):
            slot = slots[optimizer._places[id(variable)]]
            if slot is not None:
                values.append((slot, read.of(i)))
    return values


class _Once:
    """Reads the arrays of a form when the first of them is needed."""

    def __init__(self, form: Form, stored: list[StoredArray]) -> None:
        self._form, self._stored = form, stored
        self._values: list[np.ndarray] | None = None

    def of(self, place: int) -> Any:
        """Return a function that returns one of the values."""

        def value() -> np.ndarray:
            if self._values is None:
                self._values = self._form.read([np.asarray(array) for array in self._stored])
            return self._values[place]

        return value

"""Objects whose state is stored in files: layers, optimizers, seed generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from polykeras.variables import Variable


_PLAIN = (str, int, float, bytes, type(None))
_ENOUGH = 64


def contained(container: Any) -> Iterator[Any]:
    """Yield the items of a list, tuple, dict or set that are not plain data. A long plain start ends the search early.

    Those of a set come by their names, since a set has another order in each process.
    """
    if isinstance(container, set):
        yield from sorted(_objects(container), key=_by_name)
    else:
        yield from _objects(container)


def _by_name(value: Any) -> tuple[int, str]:
    name = str(getattr(value, "name", ""))
    return len(name), name  # `dense_9` before `dense_10`


def _objects(container: Any) -> Iterator[Any]:
    plain = 0
    for i, value in enumerate(container.values() if isinstance(container, dict) else container):
        if not isinstance(value, _PLAIN):
            yield value
            continue
        plain += 1
        if plain == i + 1 == _ENOUGH:
            return


class Checkpointable:
    """Mixin of objects with variables that are saved.

    A class names its own variables. Variables of objects among its attributes are found automatically. A class
    overrides `save_own_variables` and `load_own_variables` only if its files hold something else.

    Attributes:
        _in_files: whether a file without this object's variables is refused. Keras's files hold no random states.
        _optional_in_files: whether a file may lack this object's variables, or hold others, which are left out with a
            warning. Those of an optimizer depend on what was trained.
        _alone_in_files: whether a model's file may hold this object alone; true of a layer, for example.
    """

    _in_files: ClassVar[bool] = True
    _optional_in_files: ClassVar[bool] = False
    _alone_in_files: ClassVar[bool] = False

    def _saved_variables(self) -> Sequence[Variable]:
        """Return the object's own variables in the order of the file, without those of objects within it."""
        raise NotImplementedError

    @classmethod
    def _unwalked(cls) -> frozenset[str]:
        """Return the names of attributes that never lead to saved objects."""
        return frozenset()

    @classmethod
    def _class_names(cls) -> set[str]:
        """Return the names of all attributes that the class itself defines."""
        return set(dir(cls))

    def _title_in_files(self) -> str:
        return f"{type(self).__name__} {getattr(self, 'name', '')!r}"

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the object's own variables, not those of objects within it, as NumPy arrays under "0", "1", ..."""
        for i, variable in enumerate(self._saved_variables()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` wrote. If the arrays do not fit, nothing is changed.

        Raises:
            ValueError: if the number or the shapes of the variables do not match.
        """
        own = self._saved_variables()
        if len(store) != len(own):
            built = getattr(self, "built", True)
            raise ValueError(
                f"{self._title_in_files()} has {len(own)} variables of its own; received {len(store)} arrays."
                + ("" if built else " It is not built yet: call `build`, or run it on data, first.")
            )
        missing = [str(i) for i in range(len(own)) if str(i) not in store]
        if missing:
            raise ValueError(f"{self._title_in_files()} expected the array '{missing[0]}'; received {sorted(store)}.")
        self._assign_all(own, [store[str(i)] for i in range(len(own))])

    def _assign_all(self, variables: Sequence[Variable], arrays: Sequence[Any]) -> None:
        """Assign an array to each variable. If one does not fit, nothing is changed.

        Raises:
            ValueError: if an array has another shape.
        """
        for variable, array in zip(variables, arrays, strict=True):
            shape = tuple(np.shape(array))  # does not read arrays that have a shape attribute
            if shape != variable.shape:
                raise ValueError(
                    f"{self._title_in_files()}: the variable {variable.path!r} has shape {variable.shape}; received an "
                    f"array of shape {shape}."
                )
        values = [np.asarray(array) for array in arrays]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


class SavedGroup(Checkpointable):
    """Variables that files keep under an object that does not exist in memory.

    Args:
        name: the name of that object in files.
        variables: its variables.
    """

    def __init__(self, name: str, variables: Sequence[Variable]) -> None:
        self.name = name
        self._variables = variables

    def _saved_variables(self) -> Sequence[Variable]:
        return self._variables

    @classmethod
    def _unwalked(cls) -> frozenset[str]:
        return frozenset(("_variables",))

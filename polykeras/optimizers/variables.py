"""The variables that an optimizer keeps, and those that it was built for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from polykeras import initializers
from polykeras.backend.spec import Array
from polykeras.common.checkpointable import Checkpointable
from polykeras.common.types import ArrayLike, DTypeLike, InitializerLike
from polykeras.optimizers import arguments
from polykeras.variables import Variable


class OptimizerVariables(Checkpointable):
    """The variables of an `Optimizer`.

    Args:
        name: the prefix of their paths.
    """

    _optional_in_files = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.built = False
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._places: dict[int, int] = {}

    @property
    def variables(self) -> list[Variable]:
        """The state: the number of steps, the learning rate (unless a schedule gives it) and the slots."""
        return list(self._variables)

    def _ours(self, variables: Iterable[Any]) -> list[Variable]:
        """Return variables with ours in place of those of a framework, whose values these go on storing."""
        return [v if isinstance(v, Variable) else arguments.adapted(self, v) for v in variables]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, whose variables have new identities."""
        vars(self).update(state)
        self._places = {id(variable): i for i, variable in enumerate(self._trainable_variables)}

    def assign(self, variable: Variable, value: ArrayLike) -> None:
        """Assign to a variable.

        Args:
            variable: whose value is changed.
            value: the new value, of its shape.
        """
        variable.assign(value)

    def assign_add(self, variable: Variable, value: ArrayLike) -> None:
        """Add to a variable.

        Args:
            variable: whose value is changed.
            value: a number, or an array of its shape.
        """
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: ArrayLike) -> None:
        """Subtract from a variable.

        Args:
            variable: whose value is changed.
            value: a number, or an array of its shape.
        """
        variable.assign_sub(value)

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike = None,
        aggregation: str | None = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Return a new variable that is part of the optimizer's state.

        Args:
            shape: the sizes of the axes.
            initializer: an argument of `polykeras.initializers.get`.
            dtype: by default the default float dtype.
            aggregation: see `Variable`.
            layout: accepted as in Keras, without effect; a process has one layout.
            name: the last part of its path.
        """
        first = initializers.get(initializer)
        variable = Variable(first, shape, dtype, False, aggregation=aggregation, name=name)
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: InitializerLike = "zeros"
    ) -> Variable:
        """Return a new variable of the shape and dtype of another, named after it.

        Args:
            reference_variable: the other one.
            name: the part of the new name that follows its path.
            initializer: a name, an initializer, or a function `(shape, dtype)`.
        """
        name = f"{reference_variable.path.replace('/', '_')}_{name or 'var'}"
        variable = self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=name)
        variable.reference = reference_variable
        return variable

    def add_optimizer_variables(
        self,
        trainable_variables: Iterable[Variable],
        name: str | Sequence[str],
        initializer: InitializerLike | Sequence[InitializerLike] = "zeros",
    ) -> Any:
        """Return one new variable for each of `trainable_variables`, or None if the gradient itself is the value.

        Args:
            trainable_variables: variables of a model.
            name: the last part of the new names; several names return a tuple of lists.
            initializer: one for all, or a list with one for each name.
        """
        names = [name] if isinstance(name, str) else list(name)
        firsts: Any = initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        lists: list[list[Variable | None]] = [[] for _ in names]
        for variable in trainable_variables:
            for one, first, slots in zip(names, firsts, lists, strict=True):
                overwritten = variable.overwrite_with_gradient
                slots.append(None if overwritten else self.add_variable_from_reference(variable, one, first))
        return lists[0] if isinstance(name, str) else tuple(lists)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._places[id(variable)]

    def _of(self, slots: list[Variable | None], variables: Iterable[Variable]) -> list[Variable]:
        """Return the slots that belong to these variables."""
        return [slots[self._places[id(variable)]] for variable in variables]  # type: ignore[misc]

    def _check_known(self, variables: Iterable[Variable]) -> None:
        unknown = [variable.path for variable in variables if id(variable) not in self._places]
        if unknown:
            raise ValueError(
                f"Optimizer {self.name!r} was built with other variables and does not know {', '.join(unknown)}. Build "
                "it with all variables, or use a new optimizer."
            )

    def _saved_variables(self) -> list[Variable]:
        return self.variables

    def set_weights(self, weights: Sequence[Array]) -> None:
        """Set the values of `variables`. If one of them does not fit, nothing is changed.

        Raises:
            ValueError: if it is not built, or the number or the shapes of the arrays differ.
        """
        if not self.built:
            raise ValueError(f"Optimizer {self.name!r}: call `build(variables)` before `set_weights`.")
        own = self.variables
        if len(weights) != len(own):
            raise ValueError(f"Optimizer {self.name!r} has {len(own)} variables; received {len(weights)} arrays.")
        self._assign_all(own, weights)

"""Several optimizers for one model: the path of a variable selects its optimizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Self

from polykeras.backend.spec import Array
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.loss_scale import LossScaleOptimizer
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object
from polykeras.variables import Variable


@registry.register()
class OptimizerMap(MutableMapping[str, Optimizer]):
    """Optimizers by patterns of variable paths.

    Args:
        default_optimizer: the optimizer for variables that match no pattern.
        optimizer_map: a dict of optimizers by regular expressions, each of which must match the whole path.

    Raises:
        TypeError: if the default is not an optimizer, or the map is not a dict.
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None) -> None:
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(f"OptimizerMap: expected an optimizer as the default; received {default_optimizer!r}.")
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"OptimizerMap: `optimizer_map` must be a dict; received {optimizer_map!r}.")
        self._default_optimizer = default_optimizer
        self._optimizer_map = optimizer_map or {}

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of variables that match no pattern."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        fitting = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(f"OptimizerMap: several patterns match the variable {key!r}: {fitting}. Keep only one.")
        return self._optimizer_map[fitting[0]] if fitting else self._default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str) or key in self._optimizer_map:
            raise ValueError(f"OptimizerMap: expected a new pattern, a string; received {key!r}.")
        self._optimizer_map[key] = _plain(optimizer, "OptimizerMap")

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Variable) -> Optimizer:
        """Return the optimizer of a variable."""
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data."""
        return {
            "default_optimizer": serialize_keras_object(self._default_optimizer),
            "optimizer_map": serialize_keras_object(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Return the map of a config.

        Args:
            config: a result of `get_config`.
            custom_objects: further classes and functions that it may name.
        """
        return cls(
            *(deserialize_keras_object(config[name], custom_objects) for name in ("default_optimizer", "optimizer_map"))
        )


def _plain(optimizer: Any, owner: str) -> Optimizer:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
        raise ValueError(f"{owner}: expected optimizers that contain no others; received {optimizer!r}.")
    return optimizer


@registry.register()
class MultiOptimizer(Optimizer):
    """Updates each variable with the optimizer that a map selects for it.

    Args:
        optimizer_map: an `OptimizerMap`, or a function of a variable that returns its optimizer.
        loss_scale_factor: see `Optimizer`; the inner optimizers get it.
        name: the prefix of its own variables' paths.

    Raises:
        ValueError: if the entry for a variable is not an optimizer.
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        self._inner_optimizers: list[Optimizer] = []
        super().__init__(0.0, name=name)
        self._optimizer_map = optimizer_map
        self.loss_scale_factor = loss_scale_factor
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._number(optimizer)

    def _number(self, optimizer: Any) -> int:
        """Return the index of an optimizer among the inner ones; add it if necessary."""
        for i, known in enumerate(self._inner_optimizers):
            if known is optimizer:
                return i
        self._inner_optimizers.append(_plain(optimizer, "MultiOptimizer"))
        optimizer.loss_scale_factor = self.loss_scale_factor
        return len(self._inner_optimizers) - 1

    @property
    def optimizers(self) -> list[Optimizer]:
        """The inner optimizers."""
        return self._inner_optimizers

    @property
    def variables(self) -> list[Variable]:
        """The state of this optimizer, followed by that of the inner ones."""
        return [*self._variables, *(v for optimizer in self._inner_optimizers for v in optimizer.variables)]

    @property
    def learning_rate(self) -> Any:
        """Not available: each inner optimizer has its own learning rate.

        Raises:
            AttributeError: always.
        """
        raise AttributeError("A MultiOptimizer has no learning rate of its own: read that of one of its `optimizers`.")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError("A MultiOptimizer has no learning rate of its own: set that of one of its `optimizers`.")

    lr = learning_rate

    @property
    def loss_scale_factor(self) -> float | None:
        """The factor of the loss. All inner optimizers divide gradients by it."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for optimizer in self._inner_optimizers:
            optimizer.loss_scale_factor = value

    def build(self, var_list: Iterable[Variable]) -> None:
        """Create the state of all optimizers for these variables."""
        variables = self._ours(var_list)
        if not self.built:
            self._owners = {id(variable): self._number(self._optimizer_map(variable)) for variable in variables}
            for optimizer, group in self._groups(variables):
                optimizer.build(group)
        super().build(variables)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, whose variables have new identities."""
        owners = list(state.get("_owners", {}).values())
        super().__setstate__(state)
        self._owners = {id(v): i for v, i in zip(self._trainable_variables, owners, strict=False)}

    def _groups(self, variables: Sequence[Variable]) -> Iterator[tuple[Optimizer, list[Variable]]]:
        for i, optimizer in enumerate(self._inner_optimizers):
            group = [variable for variable in variables if self._owners[id(variable)] == i]
            if group:
                yield optimizer, group

    def _apply(self, grads: Sequence[Array], variables: Sequence[Variable]) -> None:
        gradients = {id(variable): gradient for variable, gradient in zip(variables, grads, strict=True)}
        for optimizer, group in self._groups(variables):
            optimizer.apply([gradients[id(variable)] for variable in group], group)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Set variables to their moving averages, if their optimizers keep them."""
        for optimizer, group in self._groups(self._ours(var_list)):
            optimizer.finalize_variable_values(group)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data."""
        return {
            "optimizer_map": serialize_keras_object(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

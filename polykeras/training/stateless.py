"""A trainer's state as values: trees of all its variables by their paths, and the loss for given values of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from polykeras.backend import registry
from polykeras.backend.dispatch import convert
from polykeras.variables import Scope, Variable, read_state


class Stateless:
    """What reads and sets all variables of a trainer at once."""

    name: str
    optimizer: Any
    trainable_variables: list[Variable]
    non_trainable_variables: list[Variable]
    metrics_variables: list[Variable]
    _loss_of: Callable[..., Any]

    def _variables_by_kind(self) -> dict[str, list[Variable]]:
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": [] if self.optimizer is None else self.optimizer.variables,
            "metrics_variables": self.metrics_variables,
        }

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """Return the values of all variables: nested dicts by the parts of their paths, as `"dense"`, `"kernel"`.

        Args:
            value_format: `"backend_tensor"`, or `"numpy_array"`.

        Returns:
            A dict with the keys `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
            `metrics_variables`.

        Raises:
            ValueError: another format, or two variables have one path.
        """
        if value_format not in ("backend_tensor", "numpy_array"):
            raise ValueError(f"`value_format` may be 'backend_tensor' or 'numpy_array'; received {value_format!r}.")
        read = Variable.numpy if value_format == "numpy_array" else lambda variable: variable.value
        made: dict[str, Any] = {}
        for kind, variables in self._variables_by_kind().items():
            made[kind] = {}
            for path, variable in self._by_path(variables).items():
                *names, last = path.split("/")
                inner = made[kind]
                for name in names:
                    inner = inner.setdefault(name, {})
                inner[last] = read(variable)
        return made

    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Set variables to the values of a tree that `get_state_tree` gave; those that it lacks stay as they are.

        Raises:
            ValueError: it has another key, or a value of another shape. Nothing is changed then.

        Warns:
            UserWarning: a path is none of a variable's.
        """
        kinds = self._variables_by_kind()
        pairs: list[tuple[Variable, Any]] = []
        for kind, tree in state_tree.items():
            if kind not in kinds:
                raise ValueError(f"set_state_tree: expected the keys {', '.join(kinds)}; received {kind!r}.")
            known = self._by_path(kinds[kind])
            for path, value in _flat(tree):
                if path not in known:
                    warnings.warn(
                        f"{self.name!r} has no variable {path!r} among its {kind}; it is left out.", stacklevel=2
                    )
                    continue
                if tuple(getattr(value, "shape", ())) != tuple(known[path].shape):
                    raise ValueError(f"The variable {path!r} has shape {known[path].shape}; received {value!r}.")
                pairs.append((known[path], value))
        for variable, value in pairs:
            variable.assign(value)

    def _by_path(self, variables: Iterable[Variable]) -> dict[str, Variable]:
        found: dict[str, Variable] = {}
        for variable in variables:
            if found.setdefault(variable.path, variable) is not variable:
                raise ValueError(
                    f"Two variables of {self.name!r} have the path {variable.path!r}: give parts names of their own."
                )
        return found

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[list[Any], list[Any], list[Any]]]:
        """Return what `compute_loss` gives for given values of the variables, and change none.

        Args:
            trainable_variables: values for the property of that name.
            non_trainable_variables: in the same way.
            metrics_variables: in the same way.
            x: the inputs.
            y: the labels.
            y_pred: the outputs.
            sample_weight: weights of the samples.
            training: whether this is a training step.

        Returns:
            `(loss, (trainable_variables, non_trainable_variables, metrics_variables))`, with the values afterwards.

        Raises:
            ValueError: a list has another length.
        """
        backend = registry.current()
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        given = [*trainable_variables, *non_trainable_variables, *metrics_variables]
        with Scope([v for group in groups for v in group], [convert(backend, value) for value in given]):
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
            first, second, third = (read_state(group, backend) for group in groups)
        return loss, (first, second, third)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value

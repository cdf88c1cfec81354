"""The weights, variables, sublayers and losses of a layer: found by looking at its attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.layers.tracking import tracked
from polykeras.random import SeedGenerator
from polykeras.variables import Variable, unique

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer


class StateMixin:
    """Everything about a layer's state that needs no call."""

    name: str
    built: bool
    _trainable: bool
    _own_weights: list[Variable]
    _losses: list[Any]

    # ---- sublayers ---------------------------------------------------------------------------------------------

    def _sublayers(self) -> list[Layer]:
        return list(tracked(self, StateMixin))

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> Iterator[Layer]:
        seen: set[int] = set()
        stack: list[Any] = [self] if include_self else list(reversed(self._sublayers()))
        while stack:
            layer = stack.pop()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            yield layer
            if recursive or layer is self:
                stack.extend(reversed(layer._sublayers()))

    # ---- weights -----------------------------------------------------------------------------------------------

    def _own_variables(self) -> list[Variable]:
        return unique([*self._own_weights, *tracked(self, Variable)])

    @property
    def weights(self) -> list[Variable]:
        """All weights: of each layer its trainable ones, then its others; sublayers after it. No seeds, no metrics."""
        found: list[Variable] = []
        for layer in self._flatten_layers():
            own = layer._own_variables()
            found += [v for v in own if v.trainable] + [v for v in own if not v.trainable]
        return unique(found)

    @property
    def variables(self) -> list[Variable]:
        """The weights, and the state of seed generators."""
        found = self.weights
        for layer in self._flatten_layers():
            found += [generator.state for generator in tracked(layer, SeedGenerator)]
        return unique(found)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that an optimizer changes: none of a layer that is frozen, or within one."""
        return unique(self._trainable_weights())

    def _trainable_weights(self) -> list[Variable]:
        if not self.trainable:
            return []
        found = [v for v in self._own_variables() if v.trainable]
        for layer in self._sublayers():
            found += layer._trainable_weights()
        return found

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that no optimizer changes."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that an optimizer changes."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that no optimizer changes, seeds included."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; setting it sets it for all sublayers too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)

    def count_params(self) -> int:
        """Return the number of scalars in the weights.

        Raises:
            ValueError: the layer was not built.
        """
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} has no weights yet: its input shape is not known. Call it on data, or build it "
                "with `build(input_shape)`, before `count_params`."
            )
        return sum(int(np.prod(v.shape)) for v in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        """Return the values of `weights` as NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of `weights`; nothing is changed where one of them does not fit.

        Raises:
            ValueError: another number of arrays, or another shape.
        """
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"Layer {self.name!r} has {len(own)} weights; received {len(weights)} arrays."
                + ("" if self.built else " It is not built yet: call it on data first.")
            )
        arrays = [np.asarray(value) for value in weights]
        for variable, array in zip(own, arrays, strict=True):
            if array.shape != variable.shape:
                raise ValueError(
                    f"Weight {variable.path!r} has shape {variable.shape}; received an array of shape {array.shape}."
                )
        for variable, array in zip(own, arrays, strict=True):
            variable.assign(array)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the layer's own variables, not those of its sublayers, as NumPy arrays under "0", "1", ..."""
        for i, variable in enumerate(self._own_variables()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` wrote.

        Raises:
            ValueError: it holds another number of variables.
        """
        own = self._own_variables()
        if len(store) != len(own):
            raise ValueError(f"Layer {self.name!r} has {len(own)} variables of its own; received {len(store)} arrays.")
        for i, variable in enumerate(own):
            variable.assign(np.asarray(store[str(i)]))

    # ---- losses ------------------------------------------------------------------------------------------------

    @property
    def losses(self) -> list[Any]:
        """The scalar terms of the last call's `add_loss`, and the penalties of weight regularizers."""
        terms: list[Any] = []
        for layer in self._flatten_layers():
            terms += layer._losses
        for variable in self.trainable_weights:
            if variable.regularizer is not None:
                terms.append(variable.regularizer(variable.value))
        return terms

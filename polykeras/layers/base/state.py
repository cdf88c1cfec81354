"""The weights, variables and sublayers of a layer, found among its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from polykeras import constraints, dtypes, initializers, regularizers
from polykeras.common import version_counter
from polykeras.common.checkpointable import Checkpointable
from polykeras.common.default_property import default_property
from polykeras.common.legacy_arguments import takes_legacy_order
from polykeras.common.reads import PLAIN
from polykeras.common.types import ArrayLike, ConstraintLike, DTypeLike, InitializerLike, RegularizerLike
from polykeras.graph.inference import note_set
from polykeras.layers.base.context import current_context
from polykeras.layers.base.native.attributes import wrap_native
from polykeras.layers.base.native.mixin import own_names
from polykeras.layers.base.own_metrics import OWN_METRICS, own_metrics
from polykeras.layers.base.tracking import CONTAINERS, Tracker, tracked
from polykeras.random import SeedGenerator
from polykeras.variables import Variable, unique
from polykeras.variables.adapters import variable_types, variables_in

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer


class StateMixin(Checkpointable):
    """The state of a layer: makes weights, finds and saves those of sublayers too."""

    _untracked: ClassVar[tuple[str, ...]] = ()
    _tracker: ClassVar[Tracker] = Tracker()
    _alone_in_files: ClassVar[bool] = True  # Keras's `load_model` returns any layer that was saved, not only models

    name: str
    built: bool
    variable_dtype: str
    _trainable: bool
    _thawed: bool  # by itself, though the layer around it may be frozen
    _own_weights: list[Variable]
    _made_at: int
    _set_at: dict[str, int]  # when which attribute got its object: the order of layers and weights

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        instance = super().__new__(cls, *args, **kwargs)
        vars(instance).update(_made_at=version_counter.bump(), _set_at={})
        return instance

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._untracked:
            old = self.__dict__.get(name)
            if type(value) not in PLAIN:
                value = wrap_native(value)
            if type(value) not in PLAIN or type(old) not in PLAIN or name == "_trainable":
                now = version_counter.bump()  # a sublayer may have been replaced
                if value is not old and not (isinstance(value, CONTAINERS) and isinstance(old, CONTAINERS)):
                    self._set_at[name] = now
                note_set(self, name)
        try:
            super().__setattr__(name, value)
        except AttributeError as error:
            if not isinstance(inspect.getattr_static(type(self), name, None), property):
                raise
            owner = next(cls for cls in type(self).__mro__ if name in vars(cls))
            raise AttributeError(
                f"{type(self).__name__}: cannot set the attribute `{name}`: it is a property of {owner.__name__}, "
                f"which computes it. Use another name, such as `own_{name}`, or give the property a setter."
            ) from error

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        version_counter.bump()

    # ---- sublayers ---------------------------------------------------------------------------------------------

    def _held_layers(self) -> list[Layer]:
        return list(tracked(self, StateMixin))

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        found: dict[int, Any] = {}
        stack: list[Any] = [self] if include_self else list(reversed(self._held_layers()))
        while stack:
            layer = stack.pop()
            if id(layer) not in found:
                found[id(layer)] = layer
                if recursive or layer is self:
                    stack.extend(reversed(layer._held_layers()))
        return list(found.values())

    # ---- weights -----------------------------------------------------------------------------------------------

    @takes_legacy_order(
        "name shape dtype initializer regularizer trainable constraint", 0, lambda first: isinstance(first, str)
    )
    def add_weight(
        self,
        shape: Sequence[int] | None = None,
        initializer: InitializerLike = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of this layer, and return it.

        Args:
            shape: a sequence of ints; `()` by default.
            initializer: a name, an initializer, or a function `(shape, dtype)`; by default `"glorot_uniform"` for
                floats and `"zeros"` for other dtypes.
            dtype: the dtype; by default the policy's variable dtype.
            trainable: whether an optimizer changes the variable.
            autocast: whether the variable is read in the compute dtype.
            regularizer: a penalty that is added to the losses.
            constraint: a function that is applied after each update.
            aggregation: what the values of workers that share a batch become: `"sum"` of their changes, `"mean"`, or
                `"only_first_replica"`. `"none"` and None are `"mean"`.
            overwrite_with_gradient: whether the optimizer stores the gradient itself as the new value.
            name: the name in summaries and files.
        """
        dtype = dtypes.standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        variable = Variable(
            initializers.get(initializer), shape or (), dtype, trainable, autocast, aggregation=aggregation, name=name
        )
        variable.path = "/".join([*self._path(), variable.name])
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        if not self.trainable:
            variable.trainable = False
        self._own_weights.append(variable)
        return variable

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """Return a new variable of this layer. Legacy name of `add_weight`; arguments as for that method."""
        return self.add_weight(*args, **kwargs)

    def add_metric(self, value: ArrayLike, name: str | None = None, aggregation: str | None = "mean") -> None:
        """Add the mean of a value computed in `call` to the logs, as in Keras 2.

        Args:
            value: an array; the mean of its elements is taken too.
            name: its name in the logs.
            aggregation: `"mean"` or None, which mean the same.

        Raises:
            NotImplementedError: the value is a symbolic tensor.
            ValueError: the name is missing, or the aggregation is another one.
        """
        import_module("polykeras.legacy.layer_metrics").add_metric(self, value, name, aggregation)

    def _path(self) -> list[str]:
        context = current_context()
        path = list(context.path) if context else []
        return path if path and path[-1] == self.name else [*path, self.name]

    def _own_variables(self) -> list[Variable]:
        """The variables that belong to no sublayer, in Keras's order, which freezing does not change."""
        found = [v for part in tracked(self, variable_types()) for v in variables_in(part, self.name)]
        return sorted(unique([*self._own_weights, *found]), key=lambda v: (not v.made_trainable, v.number))

    @default_property
    def _trainable_variables(self) -> list[Variable]:
        """Own variables that were made to be trained, by Keras's private name; a file holds them first."""
        return [v for v in self._own_variables() if v.made_trainable]

    @default_property
    def _non_trainable_variables(self) -> list[Variable]:
        """The other own variables, by Keras's private name."""
        return [v for v in self._own_variables() if not v.made_trainable]

    @property
    def weights(self) -> list[Variable]:
        """All weights, layer by layer, sublayers last: those made trainable, then others. No seeds, no metrics."""
        return unique(variable for layer in self._flatten_layers() for variable in layer._own_variables())

    @property
    def variables(self) -> list[Variable]:
        """All variables, layer by layer, sublayers last: the weights, then the states of seed generators."""
        found: list[Variable] = []
        for layer in self._flatten_layers():
            found += [*layer._own_variables(), *(seed.state for seed in tracked(layer, SeedGenerator))]
        return unique(found)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that an optimizer changes: those with `trainable`; none if the layer itself is frozen."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

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
    def metrics(self) -> list[Any]:
        """The metrics that this layer and the layers within it keep as attributes."""
        found = [metric for layer in self._flatten_layers() for metric in own_metrics(layer)]
        return unique(found)

    _metrics = OWN_METRICS
    _listed_metrics: Sequence[Any] = ()  # metrics that code appended to `_metrics`

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; setting it sets it for all sublayers and their weights too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable, layer._thawed = bool(value), bool(value) and layer is self
            for variable in layer._own_variables():
                if variable.made_trainable:
                    variable.trainable = value

    def _freeze_parts(self) -> None:
        """Freeze the variables and layers that the layer has made by now, unless a user thawed such a layer."""
        for part in (*self._own_variables(), *(layer for layer in self._held_layers() if not layer._thawed)):
            part.trainable = False

    def count_params(self) -> int:
        """Return the number of scalars in the weights.

        Raises:
            ValueError: the layer is not built.
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
        """Set the values of `weights`. If one of them does not fit, nothing is changed.

        Raises:
            ValueError: the number of arrays is wrong, or a shape is.
        """
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"Layer {self.name!r} has {len(own)} weights; received {len(weights)} arrays."
                + ("" if self.built else " It is not built yet: call it on data first.")
            )
        self._assign_all(own, weights)

    @classmethod
    @cache
    def _unwalked(cls) -> frozenset[str]:
        # Attributes that every layer has, which hold no sublayers. One plain layer is made once, to list their names.
        base: Any = next(c for c in reversed(cls.__mro__) if issubclass(c, StateMixin) and hasattr(c, "call"))
        return frozenset((*vars(base(name="names")), *base._class_names()))

    @classmethod
    def _class_names(cls) -> set[str]:
        return own_names(cls)

    def _saved_variables(self) -> list[Variable]:
        return self._own_variables()

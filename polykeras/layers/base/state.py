"""The weights, variables, sublayers and losses of a layer: found by looking at its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from polykeras import constraints, dtypes, initializers, regularizers
from polykeras.common import nested, version_counter
from polykeras.common.checkpointable import Checkpointable
from polykeras.common.legacy_arguments import takes_legacy_order
from polykeras.common.types import ArrayLike, ConstraintLike, DTypeLike, InitializerLike, RegularizerLike
from polykeras.graph.inference import note_set
from polykeras.layers.base.context import current_context
from polykeras.layers.base.native.attributes import wrap_native
from polykeras.layers.base.native.mixin import own_names
from polykeras.layers.base.own_metrics import OWN_METRICS, own_metrics
from polykeras.layers.base.tracking import PLAIN, Tracker, tracked
from polykeras.random import SeedGenerator
from polykeras.variables import Variable, note_losses, unique
from polykeras.variables.adapters import variable_types, variables_in

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer


class StateMixin(Checkpointable):
    """What a layer holds: making weights, finding those of sublayers too, saving them, and the terms of the loss."""

    _untracked: ClassVar[tuple[str, ...]] = ()
    _tracker: ClassVar[Tracker] = Tracker()
    _alone_in_files: ClassVar[bool] = True  # as in Keras, whose `load_model` gives whatever layer was saved

    name: str
    built: bool
    variable_dtype: str
    _trainable: bool
    _own_weights: list[Variable]
    _losses: dict[int, list[Any]]
    _lossy: dict[int, list[StateMixin]]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._untracked:
            old = self.__dict__.get(name)
            if type(value) not in PLAIN:
                value = wrap_native(value)
            if type(value) not in PLAIN or type(old) not in PLAIN or name == "_trainable":
                version_counter.bump()  # a part may have been exchanged
                note_set(self, name)
            elif value != old:
                version_counter.bump_settings()
        try:
            super().__setattr__(name, value)
        except AttributeError as error:
            if not isinstance(inspect.getattr_static(type(self), name, None), property):
                raise
            owner = next(cls for cls in type(self).__mro__ if name in vars(cls))
            raise AttributeError(
                f"{type(self).__name__}: the attribute `{name}` cannot be set: it is a property of {owner.__name__}, "
                f"which computes it. Give yours another name, such as `own_{name}`, or the property a setter."
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
            shape: ints; `()` by default.
            initializer: a name, an initializer, or a function `(shape, dtype)`; `"glorot_uniform"` for floats and
                `"zeros"` otherwise where None.
            dtype: by default the policy's variable dtype.
            trainable: whether an optimizer changes it.
            autocast: whether it is read in the compute dtype.
            regularizer: a penalty, added to the losses.
            constraint: applied after each update.
            aggregation: how replicas would combine it; kept for Keras code, one process has one replica.
            overwrite_with_gradient: the optimizer stores the gradient itself as the new value.
            name: for summaries and files.
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
        self._own_weights.append(variable)
        return variable

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """Return a new variable of this layer: the legacy name of `add_weight`; arguments as for that."""
        return self.add_weight(*args, **kwargs)

    def add_metric(self, value: ArrayLike, name: str | None = None, aggregation: str | None = "mean") -> None:
        """Keep the mean of what is computed in `call`, for the logs, as in Keras 2.

        Args:
            value: an array, of which the mean is taken too.
            name: its name in the logs.
            aggregation: `"mean"`, or None, which is the same.

        Raises:
            NotImplementedError: it is a symbolic tensor.
            ValueError: there is no name, or another aggregation.
        """
        import_module("polykeras.legacy.layer_metrics").add_metric(self, value, name, aggregation)

    def _path(self) -> list[str]:
        context = current_context()
        path = list(context.path) if context else []
        return path if path and path[-1] == self.name else [*path, self.name]

    def _own_variables(self) -> list[Variable]:
        found = [v for part in tracked(self, variable_types()) for v in variables_in(part, self.name)]
        return unique([*self._own_weights, *found])

    def _trainable_first(self) -> list[Variable]:
        return sorted(self._own_variables(), key=lambda v: not v.trainable)

    @property
    def weights(self) -> list[Variable]:
        """All weights: of each layer its trainable ones, then its others; sublayers after it. No seeds, no metrics."""
        return unique(variable for layer in self._flatten_layers() for variable in layer._trainable_first())

    @property
    def variables(self) -> list[Variable]:
        """Of each layer its weights, then the states of its seed generators; sublayers after it."""
        found: list[Variable] = []
        for layer in self._flatten_layers():
            found += [*layer._trainable_first(), *(seed.state for seed in tracked(layer, SeedGenerator))]
        return unique(found)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that an optimizer changes: none of a layer that is frozen, or within one."""
        return unique(self._trainable_weights(set()))

    def _trainable_weights(self, seen: set[int]) -> list[Variable]:
        if not self.trainable or id(self) in seen:
            return []
        seen.add(id(self))
        own = [v for v in self._own_variables() if v.trainable]
        return own + [v for layer in self._held_layers() for v in layer._trainable_weights(seen)]

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
        """The metrics that this layer and layers within it keep as attributes."""
        found = [metric for layer in self._flatten_layers() for metric in own_metrics(layer)]
        return list({id(metric): metric for metric in found}.values())

    _metrics = OWN_METRICS
    _listed_metrics: Sequence[Any] = ()  # what code appended to it

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; setting it sets it for all sublayers too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
            layer._freeze_parameters()

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
        self._assign_all(own, weights)

    @classmethod
    @cache
    def _unwalked(cls) -> frozenset[str]:
        # What each layer has, and so no part of one of its own. The class of all layers is made once, for its names.
        base: Any = next(c for c in reversed(cls.__mro__) if issubclass(c, StateMixin) and hasattr(c, "call"))
        return frozenset((*vars(base(name="names")), *base._class_names()))

    @classmethod
    def _class_names(cls) -> set[str]:
        return own_names(cls)

    def _saved_variables(self) -> list[Variable]:
        return self._trainable_first()

    # ---- losses ------------------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add scalar term(s), computed in `call`, to what training minimises."""
        context, thread, terms = current_context(), get_ident(), nested.flatten(loss)
        if context is not None and self not in context.lossy:
            context.lossy.append(self)
            self._losses[thread] = []  # without those of an earlier call
        self._losses.setdefault(thread, []).extend(terms)
        note_losses(terms)

    def _added_losses(self) -> list[Any]:
        """Return what the last call in this thread added; another one may call the same layer meanwhile."""
        return self._losses.get(get_ident(), [])

    def _forget_losses(self) -> None:
        thread = get_ident()
        for layer in self._lossy.pop(thread, ()):
            layer._losses.pop(thread, None)

    @property
    def losses(self) -> list[Any]:
        """The scalar terms of the last call's `add_loss`, and the penalties of weight regularizers."""
        terms = [term for layer in self._flatten_layers() for term in layer._added_losses()]
        return terms + [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]

"""The base class of all layers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

from polykeras import dtype_policies, regularizers
from polykeras.backend import registry
from polykeras.backend.handles import convert, find_symbolic
from polykeras.common import nested
from polykeras.common.naming import did_you_mean, is_ours
from polykeras.common.types import DTypeLike, RegularizerLike
from polykeras.graph import Operation
from polykeras.layers.base.building import BuildMixin, completed
from polykeras.layers.base.call_arguments import call_spec
from polykeras.layers.base.calling import begins_symbolic, call_outermost, call_within
from polykeras.layers.base.context import current_context
from polykeras.layers.base.legacy_names import takes_legacy_names
from polykeras.layers.base.losses import LossesMixin
from polykeras.layers.base.native.mixin import NativeMixin
from polykeras.layers.base.policy import PolicyMixin
from polykeras.layers.base.shapes import take_input_shape
from polykeras.layers.base.state import StateMixin
from polykeras.layers.base.symbolic import SymbolicMixin
from polykeras.saving.configurable import init_parameters
from polykeras.saving.serialization import Registry
from polykeras.variables import Scope, read_state

LAYERS: Registry[Any] = Registry("layer", "keras.layers")
_SHAPES_IN_GRAPHS = {"input_shape": "input", "output_shape": "output"}


class Layer(StateMixin, LossesMixin, BuildMixin, PolicyMixin, SymbolicMixin, Operation, NativeMixin):
    """A function of arrays with weights.

    Subclasses write `__init__` (arguments), `build` (weights, once the input's shape is known) and `call` (the
    computation, with `polykeras.ops`). The same code runs on every backend, and on shapes alone.

    Args:
        activity_regularizer: a penalty on the outputs, added to the losses.
        trainable: whether the weights are trained; False freezes them.
        dtype: a dtype, or a policy such as `"mixed_bfloat16"`.
        autocast: whether float inputs are cast to the compute dtype.
        name: the layer's name; by default made from the name of its class.
        **kwargs: `input_shape`, `input_dim`, `batch_input_shape` and `batch_size`, as in Keras 2, for the first layer
            of a `Sequential`.

    Raises:
        TypeError: an argument is unknown.

    Example:
        >>> from polykeras import layers, ops
        >>> class Scale(layers.Layer):
        ...     def build(self, input_shape):
        ...         self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        ...     def call(self, inputs):
        ...         return inputs * self.scale
        >>> Scale()([[1.0, 2.0]]).shape == (1, 2)
        True
    """

    _not_in_config = ("autocast",)
    # Arguments of Keras's class of this name that this class lacks, with their defaults in Keras: None or False.
    _lacks: ClassVar[dict[str, Any]] = {}
    _untracked = ("inbound_nodes", "_init_arguments", "_losses", "_lossy", "_build_shapes", "_set_at")

    # Traits: a class states them of itself, and a user's class inherits none (`common.traits`). `sample_by_sample`
    # (True, or "not in training"): no sample of a batch affects the results of another, so a batch may be filled up.
    # `pure_call`: a call depends only on arrays and variables and has no other effects, so it may be compiled.
    sample_by_sample: ClassVar[bool | str] = False
    pure_call: ClassVar[bool] = True  # true of the layers of polykeras; a user's class must state it

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = None,
        trainable: bool = True,
        dtype: DTypeLike = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._batch_input_shape = take_input_shape(kwargs)
        self._initial_weights = kwargs.pop("weights", None)
        if kwargs:
            near = "".join(did_you_mean(name, [p.name for p in init_parameters(type(self))]) for name in kwargs)
            raise TypeError(
                f"{type(self).__name__} got unexpected argument(s): {', '.join(kwargs)}.{near} "
                f"It takes {', '.join(p for p in inspect.signature(type(self)).parameters if p != 'kwargs')}."
            )
        super().__init__(name)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = dtype_policies.get(dtype)
        self.autocast = autocast
        self.built = self._built_at_init and not self._has_own_build()
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        self.input_spec: Any = None
        self._trainable = bool(trainable)
        self._thawed = False
        self._own_weights = []
        # Per thread: the terms added to the loss, and the layers in which the last outermost call of this layer left
        # some.
        self._losses, self._lossy = {}, {}
        self._build_shapes = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls) and is_ours(cls):
            cls.__init__ = takes_legacy_names(cls.__init__)
        if "build" in vars(cls):
            cls.build = completed(cls.build)
        if "compute_mask" in vars(cls) and not is_ours(cls):
            cls._makes_masks = True  # a user's `compute_mask` may make a mask without one of the inputs

    # ---- to be overridden --------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights. It is called once, before the first `call`.

        Args:
            input_shape: the shape of the first argument of `call`, with None for unknown sizes; a tree of shapes for a
                tree of inputs. If `build` has several parameters, each gets the shape of one argument: `query_shape`
                that of `query`.
        """
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from the inputs."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `call`.")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the outputs. By default, a layer that supports masking passes on the mask of its inputs.

        Args:
            inputs: the inputs of the call.
            previous_mask: the masks of the inputs, in the same structure; None for an input without a mask.
        """
        return previous_mask

    def __getstate__(self) -> dict[str, Any]:
        """Give copies, even shallow ones, their own losses and order of attributes."""
        return vars(self) | {"_losses": {}, "_lossy": {}, "_set_at": self._set_at.copy()}

    # ---- calling -----------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and "_own_weights" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}, because its base class is not initialized: call "
                "`super().__init__()` first in `__init__`."
            )
        for backend, provider in registry.providers().items():
            if name in provider.on_search:
                provider.on_search[name]()
            if name in provider.layer_methods:
                registry.current()  # loads the backend, if it is the current one
                if hasattr(type(self), name):
                    return self.__getattribute__(name)
                raise AttributeError(
                    f"{self._title()} has `{name}` only with the {backend} backend loaded: choose it with "
                    f"`polykeras.set_backend({backend!r})`."
                )
        if name in _SHAPES_IN_GRAPHS and self._inbound_nodes:  # no properties: layers may set them
            return nested.map_structure(lambda tensor: tensor.shape, getattr(self, _SHAPES_IN_GRAPHS[name]))
        return self.__getattribute__(name)  # raises again, with a property's own message

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on arrays, or on symbolic tensors to make it part of a graph."""
        context = current_context()
        if context is not None and not begins_symbolic(args):
            return call_within(self, context, args, kwargs)
        if find_symbolic((args, kwargs)) is not None:
            if type(self).compute_output_spec is not Layer.compute_output_spec:
                self._build_on_shapes(args, kwargs)
                return self.record(args, kwargs, self.compute_output_spec(*args, **kwargs))
            mask = None if is_ours(type(self)) else self._implied_mask(args, kwargs)
            told = kwargs | {"mask": mask} if nested.flatten(mask) else kwargs  # a user's code may rely on the mask
            return self.record(args, kwargs, self.compute_output_spec(*args, **told))
        return call_outermost(self, *args, **kwargs)

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> Any:
        """Add a call to the graph.

        Raises:
            ValueError: the call returned None.
        """
        if outputs is None:
            raise ValueError(f"The `call` of {self._title()} returned None. Did it forget to `return` its outputs?")
        return super().record(args, kwargs, outputs)

    # Keras's name for whether a call may be compiled.
    supports_jit = True

    # Keras's switch for converting NumPy arrays and lists in a call's arguments.
    _convert_input_args = True

    # Whether a call casts floats to the compute dtype. In a graph, each layer does so itself.
    _casts_inputs = True

    # Whether a new layer counts as built. In Keras, layers without weights do.
    _built_at_init = False

    # Whether `compute_mask` may return a mask for inputs without one (Masking, Embedding(mask_zero=True)).
    _makes_masks = False

    # Names of the inputs' axes, for the message if their number is wrong; () if any number fits.
    _input_axes: tuple[str, ...] = ()

    def _title(self) -> str:
        return f"Layer {self.name!r} ({type(self).__name__})"

    @property
    def call_signature_parameters(self) -> list[str]:
        """The names of the parameters of `call`."""
        return list(inspect.signature(self.call).parameters)

    @property
    def _call_has_training_arg(self) -> bool:
        return call_spec(type(self).call).has_training

    @property
    def _call_has_mask_arg(self) -> bool:
        return call_spec(type(self).call).has_mask

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer with the given values of its variables, without changing the variables.

        Args:
            trainable_variables: a value for each of `self.trainable_variables`.
            non_trainable_variables: a value for each of `self.non_trainable_variables`.
            *args: positional arguments of the call.
            return_losses: whether to return `losses` too.
            **kwargs: keyword arguments of the call.

        Returns:
            `(outputs, non_trainable_variables)`, or `(outputs, non_trainable_variables, losses)`.

        Raises:
            ValueError: the layer is not built, or a list has the wrong length.
        """
        if not self.built:
            raise ValueError(f"{self._title()}: build it, or call it on data once, before `stateless_call`.")
        backend = registry.current()
        others = self.non_trainable_variables
        values = [convert(backend, value) for value in (*trainable_variables, *non_trainable_variables)]
        with Scope([*self.trainable_variables, *others], values):
            outputs = self(*args, **kwargs)
            result = outputs, read_state(others, backend)
            losses = self.losses if return_losses else []
        self._forget_losses()  # they belong to this call, and may be traced values
        return (*result, losses) if return_losses else result

    # ---- config ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data; see `Configurable`."""
        config = super().get_config()
        if "dtype" in config:  # `__init__` may not take it
            config["dtype"] = dtype_policies.serialize(self.dtype_policy)
        if not config.get("activity_regularizer"):
            config.pop("activity_regularizer", None)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the layer that a config describes; `get_config` wrote it, here or in Keras.

        Arguments of Keras that this class lacks are dropped if they have Keras's default, which changes nothing.

        Raises:
            TypeError: the config has another argument that `__init__` does not take.
        """
        known = {p.name for p in init_parameters(cls)}
        lacks = {name for name, default in cls._lacks.items() if name not in known and config.get(name) is default}
        return super().from_config({name: value for name, value in config.items() if name not in lacks})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

"""The base class of all layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any

from polykeras import constraints, dtype_policies, dtypes, initializers, masks, regularizers, tree
from polykeras.backend import Backend, registry
from polykeras.backend.door import Handle, convert
from polykeras.graph import KerasTensor, Operation, infer_outputs
from polykeras.graph.tensor import known_shape
from polykeras.layers.context import CallContext, current_context, enter_context
from polykeras.layers.input_spec import assert_input_compatibility
from polykeras.layers.state import StateMixin
from polykeras.saving.configurable import Configurable, init_parameters
from polykeras.saving.serialization import Registry
from polykeras.variables import Scope, Variable, autocast_scope, read_state

LAYERS: Registry[Any] = Registry("layer", "keras.layers")


class CallSpec:
    """What the `call` of a class takes, found out once a class."""

    __slots__ = ("has_mask", "has_training", "mask_arguments", "names", "training_default")

    def __init__(self, call: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(call).parameters.values())
        names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        self.names = names[1:] if names[:1] == ["self"] else names
        by_name = {p.name: p for p in parameters}
        self.has_training = "training" in by_name
        default = by_name["training"].default if self.has_training else None
        self.training_default = None if default is inspect.Parameter.empty else default
        self.has_mask = "mask" in by_name
        self.mask_arguments = [n for n in self.names if n.endswith("_mask") and n[: -len("_mask")] in self.names]


@cache
def call_spec(call: Callable[..., Any]) -> CallSpec:
    """Return what a `call` method takes."""
    return CallSpec(call)


class Layer(StateMixin, Configurable, Operation):
    """A function of arrays with weights.

    Subclasses write `__init__` (arguments), `build` (weights, once the input's shape is known) and `call` (the
    computation, with `polykeras.ops`). The same code runs on every backend, and on shapes alone.

    Args:
        activity_regularizer: a penalty on the outputs, added to the losses.
        trainable: False freezes all weights.
        dtype: a dtype or a policy, such as `"mixed_bfloat16"`.
        autocast: whether float inputs are cast to the compute dtype.
        name: by default made from the class's name.
        **kwargs: `input_shape`, `input_dim`, `batch_input_shape`, `batch_size` as in Keras 2, for the first layer of
            a `Sequential`.

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
    _untracked = ("inbound_nodes", "_init_arguments", "_losses", "_lossy", "_build_shapes")

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._batch_input_shape = _take_input_shape(kwargs)
        self._initial_weights = kwargs.pop("weights", None)
        if kwargs:
            raise TypeError(
                f"{type(self).__name__} got unexpected argument(s): {', '.join(kwargs)}. "
                f"It takes {', '.join(p for p in inspect.signature(type(self)).parameters if p != 'kwargs')}."
            )
        super().__init__(name)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = dtype_policies.get(dtype)
        self.autocast = autocast
        self.built = False
        self.supports_masking = False
        self.input_spec: Any = None
        self._trainable = bool(trainable)
        self._own_weights: list[Variable] = []
        self._losses: list[Any] = []
        self._lossy: list[Layer] = []  # layers in which the last outermost call of this one left losses
        self._build_shapes: dict[str, Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _completed(cls.build)

    # ---- dtypes ------------------------------------------------------------------------------------------------

    @property
    def compute_dtype(self) -> str:
        """The dtype in which the layer computes."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the layer's weights."""
        return self.dtype_policy.variable_dtype

    @property
    def dtype(self) -> str:
        """The dtype of the layer's weights."""
        return self.dtype_policy.variable_dtype

    # ---- weights -----------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Sequence[int] | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of this layer.

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

        Returns:
            The variable.
        """
        dtype = dtypes.standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        variable = Variable(initializers.get(initializer), shape or (), dtype, trainable, autocast, name=name)
        variable.path = "/".join([*self._path(), variable.name])
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._own_weights.append(variable)
        return variable

    def _path(self) -> list[str]:
        context = current_context()
        path = list(context.path) if context else []
        return path if path and path[-1] == self.name else [*path, self.name]

    def add_loss(self, loss: Any) -> None:
        """Add scalar term(s), computed in `call`, to what training minimises."""
        context = current_context()
        if context is not None and self not in context.lossy:
            context.lossy.append(self)
            self._losses = []  # those of an earlier call
        self._losses += tree.flatten(loss)

    # ---- to be overridden --------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights. Called once, before the first `call`.

        Args:
            input_shape: the shape of the first argument of `call` (a tree of shapes for a tree of inputs), None for
                unknown sizes. A `build` with several parameters gets one shape each, as `query_shape` for `query`.
        """
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from the inputs."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `call`.")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the outputs: that of the inputs, for a layer that supports masking."""
        return previous_mask

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Return the shape of the outputs for inputs of the given shape(s), by running `call` on shapes alone."""

        def as_tensor(shape: Any) -> Any:
            return KerasTensor(shape, self.compute_dtype)

        args = tuple(map_shapes(as_tensor, arg) for arg in args)
        kwargs = {name.removesuffix("_shape"): map_shapes(as_tensor, shape) for name, shape in kwargs.items()}
        return tree.map_structure(lambda x: x.shape, self.compute_output_spec(*args, **kwargs))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic outputs for symbolic inputs, without recording a call."""
        try:
            outputs = infer_outputs(self._call_outermost, args, kwargs)
            self._forget_losses()  # which have no values
            return outputs
        except (AttributeError, TypeError, ValueError) as error:
            # Native code of a framework cannot take symbolic arrays. Its author may have written the shapes down.
            if "SymbolicArray" not in str(error) or type(self).compute_output_shape is Layer.compute_output_shape:
                raise
        shapes = self.compute_output_shape(*tree.map_structure(lambda x: x.shape, args))
        return map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), shapes)

    # ---- calling -----------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and "_own_weights" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}, as its base class was not set up: call "
                "`super().__init__()` first in `__init__`."
            )
        return self.__getattribute__(name)  # raises again, with the message of a property where one raised

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on arrays, or on symbolic tensors to make it part of a graph."""
        context = current_context()
        if context is not None and not _begins_symbolic(args):
            return self._call_within(context, args, kwargs)
        if any(isinstance(leaf, KerasTensor) for leaf in tree.flatten((args, kwargs))):
            return self.record(args, kwargs, self.compute_output_spec(*args, **kwargs))
        return self._call_outermost(*args, **kwargs)

    def _call_outermost(self, *args: Any, **kwargs: Any) -> Any:
        self._forget_losses()
        with enter_context((args, kwargs)) as context:
            outputs = self._call_within(context, args, kwargs)
        self._lossy = context.lossy
        if context.masks:
            for leaf in tree.flatten(outputs):
                if id(leaf) in context.masks:
                    masks.keep(leaf, context.masks[id(leaf)][1])
        return outputs

    def _forget_losses(self) -> None:
        for layer in self._lossy:
            layer._losses = []

    def _call_within(self, context: CallContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        backend = registry.current()
        spec = call_spec(type(self).call)
        args, kwargs = self._prepare_arguments(backend, context, args, kwargs)
        outer_training = context.training
        self._fill_training(spec, context, kwargs, len(args))
        if context.masks:
            self._fill_masks(spec, context, args, kwargs)
        context.path.append(self.name)
        try:
            if not self.built:
                self._build(backend, spec, args, kwargs)
            if self.input_spec is not None and args:
                assert_input_compatibility(self.input_spec, args[0], backend, self._title())
            if self.compute_dtype != self.variable_dtype:
                with autocast_scope(self.compute_dtype):
                    outputs = self.call(*args, **kwargs)
            else:
                outputs = self.call(*args, **kwargs)
            if outputs is None:
                raise ValueError(f"The `call` of {self._title()} returned None. Did it forget to `return` its outputs?")
        except Exception as error:
            _note(error, f"While calling {self._title()} of {'/'.join(context.path)} with", backend, (args, kwargs))
            raise
        finally:
            context.path.pop()
            context.training = outer_training
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                self.add_loss(self.activity_regularizer(output) / backend.shape(output)[0])
        mask = kwargs.get("mask")
        if context.masks or self._makes_masks or mask is not None:
            self._set_masks(context, args, mask, outputs)
        return outputs

    # Whether `compute_mask` may give a mask where the inputs have none (Masking, Embedding(mask_zero=True)).
    _makes_masks = False

    def _title(self) -> str:
        return f"Layer {self.name!r} ({type(self).__name__})"

    def _prepare_arguments(
        self, backend: Backend, context: CallContext, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Convert positional arguments to arrays of the backend, floats to the compute dtype."""
        cast_to = self.compute_dtype if self.autocast else None

        def prepare(leaf: Any) -> Any:
            if isinstance(leaf, Handle):
                leaf = leaf.value
            elif not backend.is_tensor(leaf):
                if not hasattr(leaf, "__array__"):
                    return leaf
                leaf = backend.asarray(leaf)
            if cast_to is not None:
                dtype = backend.dtype(leaf)
                if dtype != cast_to and dtypes.is_float(dtype):
                    return context.passes_mask(leaf, backend.cast(leaf, cast_to))
            return leaf

        if len(args) == 1 and backend.is_tensor(args[0]):
            args = (prepare(args[0]),)
        else:
            args = tuple(_lists_to_arrays(backend, arg) for arg in args)
            args = tree.map_structure(prepare, args)
        if kwargs:
            kwargs = {name: tree.map_structure(prepare, value) for name, value in kwargs.items()}
        return args, kwargs

    def _fill_training(self, spec: CallSpec, context: CallContext, kwargs: dict[str, Any], given: int) -> None:
        explicit = kwargs.get("training")
        if explicit is None and spec.has_training and given > spec.names.index("training"):
            return
        if explicit is not None:
            context.training = explicit
        elif context.training is None and spec.training_default is not None:
            context.training = spec.training_default
        if spec.has_training:
            kwargs["training"] = context.training
        elif explicit is not None:
            kwargs.pop("training")

    def _fill_masks(self, spec: CallSpec, context: CallContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if spec.has_mask and kwargs.get("mask") is None and args and len(args) <= spec.names.index("mask"):
            found = tree.map_structure(context.mask_of, args[0])
            if any(mask is not None for mask in tree.flatten(found)) or tree.is_nested(args[0]):
                kwargs["mask"] = found
        for name in spec.mask_arguments:
            source = name[: -len("_mask")]
            place = spec.names.index(source)
            value = args[place] if place < len(args) else kwargs.get(source)
            if kwargs.get(name) is None and len(args) <= spec.names.index(name) and value is not None:
                mask = context.mask_of(value)
                if mask is not None:
                    kwargs[name] = mask

    def _set_masks(self, context: CallContext, args: tuple[Any, ...], given: Any, outputs: Any) -> None:
        if not (self.supports_masking or self._makes_masks) or not args:
            return
        previous = tree.map_structure(context.mask_of, args[0]) if given is None else given
        made = self.compute_mask(args[0], previous)
        if made is None:
            return
        leaves = tree.flatten(outputs)
        flat = made if isinstance(made, (list, tuple)) else tree.flatten(made)  # which would drop a None
        for leaf, mask in zip(leaves, flat, strict=False):
            context.set_mask(leaf, mask)

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer with given values of its variables, and change none.

        Args:
            trainable_variables: values for the property of that name.
            non_trainable_variables: in the same way.
            *args: of the call.
            return_losses: whether to return `losses` too.
            **kwargs: of the call.

        Returns:
            `(outputs, non_trainable_variables)`, or `(outputs, non_trainable_variables, losses)`.

        Raises:
            ValueError: the layer is not built, or a list has another length.
        """
        if not self.built:
            raise ValueError(f"{self._title()}: build it, or call it on data once, before `stateless_call`.")
        backend = registry.current()
        others = self.non_trainable_variables
        values = [convert(backend, value) for value in (*trainable_variables, *non_trainable_variables)]
        with Scope([*self.trainable_variables, *others], values):
            outputs = self(*args, **kwargs)
            result = outputs, read_state(others, backend)
            return (*result, self.losses) if return_losses else result

    # ---- building ----------------------------------------------------------------------------------------------

    def _build(self, backend: Backend, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = dict(zip(spec.names, args, strict=False)) | kwargs
        shapes = {
            name: tree.map_structure(lambda x: known_shape(backend.shape(x)), value)
            for name, value in given.items()
            if not name.endswith("mask") and value is not None and all(map(backend.is_tensor, tree.flatten(value)))
        }
        if not shapes:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) cannot be built: its call received no array. Received "
                f"{', '.join(f'{name}={value!r}' for name, value in given.items()) or 'nothing'}."
            )
        self._build_shapes = shapes
        weights = list(self._own_weights)
        try:
            self._build_weights(shapes)
        except Exception:
            self._own_weights = weights  # the next attempt makes them anew
            raise
        self._after_build()

    def _build_weights(self, shapes: dict[str, Any]) -> None:
        parameters = [p for p in inspect.signature(self.build).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        if len(parameters) <= 1 or not all(p.name.endswith("_shape") for p in parameters):
            self.build(next(iter(shapes.values())))
        else:
            named = {f"{name}_shape": shape for name, shape in shapes.items()}
            self.build(**{p.name: named[p.name] for p in parameters if p.name in named})

    def _after_build(self) -> None:
        self.built = True
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes that `get_build_config` gave."""
        if not config or self.built:
            return
        if "shapes_dict" in config:
            shapes = {name.removesuffix("_shape"): shape for name, shape in config["shapes_dict"].items()}
            self.compute_output_spec(**{name: map_shapes(KerasTensor, s) for name, s in shapes.items()})
        else:
            self.compute_output_spec(map_shapes(KerasTensor, config["input_shape"]))

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes with which the layer was built, or None."""
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": dict(self._build_shapes)}

    # ---- config ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data; see `Configurable`."""
        config = super().get_config()
        if "dtype" in config:  # else `__init__` does not take it
            config["dtype"] = {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": self.dtype_policy.get_config(),
                "registered_name": None,
            }
        if not config.get("activity_regularizer"):
            config.pop("activity_regularizer", None)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return a layer made from what `get_config` gave, here or in Keras.

        Arguments of Keras that this class does not have are left out where they are off (None or False): they change
        nothing.
        """
        known = {p.name for p in init_parameters(cls)}
        return super().from_config({k: v for k, v in config.items() if k in known or v not in (None, False)})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _completed(build: Callable[..., None]) -> Callable[..., None]:
    """Return a `build` after which the layer counts as built, whoever calls it."""

    @wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        if type(self).build is wrapper:  # not one that a subclass's `build` calls
            if self._build_shapes is None:
                _, *given = inspect.signature(build).bind(self, *args, **kwargs).arguments.items()
                self._build_shapes = {name.removesuffix("_shape"): shape for name, shape in given} or None
            self._after_build()

    return wrapper


def _take_input_shape(kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Take Keras 2's ways to give an input's shape out of `kwargs`, and return it with the batch axis."""
    batch_shape = kwargs.pop("batch_input_shape", None)
    batch_size = kwargs.pop("batch_size", None)
    shape = kwargs.pop("input_shape", None)
    width = kwargs.pop("input_dim", None)
    length = kwargs.pop("input_length", None)
    if batch_shape is not None:
        return tuple(batch_shape)
    if shape is None and width is not None:
        shape = (width,) if length is None else (length, width)
    if shape is None:
        return None
    return (batch_size, *((shape,) if isinstance(shape, int) else tuple(shape)))


def _begins_symbolic(args: tuple[Any, ...]) -> bool:
    """Return whether a graph is made within a call, as by a layer whose `build` makes a model. Looks at no more."""
    first = args[0] if args else None
    if isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, KerasTensor)


def _note(error: Exception, what: str, backend: Backend, arguments: Any) -> None:
    """Say in an error where it arose; only once, in the innermost layer."""
    if not any(note.startswith("While calling") for note in getattr(error, "__notes__", ())):
        arrays = [leaf for leaf in tree.flatten(arguments) if backend.is_tensor(leaf)]
        shown = [f"{backend.dtype(x)} {known_shape(backend.shape(x))}" for x in arrays]
        error.add_note(f"{what} {', '.join(shown) or 'no arrays'}.")


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(n is None or isinstance(n, int) for n in value)


def map_shapes(fn: Callable[[Any], Any], shapes: Any) -> Any:
    """Return a tree of shapes with `fn` applied to each shape."""
    if _is_shape(shapes):
        return fn(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(fn, value) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return type(shapes)(map_shapes(fn, value) for value in shapes)
    return shapes


def _lists_to_arrays(backend: Backend, arg: Any) -> Any:
    """Return a nested list of numbers as an array; lists of arrays stay lists."""
    if (
        isinstance(arg, (list, tuple))
        and arg
        and all(isinstance(leaf, (bool, int, float)) for leaf in tree.flatten(arg))
    ):
        return backend.asarray(arg)
    return arg

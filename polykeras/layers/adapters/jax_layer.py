"""A function of JAX's own as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from polykeras import dtypes
from polykeras.backend import registry
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.random import SeedGenerator
from polykeras.saving.serialization import deserialize_keras_object
from polykeras.seeds import draw_seed, key_of
from polykeras.tree import map_shape_structure  # not `nested`: None is an unknown size
from polykeras.variables import Variable

__all__ = ["JaxLayer"]

_CALL_ARGUMENTS = ("params", "state", "rng", "inputs", "training")
_INIT_ARGUMENTS = ("rng", "inputs", "training")


@LAYERS.register()
class JaxLayer(Layer):
    """A function of JAX as a layer, with its trees of parameters as weights. It runs with the JAX backend.

    A function gets those of the following arguments that it names: `params`, the tree of trainable arrays; `state`, the
    tree of arrays that are not trained; `rng`, a key of JAX's, None outside of training; `inputs`, an array or a tree
    of arrays; `training`, a bool. If `call_fn` takes `state`, it returns `(outputs, new_state)`, and `init_fn` returns
    `(params, state)`. Otherwise they return the outputs, and the params, alone.

    Args:
        call_fn: computes the outputs. It takes `inputs`, and any of the others.
        init_fn: makes params and state. It takes `rng`, `inputs` (ones in the shape of the inputs) and `training`
            (True).
        params: the tree of trainable arrays, if they exist already.
        state: the tree of the other arrays, if they exist already.
        seed: of the keys that calls get.
        native_serialization_platforms: kept for Keras code, which needs it on TensorFlow.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: the current backend is another one, a function has other arguments, or nothing makes the params.

    Attributes:
        params: the tree of trainable variables, None before they are made.
        state: the tree of the other variables.

    Example:
        layer = JaxLayer(
            lambda params, inputs: inputs @ params["w"],
            init_fn=lambda rng, inputs: {"w": jax.random.normal(rng, (inputs.shape[-1], 2))},
        )
    """

    _not_in_config = (*Layer._not_in_config, "params", "state", "seed")
    _untracked = (*Layer._untracked, "params", "state")  # the variables are found as the layer's own weights
    _code = ("call_fn", "init_fn")

    def __init__(
        self,
        call_fn: Callable[..., Any],
        init_fn: Callable[..., Any] | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self._jax()
        super().__init__(**kwargs)
        self.call_fn, self.init_fn = call_fn, init_fn
        self.native_serialization_platforms = native_serialization_platforms
        self.call_fn_arguments = _arguments(call_fn, "call_fn", _CALL_ARGUMENTS)
        self.init_fn_arguments = _arguments(init_fn, "init_fn", _INIT_ARGUMENTS) if init_fn is not None else []
        self.call_fn_has_params = "params" in self.call_fn_arguments
        self.call_fn_has_state = "state" in self.call_fn_arguments
        self.seed_generator = SeedGenerator(seed) if "rng" in self.call_fn_arguments else None
        if init_fn is None and params is None and state is None and (self.call_fn_has_params or self.call_fn_has_state):
            raise ValueError(
                f"{type(self).__name__}: `call_fn` takes `params` or `state`, and nothing makes them. Pass `init_fn`, "
                "`params` or `state`."
            )
        self.params = self._variables_of(params, trainable=True)
        self.state = self._variables_of(state, trainable=False)
        if params is not None or state is not None:
            self.built = True

    def _jax(self) -> Any:
        return registry.current().foreign("jax", type(self).__name__)

    def _variables_of(self, values: Any, trainable: bool) -> Any:
        """Return a tree with variables in place of arrays and numbers. Anything else in it stays, for the function."""
        jax = self._jax()

        def variable(leaf: Any) -> Any:
            if not (jax.is_array(leaf) or isinstance(leaf, (bool, int, float))):
                return leaf
            dtype = jax.dtype_of(leaf) if jax.is_array(leaf) else dtypes.standardize_dtype(type(leaf))
            policy = None if dtypes.is_float(dtype) else dtype  # floats are of the layer's dtype
            shape = getattr(leaf, "shape", ())
            return self.add_weight(shape, lambda shape, dtype: leaf, dtype=policy, trainable=trainable)

        return jax.tree_map(variable, values)

    # ---- keys, which a subclass may want in another structure -------------------------------------------------------

    def _get_init_seed(self) -> Any:
        """Return a new key for `init_fn`."""
        return self._jax().key(key_of(draw_seed()))

    def _get_init_rng(self) -> Any:
        """Return what `init_fn` gets as `rng`: a key."""
        return self._get_init_seed()

    def _get_call_seed(self) -> Any:
        """Return a new key for `call_fn`."""
        assert self.seed_generator is not None
        return self._jax().key(self.seed_generator.next())

    def _get_call_rng(self, training: bool) -> Any:
        """Return what `call_fn` gets as `rng`: a key in training, None outside of it."""
        return self._get_call_seed() if training else None

    # ---- a layer ----------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make params and state by `init_fn`, where they were not given."""
        if not (self.call_fn_has_params or self.call_fn_has_state):
            return
        jax = self._jax()
        with jax.concretely():
            known: dict[str, Any] = {"inputs": map_shape_structure(lambda n: jax.ones(_sized(n, 1)), input_shape)}
            known["training"] = True
            if "rng" in self.init_fn_arguments:
                known["rng"] = self._get_init_rng()
            assert self.init_fn is not None
            found = self.init_fn(*(known[name] for name in self.init_fn_arguments))
        params, state = found if self.call_fn_has_state else (found, None)
        self.params = self._variables_of(params, trainable=True)
        self.state = self._variables_of(state, trainable=False)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Return the outputs of the function. Its new state, if it has one, is assigned to `state`.

        Args:
            inputs: what the function takes as its inputs: an array, or a tree of arrays.
            training: passed to functions that take it.

        Raises:
            ValueError: the new state is another tree.
        """
        jax, training = self._jax(), bool(training)
        known = {"params": jax.values(self.params), "state": jax.values(self.state), "inputs": inputs}
        known["training"] = training
        if "rng" in self.call_fn_arguments:
            known["rng"] = self._get_call_rng(training)
        result = self.call_fn(*(known[name] for name in self.call_fn_arguments))
        if not self.call_fn_has_state:
            return result
        outputs, state = result
        jax.tree_map(self._assign, state, self.state)
        return outputs

    def _assign(self, value: Any, variable: Any) -> None:
        if isinstance(variable, Variable):
            variable.assign(value)
        elif value is not variable:
            raise ValueError(
                f"{self._title()}: the state that `call_fn` returns must be a tree like the first one; where there was "
                f"{variable!r} it has {value!r}."
            )

    # ---- config -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return a layer made from what `get_config` gave."""
        return super().from_config(config | {n: deserialize_keras_object(config[n]) for n in cls._code if n in config})


def _arguments(function: Callable[..., Any], name: str, allowed: Sequence[str]) -> list[str]:
    """Return the names of a function's arguments.

    Raises:
        ValueError: it has no `inputs`, or an argument that is not allowed.
    """
    found = list(inspect.signature(function).parameters)
    if "inputs" not in found:
        raise ValueError(f"`{name}` must have an argument `inputs`; it has {found}.")
    others = ", ".join(f"`{argument}`" for argument in found if argument not in allowed)
    if others:
        raise ValueError(f"`{name}` may have the arguments {list(allowed)}; it has {others} too.")
    return found


def _sized(shape: Sequence[int | None], size: int) -> tuple[int, ...]:
    return tuple(size if n is None else n for n in shape)

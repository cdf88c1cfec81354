"""A module of Flax as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from polykeras.layers.adapters.jax_layer import JaxLayer
from polykeras.layers.base.layer import LAYERS
from polykeras.saving.serialization import deserialize_keras_object

__all__ = ["FlaxLayer"]


@LAYERS.register()
class FlaxLayer(JaxLayer):
    """A `flax.linen.Module` as a layer, with its variables as weights. It runs with the JAX backend, and needs Flax.

    The collection `"params"` of Flax is trained. All other collections are state, which calls may change. In training
    the module gets a key for `"dropout"`.

    Args:
        module: the module.
        method: computes the outputs: a method of the module, or a function that takes the module first; `__call__` by
            default. It takes `inputs`, an array or a tree of arrays, and may take `training`.
        variables: those of the module as its `init` returns them, if they exist already.
        **kwargs: as for `JaxLayer`, except its functions and trees.

    Raises:
        ValueError: the current backend is another one.
        ImportError: Flax is not installed.
    """

    _not_in_config = (*JaxLayer._not_in_config, "call_fn", "init_fn", "variables")
    _code = ("module",)

    def __init__(
        self,
        module: Any,
        method: Callable[..., Any] | None = None,
        variables: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        mutable = self._jax().flax_without_params()
        takes_training = "training" in inspect.signature(method or module.__call__).parameters

        def apply(params: Any, state: Any, rng: Any, inputs: Any, **told: Any) -> Any:
            held = {**(params or {}), **(state or {})}
            return module.apply(held, inputs, rngs=rng, method=method, mutable=mutable, **told)

        def init(rng: Any, inputs: Any, **told: Any) -> Any:
            return _parts(module.init(rng, inputs, method=method, **told))

        def apply_in_training(params: Any, state: Any, rng: Any, inputs: Any, training: bool | None) -> Any:
            return apply(params, state, rng, inputs, training=training)

        def init_in_training(rng: Any, inputs: Any, training: bool | None) -> Any:
            return init(rng, inputs, training=training)

        def apply_alone(params: Any, state: Any, rng: Any, inputs: Any) -> Any:
            return apply(params, state, rng, inputs)

        def init_alone(rng: Any, inputs: Any) -> Any:
            return init(rng, inputs)

        call_fn, init_fn = (apply_in_training, init_in_training) if takes_training else (apply_alone, init_alone)
        params, state = (None, None) if variables is None else _parts(variables)
        super().__init__(call_fn, init_fn, params, state, **kwargs)
        self.module, self.method = module, method

    def _get_init_rng(self) -> dict[str, Any]:
        return {"params": self._get_init_seed(), "dropout": self._get_init_seed()}

    def _get_call_rng(self, training: bool) -> dict[str, Any]:
        return {"dropout": self._get_call_seed()} if training else {}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data. A method of the module is given by its name.

        Raises:
            TypeError: the module has no `get_config`, which Flax does not give it.
        """
        config = super().get_config()
        name = getattr(self.method, "__name__", "")
        functions = [getattr(method, "__func__", None) for method in (self.method, getattr(self.module, name, None))]
        if functions[0] is not None and functions[0] is functions[1]:
            config["method"] = name  # of whichever instance: Flax applies it to the module
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return a layer made from what `get_config` gave."""
        module, method = deserialize_keras_object(config["module"]), config.get("method")
        method = getattr(module, method) if isinstance(method, str) else deserialize_keras_object(method)
        return super().from_config(config | {"module": module, "method": method})


def _parts(variables: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the collection of the parameters, and the others."""
    params = {"params": variables["params"]} if "params" in variables else {}
    return params, {name: part for name, part in variables.items() if name != "params"}

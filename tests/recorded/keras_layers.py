"""What Keras gives for the cases of layers: outputs, float state after the call, gradients of the weighted outputs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from differential.opponent import host, keras
from helpers.layer_runner import LayerCase
from helpers.runner import narrowed, weights
from polykeras import layers
from polykeras.backend import Backend, registry
from polykeras.common import nested
from recorded.layers import LEFT_OUT, TABLE
from recorded.store import Records, names_in

CHANCE = ("name", "seed", "build_config")
"""What two layers of the same arguments may have of their own."""

DRAWN = "what it gives is drawn"


def record(records: Records) -> dict[str, str]:
    """Add the cases that are not recorded yet. Returns what Keras refuses though no list says so."""
    failed = {}
    records.public = names_in(keras().layers)
    for name, case in TABLE.items():
        if case.class_name not in records.public:
            records.left_out.pop(name, None)
            continue
        if name in records.cases or records.left_out.get(name) == DRAWN:
            continue
        reason = next((why for word, why in LEFT_OUT.items() if word in name), None)
        try:
            made = None if reason else _recorded(case)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"[:300].replace("\n", " ")
            continue
        if made is None:
            records.left_out[name] = reason or DRAWN
        else:
            records.cases[name] = made
    return failed


def _recorded(case: LayerCase) -> dict[str, Any] | None:
    """Return one record, or None of a case whose results are drawn."""
    numpy = registry.load("numpy")
    ours = case.built(numpy)
    if _draws(case, ours, numpy):
        return None
    layer = keras().layers.deserialize(layers.serialize(case.make()))
    config = lean(keras().layers.serialize(layer))  # before it is built, which settles some arguments
    inputs = case.inputs if isinstance(case.inputs, tuple) else (case.inputs,)
    args, kwargs = nested.map_structure(_given, (inputs, case.kwargs))
    run = _Run(case, layer, args, kwargs, ours.get_weights())
    value, gradient = run.results()
    made = {"layer": config, "inputs": args, "weights": ours.get_weights(), "value": value}
    return made | ({"kwargs": kwargs} if kwargs else {}) | ({"gradient": gradient} if case.grad else {})


def _draws(case: LayerCase, layer: Any, backend: Backend) -> bool:
    """Return whether the results hang on the seeds of a layer."""
    seeds = [v for v in layer.variables if not v.dtype.startswith("float")]
    found = []
    for seed in range(8) if seeds else ():
        for variable in seeds:
            variable.assign(np.full(variable.shape, seed, variable.dtype))
        found.append([backend.to_numpy(x) for x in nested.flatten(case.run(layer, backend))])
    return not all(_same(found[0], other) for other in found)


def _given(x: Any) -> Any:
    return narrowed(x, 32) if isinstance(x, np.ndarray) else x


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(some, others, strict=True))


class _Run:
    """A layer of Keras with given weights, as one compiled program."""

    def __init__(self, case: LayerCase, layer: Any, args: Any, kwargs: Any, values: list[np.ndarray]) -> None:
        import jax

        self.case, self.layer, self.jax = case, layer, jax
        symbols = nested.map_structure(_symbol, (args, kwargs))
        layer(*symbols[0], **symbols[1])  # which builds it
        layer.set_weights(values)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # as after the reading of a file
        args, self.kwargs = nested.map_structure(_of_jax, (args, kwargs))
        self.leaves, self.structure = nested.flatten_with_def(args)
        self.places = [i for i, x in enumerate(self.leaves) if _floating(x)]
        self.trained = [v.value for v in layer.trainable_variables]
        self.state = [v for v in (*layer.non_trainable_variables, *_states(layer)) if _floating(v)]

    def results(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the values and the gradients.

        The values are the outputs, then the float state that is not trained; the gradients those in the trainable
        weights, then in the float inputs.
        """
        moved = [self.leaves[i] for i in self.places]
        value, gradient = self.jax.jit(self._both)(self.trained, moved)
        return [host(x) for x in value], [host(x) for x in gradient]

    def _both(self, trained: list[Any], moved: list[Any]) -> tuple[list[Any], list[Any]]:
        def total(trained: list[Any], moved: list[Any]) -> tuple[Any, list[Any]]:
            given = list(self.leaves)
            for place, x in zip(self.places, moved, strict=True):
                given[place] = x
            args = nested.unflatten(self.structure, given)
            values = list(zip(self.layer.trainable_variables, trained, strict=True))
            with keras().StatelessScope(values) as scope:
                leaves = self.jax.tree.leaves(self.layer(*args, **self.kwargs))
            state = [v.value if (new := scope.get_current_value(v)) is None else new for v in self.state]
            return weighted(self.case.id, leaves), [*leaves, *state]

        if not self.case.grad:
            return total(trained, moved)[1], []
        gradient, value = self.jax.grad(total, (0, 1), has_aux=True)(trained, moved)
        return value, [*gradient[0], *gradient[1]]


def _states(layer: Any) -> list[Any]:
    known = {id(v) for v in layer.variables}
    return [v for v in nested.flatten(getattr(layer, "states", None)) if hasattr(v, "assign") and id(v) not in known]


def _symbol(x: Any) -> Any:
    return keras().KerasTensor(x.shape, x.dtype.name) if isinstance(x, np.ndarray) else x


def weighted(name: str, outputs: list[Any]) -> Any:
    """Return the sum of all float outputs times the weights of the case `name`, as `helpers.runner` has it."""
    parts = [(weights(name, i, x.shape).astype("float32"), x) for i, x in enumerate(outputs) if _floating(x)]
    return sum((w * x.astype("float32")).sum() for w, x in parts)


def _of_jax(x: Any) -> Any:
    return keras().ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x


def _floating(x: Any) -> bool:
    return "float" in str(getattr(x, "dtype", ""))


def lean(data: Any) -> Any:
    """Return a layer's config without what is left to default, and that of the layers in it."""
    if isinstance(data, list):
        return [lean(part) for part in data]
    if not isinstance(data, dict):
        return data
    cls = getattr(keras().layers, str(data.get("class_name")), None)
    if cls is None:
        return {key: lean(part) for key, part in data.items()}
    config = {key: lean(part) for key, part in data["config"].items() if key not in CHANCE}
    whole = _attempt(lambda: _config(cls, config))
    for key in list(config) if whole else []:
        less = {k: v for k, v in config.items() if k != key}
        if _attempt(lambda less=less: _config(cls, less)) == whole:
            config = less
    return {"module": data["module"], "class_name": data["class_name"], "config": config}


def _config(cls: Any, config: dict[str, Any]) -> Any:
    made = cls.from_config(copy.deepcopy(config)).get_config()
    return nested.map_structure(str, _unnamed(made))


def _unnamed(data: Any) -> Any:
    if isinstance(data, dict) and data.keys() != {"name"}:  # which is the config of a dtype policy
        return {key: _unnamed(part) for key, part in data.items() if key not in CHANCE}
    return [_unnamed(part) for part in data] if isinstance(data, (list, tuple)) else data


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:
        return None

"""Every layer on every backend: outputs, state and gradients, against the numpy backend in float64.

Then what holds without any backend: shapes are known beforehand, configs lead back to the layer, misfits are told.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.layer_cases import LAYER_CASES, OWN
from helpers.layer_runner import LayerCase
from helpers.reference import REFERENCE, check
from known_differences import known
from polykeras import layers
from polykeras.backend import Backend, registry, use_backend
from polykeras.common import nested
from polykeras.layers import InputSpec
from polykeras.saving.custom_objects import custom_object_scope

COMPARISONS = [(case, kind) for case in LAYER_CASES for kind in case.kinds]

WITHOUT_CASE = {
    "Layer": "the base class",
    "Wrapper": "the base class",
    "InputLayer": "holds no computation",
    **dict.fromkeys(("JaxLayer", "FlaxLayer"), "code of JAX alone: test_jax_layers.py"),
    "StringLookup": "takes texts: test_text_layers.py",
    "TextVectorization": "takes texts: test_text_layers.py",
    "TFSMLayer": "holds a graph of TensorFlow: single/test_tfsm_layer.py",
    "TorchModuleWrapper": "holds a module of PyTorch: training/test_native_torch.py",
}
"""Public layers that have no case of their own, each with the reason."""

TAKES_ANY_INPUT = {
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Embedding", "Masking", "Lambda", "Rescaling", "Reshape"),
    *("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
    *("Identity", "UnitNormalization", "ReversibleEmbedding"),
    *("CategoryEncoding", "Discretization", "IntegerLookup", "Hashing", "MelSpectrogram"),
}
"""Layers that ask nothing of the rank and the sizes of their inputs."""
CHECKS_ITSELF = {
    *("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate", "Dot", "CustomScaleLayer"),
    *("RNN", "Bidirectional", "StackedRNNCells", "TimeDistributed", "Pipeline"),
    *("Attention", "AdditiveAttention", "HashedCrossing"),
    *(name for name, module in layers.LATER.items() if module.endswith(".image")),
}
"""Layers of several inputs, or around others: `test_layer_behaviour.py` looks at their errors."""

each_case = pytest.mark.parametrize("case", LAYER_CASES, ids=[case.id for case in LAYER_CASES])


@pytest.mark.parametrize(("case", "kind"), COMPARISONS, ids=[f"{kind}-{case.id}" for case, kind in COMPARISONS])
def test_layer(case: LayerCase, kind: str, backend: Backend) -> None:
    if known(backend.name, case.id, kind):
        with pytest.raises(AssertionError):
            check(case, backend, kind)
    else:
        check(case, backend, kind)


def test_every_public_layer_has_a_case() -> None:
    public = [getattr(layers, name) for name in layers.__all__]
    classes = {c for c in public if inspect.isclass(c) and issubclass(c, layers.Layer)}
    names = {c.__name__ for c in classes}
    tested = {case.row.removeprefix("layers.") for case in LAYER_CASES}
    assert sorted(names - tested - set(WITHOUT_CASE)) == [], "layers without a case in contract/layer_cases"
    assert sorted(set(WITHOUT_CASE) & tested) == [], "exempted, but has a case"


def test_a_tolerance_has_a_reason() -> None:
    default = LayerCase(layers.Flatten, None)
    loose = [c.id for c in LAYER_CASES if (c.rtol, c.atol) != (default.rtol, default.atol) and not c.why]
    assert loose == []


# ---- without a backend's values ------------------------------------------------------------------------------------


@each_case
def test_shapes_and_dtypes_are_known_beforehand(case: LayerCase) -> None:
    specs = case.specs(case.make())
    results = case.values(registry.load(REFERENCE))[: len(specs)]
    fixed = getattr(case.make(), "stateful", False)
    expected = [((len(y) if fixed else None, *y.shape[1:]), y.dtype.name) for y in results]
    assert [(spec.shape, spec.dtype) for spec in specs] == expected


@each_case
def test_a_config_leads_back_to_the_layer(case: LayerCase) -> None:
    with use_backend(REFERENCE) as numpy:
        layer = case.built(numpy)
        config = json.loads(json.dumps(layer.get_config()))
        with custom_object_scope(OWN):
            twin = type(layer).from_config(config)
        assert _unbuilt(json.loads(json.dumps(twin.get_config()))) == _unbuilt(config)  # tuples are lists in files
        case.run(twin, numpy)
        if getattr(twin, "stateful", False):
            twin.reset_state()
        case.give_weights(twin)
        for ours, theirs in zip(
            nested.flatten(case.run(layer, numpy)), nested.flatten(case.run(twin, numpy)), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def _unbuilt(config: Any) -> Any:
    """Return a config without the shapes with which layers within were built."""
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(value) for value in config] if isinstance(config, list) else config


def _misfits(spec: InputSpec, shape: tuple[int, ...]) -> list[tuple[tuple[int, ...], str]]:
    """Return shapes of another rank, or of another size where one is required, than `spec` asks, and what is said."""
    found = []
    if spec.ndim is not None:
        found.append(((*shape, 1), f"{spec.ndim} axes"))
    if spec.min_ndim is not None and spec.min_ndim > 1:
        found.append((shape[: spec.min_ndim - 1], f"at least {spec.min_ndim} axes"))
    for axis, size in spec.axes.items():
        other = list(shape)
        other[axis] = size + 1
        found.append((tuple(other), f"axis {axis} to have size {size}"))
    return found


@each_case
def test_inputs_that_do_not_fit_are_told_by_name(case: LayerCase) -> None:
    with use_backend(REFERENCE) as numpy:
        layer = case.built(numpy)
        if type(layer).__name__ in TAKES_ANY_INPUT | CHECKS_ITSELF:
            assert layer.input_spec is None
            return
        assert layer.input_spec is not None, "set `input_spec` in `build`, or add the layer to TAKES_ANY_INPUT"
        first = case.inputs[0] if isinstance(case.inputs, tuple) else case.inputs
        rest = case.inputs[1:] if isinstance(case.inputs, tuple) else ()
        misfits = _misfits(layer.input_spec, first.shape)
        assert misfits or isinstance(layer, layers.Flatten)
        for shape, expected in misfits:
            with pytest.raises(ValueError, match=f"{layer.name}.*expected {expected}"):
                layer(np.ones(shape, "float32"), *rest)


SYMBOLIC_ONLY = """
import sys
from contract.layer_cases import LAYER_CASES
for case in LAYER_CASES:
    layer = case.make()
    case.specs(layer)
    layer.count_params()
print(sorted({"jax", "torch", "tensorflow"} & set(sys.modules)))
"""


def test_layers_are_built_without_any_framework() -> None:
    root = Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", SYMBOLIC_ONLY], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"

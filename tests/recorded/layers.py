"""Recorded layers: the cases of `contract/layer_cases` and those at the edges, as Keras has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from contract.layer_cases import LAYER_CASES
from helpers.layer_runner import LayerCase
from helpers.runner import ONE_FUNCTION
from polykeras import layers
from polykeras.backend import Backend
from polykeras.layers import Layer
from recorded.layer_edges import EDGES
from saving.exchange_cases import OWN

LEFT_OUT = {
    **{word: why for word, why in OWN.items() if not word.startswith(("RandomCrop", "AutoContrast"))},
    "RandomErasing-colour": "Keras fails at a colour",
    "AlphaDropout-all": "Keras fails at a rate of 1",
    "RandomColorJitter-first": "drawn, and Keras fails where channels are first",
    "RandomElasticTransform-single": "drawn, and Keras cannot compile it",
    "LayerNormalization-axes": "Keras sorts axes before it knows the rank: of (1, -1) its scale has the sizes turned round",
    **dict.fromkeys(
        ("Maximum-mask", "Minimum-mask", "Multiply-mask"), "in Keras no argument of a merging layer is a mask"
    ),
    "RMSNormalization-apart": "in Keras the scale of axes that are not the last ones does not broadcast",
    "SpectralNormalization-table": "in Keras the vectors become integers, since the inputs are",
    "MultiHeadAttention-float16": "on JAX Keras asks for a product that CPUs have not",
    "MultiHeadAttention-mixed_float16": "on JAX Keras asks for a product that CPUs have not",
}
"""Words in the names of cases that are not recorded, each with the reason. Layers that Keras lacks need no line."""

WITHOUT_RECORD = {
    "Layer": "the base class",
    "Wrapper": "the base class",
    "InputLayer": "holds no computation",
    "Lambda": "a function of the user's",
    "StringLookup": "takes texts: compared with Keras in test_text_layers.py",
    "FlaxLayer": "code of a framework: tests/training/test_jax_layers.py",
    "JaxLayer": "code of a framework: tests/training/test_jax_layers.py",
    "TFSMLayer": "code of a framework: tests/single/test_tfsm_layer.py",
    "TorchModuleWrapper": "code of a framework: tests/training/test_native_torch.py",
    "TextVectorization": "takes texts: compared with Keras in test_text_layers.py",
}
"""Public layers that are not recorded, each with the reason."""

TABLE: dict[str, LayerCase] = {case.id: case for case in (*LAYER_CASES, *EDGES)}


@dataclass(frozen=True)
class RecordedLayer(LayerCase):
    """A case that is rebuilt from what was recorded.

    Attributes:
        weights: of the layer, in the order of its files.
        expected: what Keras gives, by kind.
    """

    weights: list[np.ndarray] = field(default_factory=list)
    expected: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def give_weights(self, layer: Layer) -> None:
        """Give a built layer the recorded weights."""
        layer.set_weights(self.weights)

    def found(self, backend: Backend, kind: str) -> list[np.ndarray]:
        """Return what a backend gives."""
        return self.gradients(backend) if kind == "gradient" else self.values(backend)


def rebuilt(name: str, record: dict[str, Any], backend: Backend) -> RecordedLayer:
    """Return a recorded case, with the tolerances of its line in the table."""
    line = TABLE[name]
    expected = {kind: record[kind] for kind in ("value", "gradient") if kind in record}
    if backend.name in ONE_FUNCTION:
        # Programs of gradients take most of the time; test_layers.py holds them to those of the numpy backend.
        expected.pop("gradient", None)
    return RecordedLayer(
        make=lambda: layers.deserialize(record["layer"]),
        inputs=tuple(record["inputs"]),
        kwargs=record.get("kwargs", {}),
        weights=record["weights"],
        expected=expected,
        grad="gradient" in expected,
        rtol=line.rtol,
        atol=line.atol,
        why=line.why,
        id=name,
    )


def plain(config: Any) -> Any:
    """Return a config without the names and seeds that layers are given, and the shapes with which they were built."""
    if isinstance(config, dict) and config.keys() != {"name"}:  # which is the config of a dtype policy
        return {key: plain(value) for key, value in config.items() if key not in ("name", "seed", "build_config")}
    return [plain(value) for value in config] if isinstance(config, (list, tuple)) else config

"""A small transformer, and what GPTQ and AWQ make of it in Keras 3.16's nightly of 2026-10-27.

3.15 corrects errors by another formula than the paper; see `tests/contract/test_calibrated_by_keras.py`. To record again, run this
file with `keras-nightly==3.16.0.dev2026102704` and JAX, with the path of the result.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "data" / "calibrated.npz"
TOKENS = np.random.default_rng(0).integers(0, 20, (5, 100)).astype("int32")
QUESTIONS = np.random.default_rng(2).integers(0, 20, (4, 8)).astype("int32")
COMMON: dict[str, Any] = {"num_samples": 90, "sequence_length": 8}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "groups": ("GPTQConfig", {"group_size": 8}),
    "one group": ("GPTQConfig", {"group_size": -1, "hessian_damping": 0.1}),
    "uneven groups": ("GPTQConfig", {"group_size": 12}),
    "large inputs first": ("GPTQConfig", {"group_size": 8, "activation_order": True}),
    "symmetric": ("GPTQConfig", {"group_size": 16, "symmetric": True}),
    "one scale": ("GPTQConfig", {"group_size": -1, "per_channel": False}),
    "2 bits": ("GPTQConfig", {"group_size": 8, "weight_bits": 2}),
    "3 bits": ("GPTQConfig", {"weight_bits": 3}),
    "8 bits": ("GPTQConfig", {"weight_bits": 8}),
    "awq": ("AWQConfig", {"group_size": 8}),
    "awq, one group": ("AWQConfig", {"group_size": -1}),
    "awq, without clipping": ("AWQConfig", {"group_size": 8, "apply_clip": False}),
}


def network(keras: Any) -> tuple[Any, dict[str, list[Any]]]:
    """Return a model of two blocks, and its structure, in polykeras or Keras."""
    layers = keras.layers

    def block(name: str, width: int) -> Any:
        x = layers.Input((8, 16))
        y = layers.Add()([x, layers.MultiHeadAttention(2, 8, name=f"{name}_attention")(x, x)])
        z = layers.Dense(16, name=f"{name}_down")(layers.Dense(width, "relu", name=f"{name}_up")(y))
        return keras.Model(x, layers.Add()([y, z]), name=name)

    tokens = layers.Input((8,), dtype="int32")
    table = layers.Embedding(20, 16, name="table")
    blocks = [block("first", 24), block("second", 144)]
    x = table(tokens)
    for part in blocks:
        x = part(x)
    model = keras.Model(tokens, layers.Dense(20, name="scores")(x))
    rng = np.random.default_rng(1)
    model.set_weights([0.4 * rng.standard_normal(tuple(w.shape)).astype("float32") for w in model.weights])
    return model, {"pre_block_layers": [table], "sequential_blocks": blocks}


def quantized(keras: Any, name: str, **kwargs: Any) -> Any:
    """Return the quantized model of a case."""
    kind, arguments = CASES[name]
    model, structure = network(keras)
    config = getattr(keras.quantizers, kind)(
        TOKENS, kwargs.pop("tokenizer", object()), quantization_layer_structure=structure, **COMMON | arguments
    )
    model.quantize(config=config, **kwargs)
    return model


def leaves(model: Any) -> list[Any]:
    """Return the quantized layers of a model, by their paths."""
    found = [part for part in model._flatten_layers() if getattr(part, "quantized_kernel", None) is not None]
    return sorted(found, key=lambda layer: layer.path)


def together(arrays: list[np.ndarray]) -> np.ndarray:
    """Return the numbers of arrays, one after the other."""
    return np.concatenate([np.ravel(array) for array in arrays])


def numbers(keras: Any, layer: Any) -> dict[str, np.ndarray]:
    """Return the numbers of a layer of the nightly, as 3.15 stores them: a row for each output."""
    stored = layer._quantized_weight()
    found = {"codes": stored.layout.unpack(stored.codes.value), "scale": layer.kernel_scale, "zero": layer.kernel_zero}
    arrays = {key: keras.ops.convert_to_numpy(value).T for key, value in found.items()}
    return arrays | {"groups": keras.ops.convert_to_numpy(layer.g_idx).astype("int32")}


def main(path: str) -> None:
    """Record what the installed Keras gives."""
    import keras

    record: dict[str, np.ndarray] = {}
    for name in CASES:
        model = quantized(keras, name, verbose=False)
        record[f"{name}/outputs"] = model.predict(QUESTIONS, verbose=0)
        found = [numbers(keras, layer) for layer in leaves(model)]
        for part in found[0]:
            record[f"{name}/{part}"] = together([layer[part] for layer in found])
            if part != "scale":
                record[f"{name}/{part}"] = record[f"{name}/{part}"].astype("uint8")
    np.savez_compressed(path, allow_pickle=False, **record)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1])

"""GPTQ and AWQ: the data and the blocks that they take, and what is said of layers that they do not fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import polykeras as keras
from polykeras import layers as L
from polykeras import ops, quantizers
from polykeras.backend import Backend
from polykeras.models.calibration_data import windows

CONFIGS = {"gptq": quantizers.GPTQConfig, "awq": quantizers.AWQConfig}
TOKENS = np.random.default_rng(0).integers(0, 20, (5, 100)).astype("int32")


def chain(*blocks: Any, width: int = 8) -> tuple[Any, Any]:
    """Return a model of an embedding and blocks, one after the other, and the embedding."""
    keras.utils.set_random_seed(3)
    table = L.Embedding(20, width)
    x = L.Input((8,), dtype="int32")
    y = table(x)
    for block in blocks:
        y = block(y)
    return keras.Model(x, y), table


def quantized(mode: str, model: Any, structure: Any, **kwargs: Any) -> Any:
    config = CONFIGS[mode](
        TOKENS, None, num_samples=90, sequence_length=8, group_size=4, quantization_layer_structure=structure
    )
    return model.quantize(config=config, verbose=False, **kwargs)


class Block(L.Layer):
    """Two layers, of which one may be left out, and outputs in a tuple."""

    def __init__(self, used: Any, other: Any = None, pair: bool = False) -> None:
        super().__init__()
        self.used, self.other, self.pair = used, other, pair

    def build(self, shape: Any) -> None:
        for layer in (self.used, self.other):
            if layer is not None and not layer.built:
                layer.build(shape)

    def call(self, x: Any) -> Any:
        return (self.used(x), x) if self.pair else self.used(x)


@pytest.mark.parametrize("mode", CONFIGS)
def test_a_layer_in_two_blocks(mode: str, backend: Backend) -> None:
    start = keras.initializers.GlorotUniform(seed=1)
    dense = L.Dense(8, kernel_initializer=start)
    model, table = chain(dense, dense)
    report = quantized(mode, model, {"pre_block_layers": [table], "sequential_blocks": [dense, dense]})
    assert report.num_quantized == 1
    codes = ops.convert_to_numpy(dense.kernel)
    # It is fitted to what the first of them is called with.
    dense = L.Dense(8, kernel_initializer=start)
    model, table = chain(dense)
    quantized(mode, model, {"pre_block_layers": [table], "sequential_blocks": [dense]})
    assert_array_equal(ops.convert_to_numpy(dense.kernel), codes)
    shared = L.Dense(8, kernel_initializer=start)
    blocks = [Block(shared), Block(shared)]
    model, table = chain(*blocks)
    report = quantized(mode, model, {"pre_block_layers": [table], "sequential_blocks": blocks})
    assert report.num_quantized == 1
    assert_array_equal(ops.convert_to_numpy(shared.kernel), codes)


@pytest.mark.parametrize("mode", CONFIGS)
def test_layers_that_the_data_do_not_reach_are_named_once(mode: str, backend: Backend) -> None:
    late = L.Dense(8, name="late")
    blocks = [
        Block(L.Dense(8), L.Dense(3, name="left"), pair=True),
        Block(L.Dense(8), late),
        Block(late, L.Dense(3, name="right")),
    ]
    keras.utils.set_random_seed(3)
    table, x = L.Embedding(20, 8), L.Input((8,), dtype="int32")
    model = keras.Model(x, blocks[2](blocks[1](blocks[0](table(x))[0])))
    with pytest.warns(UserWarning, match="2 layers were not called with the calibration data") as seen:
        report = quantized(mode, model, {"pre_block_layers": [table], "sequential_blocks": blocks})
    assert len(seen) == 1
    assert seen[0].filename == __file__
    text = str(seen[0].message)
    assert all(name in text for name in ("left", "right"))
    assert "late" not in text
    assert report.num_quantized == 5


def test_few_tokens_are_told_where_quantize_was_called(backend: Backend) -> None:
    dense = L.Dense(8)
    model, table = chain(dense)
    structure = {"pre_block_layers": [table], "sequential_blocks": [dense]}
    config = quantizers.GPTQConfig(
        TOKENS, None, num_samples=3, sequence_length=8, quantization_layer_structure=structure
    )
    with pytest.warns(UserWarning, match=r"1 layers saw few tokens for their width.*\(24 for a width of 8\)") as seen:
        model.quantize(config=config, verbose=False)
    assert [one.filename for one in seen] == [__file__]


@pytest.mark.parametrize("mode", CONFIGS)
def test_reasons(mode: str, backend: Backend) -> None:
    class Mine(L.Dense):
        pass

    parts = [
        L.Dense(8, name="plain"),
        L.LayerNormalization(name="norm"),
        L.Dense(8, lora_rank=2, name="adapted"),
        Mine(8, name="mine"),
        L.Dropout(0.1, name="drop"),
    ]
    block, last = keras.Sequential([L.Input((8, 8)), *parts]), L.Dense(8, name="last")
    model, table = chain(block, last)
    structure = {"pre_block_layers": [table], "sequential_blocks": [block]}
    with pytest.warns(UserWarning, match="3 layers with weights unchanged") as seen:
        report = quantized(mode, model, structure)
    assert len(seen) == 1
    assert [path.rpartition("/")[2] for path, *_ in report.quantized] == ["plain"]
    reasons = {path.rpartition("/")[2]: why for path, why in report.skipped}
    assert reasons == {
        table.name: report.SKIP_OUTSIDE_STRUCTURE,
        "last": report.SKIP_OUTSIDE_STRUCTURE,
        "norm": report.SKIP_NO_SUPPORT,
        "adapted": report.SKIP_LORA,
        "mine": report.SKIP_SUBCLASS,
        "drop": report.SKIP_NO_SUPPORT,
    }
    assert all(why in str(seen[0].message) for why in (report.SKIP_NO_SUPPORT, report.SKIP_LORA, report.SKIP_SUBCLASS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = quantized(mode, model, structure, type_check=False)
    assert [path.rpartition("/")[2] for path, *_ in report.quantized] == ["mine"]
    assert [path.rpartition("/")[2] for path in report.skipped_by_reason(report.SKIP_ALREADY_QUANTIZED)] == ["plain"]


def test_blocks_are_of_the_model(backend: Backend) -> None:
    dense = L.Dense(8)
    model, table = chain(dense)
    other, _ = chain(L.Dense(8, name="foreign"))
    for blocks in ([other.layers[-1]], [dense, other]):
        with pytest.raises(ValueError, match="shares no layer with it"):
            quantized("gptq", model, {"pre_block_layers": [table], "sequential_blocks": blocks})
    with pytest.raises(TypeError, match="expected layers as 'sequential_blocks'"):
        quantized("gptq", model, {"sequential_blocks": ["dense"]})
    for wrong in ([dense], {"sequential_blocks": dense}, {"sequential_blocks": []}, {"blocks": [dense]},
                  {"pre_blocks": [table], "sequential_blocks": [dense]}):  # fmt: skip
        with pytest.raises(ValueError, match="expected the blocks of the model"):
            quantized("gptq", model, wrong)
    assert dense.quantization_mode is None
    # A block may be a model that is made for this alone.
    x = L.Input((8, 8))
    quantized("gptq", model, {"pre_block_layers": [table], "sequential_blocks": [keras.Model(x, dense(x))]})
    assert dense.quantization_mode == "gptq"


class Letters:
    def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


def of(data: Any, samples: int = 1, length: int = 1, tokenizer: Any = None) -> np.ndarray:
    return windows(quantizers.GPTQConfig(data, tokenizer, num_samples=samples, sequence_length=length))


def test_windows() -> None:
    found = of(["abcd", "ef"], 2, 3, Letters())
    assert (found.shape, found.dtype) == ((2, 3), np.int32)
    assert all("".join(map(chr, row)) in "abcdefabcdef" for row in found)
    few = of([np.array([[1, 2]])], 3, 4)
    assert {tuple(row) for row in few} <= {(1, 2, 1, 2), (2, 1, 2, 1)}
    # As Keras 3.16's nightly of 2026-10-27.
    assert of([np.arange(50)], 4, 5)[:, 0].tolist() == [4, 15, 26, 37]
    assert_array_equal(of([(1, 2, 3), [np.float32(4)]], 1, 4), of([np.arange(1, 5)], 1, 4))


class Words:
    def tokenize(self, text: str) -> list[str]:
        return text.split()


@pytest.mark.parametrize(
    ("data", "tokenizer", "message"),
    [
        (None, None, "`dataset` of texts or of arrays of tokens; received None"),
        ("text", None, "`dataset` of texts or of arrays"),
        (3, None, "`dataset` of texts or of arrays"),
        ({"text": ["a"]}, Letters(), r"received a dict with the keys \['text'\]. Pass the entry"),
        ([{"text": "a"}], Letters(), "received a dict in it. Pass the texts or tokens alone"),
        ([(np.arange(3), np.arange(3))], None, "received a tuple in it"),
        (["a"], None, "texts need a `tokenizer`"),
        (["a b"], Words(), "expected tokens, which are whole numbers"),
        ([np.float32([0.5, 2])], None, "expected tokens, which are whole numbers"),
        ([b"12"], None, "expected tokens, which are whole numbers"),
        ([np.array([2**40])], None, "expected tokens, which are whole numbers"),
    ],
)
def test_data_that_is_refused(data: Any, tokenizer: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"GPTQConfig.*{message}"):
        of(data, tokenizer=tokenizer)


def test_a_data_set_without_tokens() -> None:
    for data in ([], iter(())):
        with pytest.raises(ValueError, match="received one without. A generator gives its tokens only once"):
            of(data)

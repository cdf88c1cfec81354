"""Cases of layers: preprocessing of numbers. Those of texts are in `test_text_layers.py`: no backend has arrays of texts."""

from __future__ import annotations

from contract.layer_cases.case import SUMS, layer
from contract.table import I, N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

INDICES = I([[0, 2, 2], [3, 1, 0]])
IDS = I([[5, -7, 9], [9, 40, 5]])

CASES: tuple[LayerCase, ...] = (
    *(layer(lambda m=m: L.CategoryEncoding(4, m), INDICES, m, grad=False) for m in ("one_hot", "multi_hot", "count")),
    layer(lambda: L.CategoryEncoding(3), INDICES, "some outside", grad=False),
    layer(lambda: L.CategoryEncoding(4, "one_hot"), I([[0], [3]]), "column", grad=False),
    layer(lambda: L.CategoryEncoding(4, "count"), INDICES, "weights", grad=False, count_weights=N(2, 3)),
    *(
        layer(lambda m=m: L.Discretization([-0.5, 0.0, 1.0], output_mode=m), N(3, 4), m, grad=False)
        for m in ("int", "one_hot", "multi_hot", "count")
    ),
    layer(lambda: L.IntegerLookup(vocabulary=[9, 5]), IDS, grad=False),
    layer(lambda: L.IntegerLookup(vocabulary=[9, 5], num_oov_indices=3, mask_token=40), IDS, "places", grad=False),
    layer(lambda: L.IntegerLookup(vocabulary=[9, 5], output_mode="count"), IDS, "count", grad=False),
    layer(
        lambda: L.IntegerLookup(vocabulary=[9, 5], output_mode="tf_idf", idf_weights=[0.5, 2.0]),
        IDS,
        "tf_idf",
        grad=False,
    ),
    layer(lambda: L.IntegerLookup(vocabulary=[9, 5], invert=True), I([[0, 1], [2, 7]]), "invert", grad=False),
    layer(lambda: L.Hashing(5), IDS, grad=False),
    layer(lambda: L.Hashing(5, mask_value=9, salt=3, output_mode="multi_hot"), IDS, "salt", grad=False),
    layer(lambda: L.HashedCrossing(7), [I([3, 4, 3]), I([1, 1, 2])], grad=False),
    layer(lambda: L.HashedCrossing(7, "one_hot"), [I([[3], [4]]), I([[1], [1]])], "one hot", grad=False),
    layer(
        lambda: L.MelSpectrogram(16, 4, num_mel_bins=3, sampling_rate=40, power_to_db=False, min_freq=1.0),
        N(2, 40),
        **SUMS,
    ),
    layer(lambda: L.MelSpectrogram(16, 4, 12, "hamming", 40, 3, 1.0, top_db=30.0), N(2, 40), "decibels", **SUMS),
    *(
        layer(lambda m=m: L.STFTSpectrogram(m, 8, 4), N(2, 20, 2), m, **SUMS)
        for m in ("magnitude", "psd", "real", "stft")
    ),
    layer(lambda: L.STFTSpectrogram("log", 8, 3, 16, padding="same", expand_dims=True), N(2, 20, 2), "same", **SUMS),
    layer(lambda: L.STFTSpectrogram("imag", 8, data_format="channels_first"), N(2, 2, 20), "first", **SUMS),
)

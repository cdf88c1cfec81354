"""Graphs with masks, the same lines for Keras and polykeras: `k` is what was imported.

Keras passes masks in the graph, which makes the way from a layer to the outputs longer; so two layers of one depth may
change places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def masked_graphs(k: Any) -> dict[str, Callable[[], Any]]:
    """Return functions that make models, by name."""
    return dict(_graphs(k))


def _graphs(k: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    layers = k.layers

    def embeddings(masked: tuple[bool, bool], join: str = "Concatenate", between: bool = False) -> Any:
        inputs = [k.Input((4,), dtype="int32") for _ in masked]
        parts = [layers.Embedding(5, 3, mask_zero=m)(x) for m, x in zip(masked, inputs, strict=True)]
        if between:
            parts = [layers.Dense(3)(part) for part in parts]
        return k.Model(inputs, layers.LSTM(3)(getattr(layers, join)()(parts)))

    for masked in ((False, True), (True, False), (True, True)):
        for join in ("Concatenate", "Add"):
            yield f"embeddings {masked} {join}", lambda masked=masked, join=join: embeddings(masked, join)
    yield "dense between", lambda: embeddings((False, True), between=True)

    def branches(*first: Any, last: Any = None) -> Any:
        """One branch with a mask, and another one as long without."""
        a, b = k.Input((4, 3)), k.Input((4, 3))
        x, y = layers.Dense(3)(b), layers.Dense(3)(a)
        for make in first:
            x = make()(x)
        y = layers.Dense(3)(layers.Dense(3)(y))
        return k.Model([a, b], layers.Add()([(last or layers.GlobalAveragePooling1D)()(z) for z in (x, y)]))

    yield "masking", lambda: branches(layers.Masking, lambda: layers.Dense(3))
    yield "dropout", lambda: branches(layers.Masking, lambda: layers.Dropout(0.2), lambda: layers.Dense(3))
    yield "recurrent", lambda: branches(layers.Masking, lambda: layers.GRU(3, return_sequences=True))
    yield "end", lambda: branches(layers.Masking, lambda: layers.Dense(3), last=lambda: layers.LSTM(3))
    yield (
        "own training",
        lambda: branches(layers.Masking, lambda: lambda x: layers.LSTM(3, return_sequences=True)(x, training=False)),
    )
    yield (
        "other dtype",
        lambda: branches(
            layers.Masking, lambda: layers.LSTM(3, return_sequences=True, dtype="float64"), lambda: layers.Dense(3)
        ),
    )

    def nested() -> Any:
        x = k.Input((4, 3))
        inner = k.Model(x, layers.LSTM(3)(x))
        a, b = k.Input((4, 3)), k.Input((4, 3))
        y = inner(layers.Masking()(layers.Dense(3)(a)))
        z = layers.GlobalAveragePooling1D()(layers.Dense(3)(layers.Dense(3)(b)))
        return k.Model([a, b], layers.Add()([z, y]))

    yield "nested", nested

    def attention() -> Any:
        a, b = k.Input((4,), dtype="int32"), k.Input((4,), dtype="int32")
        x, y = layers.Embedding(5, 3)(a), layers.Embedding(5, 3, mask_zero=True)(b)
        return k.Model([a, b], layers.MultiHeadAttention(1, 3)(x, y))

    yield "attention", attention

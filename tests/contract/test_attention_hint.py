"""`flash_attention` of layers, of `config`, and causal masks that layers leave to the op."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from helpers import assert_parity
from polykeras import config, layers, ops
from polykeras.backend import Backend

X = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
MASK = np.array([[True, True, True, False, False], [False, True, True, True, True]])


def multi_head(**options: Any) -> layers.Layer:
    return layers.MultiHeadAttention(2, 3, **options)


def grouped(**options: Any) -> layers.Layer:
    return layers.GroupQueryAttention(3, 4, 2, **options)


BOTH = pytest.mark.parametrize("make", [multi_head, grouped])


@pytest.fixture(autouse=True)
def hints(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The keyword arguments of the op's calls; afterwards `config` is as at first."""
    found: list[dict[str, Any]] = []
    given = ops.dot_product_attention

    def seen(*args: Any, **options: Any) -> Any:
        found.append(options)
        return given(*args, **options)

    monkeypatch.setattr(ops, "dot_product_attention", seen)
    yield found
    config.enable_flash_attention()


@BOTH
def test_the_op_gets_the_hint_of_the_layer_or_of_config(backend: Backend, make: Any, hints: list[Any]) -> None:
    assert config.is_flash_attention_enabled() is None
    kept = [make(flash_attention=hint) for hint in (True, False, None)]
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    kept += [make(flash_attention=hint) for hint in (True, False, None)]
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None
    weights = None
    results = []
    for layer in kept:
        layer.build(X.shape, X.shape)
        weights = weights or layer.get_weights()
        layer.set_weights(weights)
        results.append(ops.convert_to_numpy(layer(X, X)))
        assert_parity(results[-1], results[0], 1e-5, 1e-6)
    assert [hint["flash_attention"] for hint in hints] == [True, False, None, True, False, False]


@BOTH
def test_the_hint_is_no_part_of_the_config(make: Any) -> None:
    layer = make(flash_attention=True)
    assert layer._flash_attention is True
    assert "flash_attention" not in layer.get_config()
    config.disable_flash_attention()
    assert type(layer).from_config(layer.get_config())._flash_attention is False


@BOTH
def test_what_needs_the_weights_is_refused(make: Any) -> None:
    with pytest.raises(
        ValueError, match=r"`flash_attention=True` holds no attention weights to drop; received `dropout=0.1`"
    ):
        make(flash_attention=True, dropout=0.1)
    make(flash_attention=False, dropout=0.1)
    with pytest.raises(ValueError, match="makes no attention scores that could be returned"):
        make(flash_attention=True)(X, X, return_attention_scores=True)
    make()(X, X, return_attention_scores=True)


@BOTH
@pytest.mark.parametrize("keys", [3, 5])
@pytest.mark.parametrize("masked", [False, True])
def test_a_causal_mask_is_left_to_the_op(
    backend: Backend, make: Any, keys: int, masked: bool, hints: list[Any]
) -> None:
    layer = make()
    mask = MASK[:, :keys] if masked else None
    got = layer(X, X[:, :keys], value_mask=mask, use_causal_mask=True)
    assert hints[-1]["is_causal"]
    assert (hints[-1]["mask"] is None) is not masked
    whole = np.tril(np.ones((5, keys), bool))[None] & (mask[:, None] if masked else True)
    want = layer(X, X[:, :keys], attention_mask=whole)
    assert not hints[-1]["is_causal"]
    assert_parity(ops.convert_to_numpy(got), ops.convert_to_numpy(want), 1e-5, 1e-6)
    _, scores = layer(X, X[:, :keys], value_mask=mask, use_causal_mask=True, return_attention_scores=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(scores)[1:, :, 1:] > 0, np.broadcast_to(whole[-1:, None, 1:],
                                  (1, scores.shape[1], 4, keys)))  # fmt: skip


def test_who_overrides_a_method_gets_the_whole_mask(backend: Backend, hints: list[Any]) -> None:
    class Outputs(layers.MultiHeadAttention):
        def _compute_attention(self, query: Any, key: Any, value: Any, attention_mask: Any = None, *rest: Any) -> Any:
            assert attention_mask is not None
            return super()._compute_attention(query, key, value, attention_mask, *rest)

    class Masks(layers.MultiHeadAttention):
        def _compute_attention_mask(self, *args: Any, use_causal_mask: bool = False, **options: Any) -> Any:
            assert use_causal_mask
            return super()._compute_attention_mask(*args, use_causal_mask=use_causal_mask, **options)

    plain = multi_head()
    want = ops.convert_to_numpy(plain(X, X, use_causal_mask=True))
    for kind in (Outputs, Masks):
        layer = kind(2, 3)
        layer.build(X.shape, X.shape)
        layer.set_weights(plain.get_weights())
        assert_parity(ops.convert_to_numpy(layer(X, X, use_causal_mask=True)), want, 1e-5, 1e-6)
        assert not hints[-1]["is_causal"]


def test_a_method_that_is_replaced_on_one_layer(backend: Backend) -> None:
    """It is called as in Keras, with the whole mask."""
    layer = multi_head()
    want = ops.convert_to_numpy(layer(X, X, use_causal_mask=True))
    whole, masks = layer._compute_attention, []

    def mine(query: Any, key: Any, value: Any, attention_mask: Any, training: Any, scores: Any) -> Any:
        masks.append(attention_mask)
        return whole(query, key, value, attention_mask, training, scores)

    object.__setattr__(layer, "_compute_attention", mine)
    assert_parity(ops.convert_to_numpy(layer(X, X, use_causal_mask=True)), want, 1e-5, 1e-6)
    assert masks[0] is not None


def test_parts_that_other_libraries_call(backend: Backend) -> None:
    layer = multi_head()
    layer(X, X)
    q, k, v = (np.random.default_rng(i).normal(size=(2, 5, 2, 3)).astype("float32") for i in range(3))
    outputs = [
        layer._compute_attention(q, k, v, MASK[:, None], return_attention_scores=scores)[0] for scores in (False, True)
    ]
    np.testing.assert_allclose(*map(ops.convert_to_numpy, outputs), atol=1e-5)

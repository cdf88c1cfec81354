"""LoRA, spectral normalization and pipelines in training, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import polykeras as keras
from polykeras import layers as L
from polykeras.backend import Backend
from polykeras.utils import set_random_seed

X = np.random.default_rng(1).standard_normal((8, 6)).astype("float32")
Y = X[:, :2] * 2.0
IMAGES = X.reshape(2, 4, 6, 1)

ADAPTED: dict[str, tuple[Callable[[], Any], Any]] = {
    "dense": (lambda: L.Dense(3), X),
    "einsum": (lambda: L.EinsumDense("ab,bcd->acd", (2, 3), bias_axes="cd"), X),
    "embedding": (lambda: L.Embedding(5, 3), np.array([[0, 4], [1, 1]], "int32")),
    "reversible": (lambda: L.ReversibleEmbedding(5, 3), np.array([[0, 4], [1, 1]], "int32")),
    "conv 1": (lambda: L.Conv1D(3, 2), X[..., None]),
    "conv 2": (lambda: L.Conv2D(3, (2, 3)), IMAGES),
}


@pytest.mark.parametrize("name", ADAPTED)
def test_only_the_factors_are_trained(backend: Backend, name: str) -> None:
    set_random_seed(2)
    make, x = ADAPTED[name]
    layer = make()
    before = backend.to_numpy(layer(x))
    layer.enable_lora(2, lora_alpha=4)
    assert_allclose(backend.to_numpy(layer(x)), before, rtol=1e-5, atol=1e-6)  # the second factor begins as zeros
    frozen = next(w for w in layer.weights if not w.trainable)
    start = {w.name: w.numpy() for w in layer.weights}
    model = keras.Sequential([layer])
    model.compile("sgd", "mse")
    model.fit(x, before + 1.0, epochs=2, verbose=0)
    moved = {w.name for w in layer.weights if not np.array_equal(w.numpy(), start[w.name])}
    assert moved == {w.name for w in layer.trainable_weights}
    assert frozen.name not in moved
    assert sum("lora" in w for w in moved) == 2
    a, b = (next(w for w in layer.weights if w.name.endswith(end)).numpy() for end in ("_a", "_b"))
    merged = frozen.numpy() + 2.0 * (a @ b)  # alpha / rank
    plain = make()
    plain(x)
    plain.set_weights([merged, *(w.numpy() for w in layer.weights if w.name == "bias")])
    outputs = backend.to_numpy(layer(x))
    assert_allclose(outputs, backend.to_numpy(plain(x)), rtol=1e-4, atol=1e-5)
    # A file holds the sum, as Keras writes it; what is read from it goes on training.
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    assert_allclose(store["0"], merged, rtol=1e-5, atol=1e-6)
    layer.load_own_variables(store)
    assert_allclose(backend.to_numpy(layer(x)), outputs, rtol=1e-4, atol=1e-5)
    assert np.any(next(w for w in layer.weights if w.name.endswith("_a")).numpy())
    assert not np.any(next(w for w in layer.weights if w.name.endswith("_b")).numpy())


def test_a_layer_within_attention_is_adapted(backend: Backend) -> None:
    layer = L.MultiHeadAttention(2, 3)
    x = X.reshape(2, 4, 6)
    before = backend.to_numpy(layer(x, x))
    layer._query_dense.enable_lora(1, b_initializer="ones")
    assert [w.name for w in layer.trainable_weights][:3] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert not layer._query_dense.weights[0].trainable
    assert np.abs(backend.to_numpy(layer(x, x)) - before).max() > 1e-4


def test_spectral_normalization_in_training(backend: Backend) -> None:
    set_random_seed(3)
    layer = L.SpectralNormalization(L.Dense(2, kernel_initializer="random_normal"), power_iterations=20)
    model = keras.Sequential([L.Input((6,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    largest = np.linalg.svd(layer.layer.kernel.numpy(), compute_uv=False)[0]
    assert_allclose(largest, 1.0, rtol=1e-3)
    assert_allclose(np.linalg.norm(layer.vector_u.numpy()), 1.0, rtol=1e-4)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    first = model.fit(X, Y, epochs=1, verbose=0).history["loss"][0]
    assert model.fit(X, Y, epochs=5, verbose=0).history["loss"][-1] < first


def test_a_kernel_of_zeros_stays(backend: Backend) -> None:
    layer = L.SpectralNormalization(L.Dense(2, kernel_initializer="zeros"))
    layer.build(X.shape)
    vector = layer.vector_u.numpy()
    assert_array_equal(backend.to_numpy(layer(X, training=True)), np.zeros((8, 2), "float32"))
    assert_array_equal(layer.vector_u.numpy(), vector)


def test_masks_and_training_go_along_a_pipeline(backend: Backend) -> None:
    ids = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    steps = [L.Embedding(4, 3, mask_zero=True), L.LSTM(2)]
    whole = backend.to_numpy(L.Pipeline(steps)(ids))
    assert_allclose(whole, backend.to_numpy(steps[1](steps[0](ids))), rtol=1e-5, atol=1e-6)
    assert np.abs(whole - backend.to_numpy(steps[1](steps[0](ids), mask=ids == ids))).max() > 1e-4
    drop = L.Pipeline([L.Dropout(0.5)])
    assert (backend.to_numpy(drop(X)) == 0).any()
    assert_array_equal(backend.to_numpy(drop(X, training=False)), X)
    given = backend.to_numpy(
        L.Pipeline([steps[1]])(X.reshape(2, 4, 6)[..., :3], mask=np.array([[1, 1, 0, 0]] * 2, bool))
    )
    short = backend.to_numpy(steps[1](X.reshape(2, 4, 6)[:, :2, :3]))
    assert_allclose(given, short, rtol=1e-5, atol=1e-6)


ERRORS: tuple[tuple[Callable[[], Any], str], ...] = (
    (lambda: L.Dense(2).enable_lora(2), "build it, or call it once, before `enable_lora`"),
    (lambda: L.Dense(2, kernel_constraint="max_norm", lora_rank=1)(X), "Leave `kernel_constraint` out"),
    (lambda: L.Dense(2, lora_rank=0.5), "`lora_rank` must be a positive int"),
    (lambda: _twice(), "enabled already, with rank 2"),
    (lambda: L.EinsumDense("ab,bc", 2)(X), "expected an equation of the form"),
    (lambda: L.EinsumDense("...ab,bc->ac...", 2)(X), "expected an equation of the form"),
    (lambda: L.EinsumDense("abc,cd->abd", (None, 2))(X), r"does not fit the axes of the inputs.*\(8, 6\)"),
    (lambda: L.EinsumDense("ab,bc->ac", (2, 3))(X), "needs 1 sizes in `output_shape`"),
    (lambda: L.EinsumDense("ab,bc->abc", (5, 3))(X), "'b' of .* has size 6 in the inputs.*and 5 in `output_shape`"),
    (lambda: L.EinsumDense("ab,bcd->ac", 3)(X), "'d' of the kernel is not known"),
    (lambda: L.EinsumDense("ab,bc->ac", 3, bias_axes="b")(X), "'b' of the bias is not known"),
    (lambda: L.EinsumDense("ab,bc->ad", 3)(X), "'d' of the output is not known"),
    (lambda: L.GroupNormalization(0), "`groups` must be a positive int, or -1"),
    (lambda: L.GroupNormalization(4)(X), "cannot divide the 6 channels of axis -1 into 4 groups"),
    (lambda: L.GroupNormalization(8)(X), "cannot divide the 6 channels"),
    (lambda: L.RMSNormalization(3)(X), "axis 3 of its inputs, whose size is missing"),
    (lambda: L.Attention(score_mode="sum"), "must be 'dot' or 'concat'; received 'sum'"),  # type: ignore[arg-type]
    (lambda: L.Attention()(X), "takes a list"),
    (lambda: L.Attention()([X[None], X[None]], mask=X), "takes masks as a list"),
    (lambda: L.GroupQueryAttention(2, 3, 2), "must be a multiple of `num_key_value_heads`; received 3 and 2"),
    (lambda: L.SpectralNormalization(L.Dense(2), 0), "`power_iterations` must be a positive int"),
    (lambda: L.SpectralNormalization(L.ReLU())(X), "with a `kernel` or `embeddings`; received <ReLU"),
    (lambda: L.Pipeline([X]), "takes a list of layers"),  # type: ignore[list-item]
)


def _twice() -> None:
    layer = L.Dense(2, lora_rank=2)
    layer(X)
    layer.enable_lora(3)


@pytest.mark.parametrize(("mistake", "words"), ERRORS, ids=[words for _, words in ERRORS])
def test_errors(mistake: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mistake()


def test_an_axis_that_is_none() -> None:
    with pytest.raises(TypeError, match="must be an int or a list of ints"):
        L.UnitNormalization("last")  # type: ignore[arg-type]

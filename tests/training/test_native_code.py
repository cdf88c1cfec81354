"""A framework's own functions in layers that are called on an `Input`, as published scripts have them.

Shapes of such layers are inferred by the framework. The layers of each table are written in each framework's own way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers import data, host
from polykeras import Input, Model, Sequential, layers
from polykeras.backend import Backend

BATCHES = (1, 4, 34)  # the last one is as large as what stands for unknown sizes


# ---- layers as they are published ------------------------------------------------------------------------------------


def tensorflow_layers() -> dict[str, Any]:
    import tensorflow as tf

    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            z_mean, z_log_var = inputs
            batch = tf.shape(z_mean)[0]
            dim = tf.shape(z_mean)[1]
            epsilon = tf.random.normal(shape=(batch, dim))
            return z_mean + tf.exp(0.5 * z_log_var) * epsilon

    class Patches(layers.Layer):
        def __init__(self, patch_size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.patch_size = patch_size

        def call(self, images: Any) -> Any:
            batch_size = tf.shape(images)[0]
            patches = tf.image.extract_patches(
                images=images,
                sizes=[1, self.patch_size, self.patch_size, 1],
                strides=[1, self.patch_size, self.patch_size, 1],
                rates=[1, 1, 1, 1],
                padding="VALID",
            )
            return tf.reshape(patches, [batch_size, -1, patches.shape[-1]])

    class Positions(layers.Layer):
        def __init__(self, maxlen: int, vocab: int, dim: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.maxlen, self.vocab, self.dim = maxlen, vocab, dim
            self.token_emb = layers.Embedding(input_dim=vocab, output_dim=dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=dim)

        def call(self, x: Any) -> Any:
            maxlen = tf.shape(x)[-1]
            positions = tf.range(start=0, limit=maxlen, delta=1)
            return self.token_emb(x) + self.pos_emb(positions)

    class RandomMask(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            if not training:
                return tf.identity(x)
            return tf.where(tf.random.uniform(tf.shape(x)) > 0.5, x, tf.zeros_like(x))

    class Heads(layers.Layer):
        def call(self, x: Any) -> Any:
            x = tf.reshape(x, (tf.shape(x)[0], -1, 2, x.shape[-1] // 2))
            return tf.transpose(x, perm=[0, 2, 1, 3])

    return locals()


def torch_layers() -> dict[str, Any]:
    import torch

    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            mu, logvar = inputs
            std = torch.exp(0.5 * logvar)
            return mu + std * torch.randn_like(std)

    class Patches(layers.Layer):
        def __init__(self, patch_size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.patch_size = patch_size

        def call(self, images: Any) -> Any:
            p = self.patch_size
            b, h, w, c = images.shape
            x = images.view(b, h // p, p, w // p, p, c).permute(0, 1, 3, 2, 4, 5).contiguous()
            return x.view(b, -1, p * p * c)

    class Positions(layers.Layer):
        def __init__(self, maxlen: int, vocab: int, dim: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.maxlen, self.vocab, self.dim = maxlen, vocab, dim
            self.token_emb = layers.Embedding(input_dim=vocab, output_dim=dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=dim)

        def call(self, x: Any) -> Any:
            positions = torch.arange(x.size(-1), device=x.device)
            return self.token_emb(x) + self.pos_emb(positions)

    class RandomMask(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            return torch.nn.functional.dropout(x, 0.5, training=bool(training)) * 1.0

    class Heads(layers.Layer):
        def call(self, x: Any) -> Any:
            return x.view(x.size(0), -1, 2, x.size(-1) // 2).transpose(1, 2)

    return locals()


def jax_layers() -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    class Sampling(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seed_generator = keras.random.SeedGenerator(1337)

        def call(self, inputs: Any) -> Any:
            z_mean, z_log_var = inputs
            key = jax.random.wrap_key_data(self.seed_generator.next().astype("uint32"), impl="threefry2x32")
            return z_mean + jnp.exp(0.5 * z_log_var) * jax.random.normal(key, jnp.shape(z_mean))

    class Patches(layers.Layer):
        def __init__(self, patch_size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.patch_size = patch_size

        def call(self, images: Any) -> Any:
            p = self.patch_size
            b, h, w, c = images.shape
            x = jnp.reshape(images, (b, h // p, p, w // p, p, c))
            return jnp.reshape(jnp.einsum("bhpwqc->bhwpqc", x), (b, -1, p * p * c))

    class Positions(layers.Layer):
        def __init__(self, maxlen: int, vocab: int, dim: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.maxlen, self.vocab, self.dim = maxlen, vocab, dim
            self.token_emb = layers.Embedding(input_dim=vocab, output_dim=dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=dim)

        def call(self, x: Any) -> Any:
            return self.token_emb(jnp.asarray(x)) + self.pos_emb(jnp.arange(x.shape[-1]))

    class RandomMask(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            if not training:
                return jnp.asarray(x)
            return jnp.where(jax.random.bernoulli(jax.random.PRNGKey(0), 0.5, x.shape), x, 0.0)

    class Heads(layers.Layer):
        def call(self, x: Any) -> Any:
            return jnp.swapaxes(jnp.reshape(x, (x.shape[0], -1, 2, x.shape[-1] // 2)), 1, 2)

    return locals()


def numpy_layers() -> dict[str, Any]:
    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            z_mean, z_log_var = inputs
            return z_mean + np.exp(0.5 * z_log_var) * np.random.normal(size=np.shape(z_mean)).astype("float32")

    class Patches(layers.Layer):
        def __init__(self, patch_size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.patch_size = patch_size

        def call(self, images: Any) -> Any:
            p = self.patch_size
            b, h, w, c = images.shape
            x = np.reshape(images, (b, h // p, p, w // p, p, c))
            return np.reshape(np.transpose(x, (0, 1, 3, 2, 4, 5)), (b, -1, p * p * c))

    class Positions(layers.Layer):
        def __init__(self, maxlen: int, vocab: int, dim: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.maxlen, self.vocab, self.dim = maxlen, vocab, dim
            self.token_emb = layers.Embedding(input_dim=vocab, output_dim=dim)
            self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=dim)

        def call(self, x: Any) -> Any:
            return self.token_emb(np.asarray(x)) + self.pos_emb(np.arange(x.shape[-1]))

    class RandomMask(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            return np.where(np.random.rand(*x.shape) > 0.5, x, 0.0 * x) if training else np.array(x)

    class Heads(layers.Layer):
        def call(self, x: Any) -> Any:
            return np.swapaxes(np.reshape(x, (x.shape[0], -1, 2, x.shape[-1] // 2)), 1, 2)

    return locals()


TABLES = {"tensorflow": tensorflow_layers, "torch": torch_layers, "jax": jax_layers, "numpy": numpy_layers}
# NumPy's own functions on the arrays of its gradients do not differentiate.
DIFFERENTIATING = ("jax", "tensorflow", "torch")


@pytest.fixture
def made(backend: Backend) -> dict[str, Any]:
    """The layers as they are written for a backend's framework."""
    return TABLES[backend.name]()


def test_shapes_and_values(backend: Backend, made: dict[str, Any]) -> None:
    image, x = Input((8, 12, 3)), Input((None, 6))
    patches, heads = made["Patches"](4)(image), made["Heads"]()(x)
    assert (patches.shape, patches.dtype) == ((None, 6, 48), "float32")
    assert heads.shape == (None, 2, None, 3)
    model = Model([image, x], [patches, heads])
    for batch in BATCHES:
        images, rows = data(batch, 8, 12, 3), data(batch, 5, 6)
        cut, split = model([images, rows])
        expected = images.reshape(batch, 2, 4, 3, 4, 3).swapaxes(2, 3).reshape(batch, 6, 48)
        np.testing.assert_array_equal(host(cut), expected)
        np.testing.assert_array_equal(host(split), rows.reshape(batch, 5, 2, 3).swapaxes(1, 2))


def test_weights_within_native_code_are_those_of_the_model(backend: Backend, made: dict[str, Any]) -> None:
    words = Input((None,), dtype="int32")
    layer = made["Positions"](40, 11, 3)
    y = layer(words)
    assert y.shape == (None, None, 3)
    assert [w.shape for w in layer.weights] == [(11, 3), (40, 3)]
    assert layer.token_emb.get_build_config() == {"input_shape": (None, None)}
    numbers = np.array([[1, 2, 3], [4, 10, 0]], "int32")
    tokens, positions = layer.get_weights()
    np.testing.assert_allclose(host(Model(words, y)(numbers)), tokens[numbers] + positions[:3], rtol=1e-6)


def test_a_table_of_positions_may_be_longer_or_just_long_enough(backend: Backend, made: dict[str, Any]) -> None:
    for maxlen in (2, 40, 3000):
        words = Input((2,), dtype="int32")
        assert made["Positions"](maxlen, 11, 3)(words).shape == (None, 2, 3)


@pytest.mark.parametrize("kind", ["functional", "sequential", "late", "subclassed"])
def test_models_with_native_layers_learn(backend: Backend, made: dict[str, Any], kind: str) -> None:
    parts = [layers.Embedding(8, 6), made["Heads"](), layers.Reshape((8, 3)), made["RandomMask"]()]
    parts += [layers.Flatten(), layers.Dense(1)]
    if kind == "functional":
        x = y = Input((4,), dtype="int32")
        for part in parts:
            y = part(y)
        model: Any = Model(x, y)
    elif kind == "sequential":
        model = Sequential([Input((4,), dtype="int32"), *parts])
    elif kind == "late":
        model = Sequential(parts)
    else:

        class Chain(Model):
            def __init__(self) -> None:
                super().__init__()
                self.parts = parts

            def call(self, inputs: Any, training: bool = False) -> Any:
                for part in self.parts:
                    inputs = part(inputs)
                return inputs

        model = Chain()
    if kind in ("functional", "sequential"):
        assert model.output_shape == (None, 1)
        assert model.count_params() == 8 * 6 + 24 + 1
    model.compile(keras.optimizers.Adam(0.03), "mse", metrics=["mae"])
    numbers = np.random.default_rng(0).integers(0, 8, (40, 4)).astype("int32")
    labels = (numbers[:, :1] > 3).astype("float32")
    if backend.name in DIFFERENTIATING:
        losses = model.fit(numbers, labels, epochs=8, batch_size=16, verbose=0).history["loss"]
        assert losses[-1] < 0.7 * losses[0]
        assert all(np.isfinite(w).all() for w in model.get_weights())
    logs = model.evaluate(numbers, labels, batch_size=16, verbose=0, return_dict=True)
    predicted = model.predict(numbers, batch_size=16, verbose=0)
    np.testing.assert_allclose(logs["loss"], ((predicted - labels) ** 2).mean(), rtol=1e-4)
    assert len(model.weights) == 3


def test_a_variational_autoencoder(backend: Backend, made: dict[str, Any]) -> None:
    x = Input((6,))
    mean, spread = layers.Dense(2)(x), layers.Dense(2)(x)
    z = made["Sampling"]()([mean, spread])
    assert z.shape == (None, 2)
    encoder, latent = Model(x, [mean, spread, z]), Input((2,))
    decoder = Model(latent, layers.Dense(6)(latent))
    model = Model(x, decoder(encoder(x)[2]))
    rows = data(32, 6)
    draws = [host(encoder(rows)[2]) for _ in range(2)]
    assert np.abs(draws[0] - draws[1]).max() > 1e-3
    if backend.name in DIFFERENTIATING:
        model.compile(keras.optimizers.Adam(0.01), "mse")
        losses = model.fit(rows, rows, epochs=10, batch_size=8, verbose=0).history["loss"]
        assert losses[-1] < losses[0]


def test_files_and_configs(backend: Backend, made: dict[str, Any], tmp_path: Path) -> None:
    words = Input((None,), dtype="int32")
    y = made["Heads"]()(made["Positions"](40, 11, 4, name="positions")(words))
    model = Model(words, y)
    numbers = np.array([[1, 2, 3], [4, 10, 0]], "int32")
    classes = {name: made[name] for name in ("Heads", "Positions")}
    with keras.utils.custom_object_scope(classes):
        again = Model.from_config(model.get_config())
        copy = keras.models.clone_model(model)
        model.save(tmp_path / "model.keras")
        read = keras.models.load_model(tmp_path / "model.keras")
    for other in (again, copy, read):
        assert other.output_shape == (None, 2, None, 2)
        other.set_weights(model.get_weights())
        np.testing.assert_array_equal(host(other(numbers)), host(model(numbers)))
    np.testing.assert_array_equal(read.predict(numbers, verbose=0), model.predict(numbers, verbose=0))

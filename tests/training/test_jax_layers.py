"""Functions of JAX, and modules of Flax, as layers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops

X = np.random.default_rng(2).standard_normal((12, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def affine(params: Any, inputs: Any) -> Any:
    return inputs @ params["w"] + params["b"]


def ones(rng: Any, inputs: Any) -> Any:
    return {"w": np.ones((inputs.shape[-1], 3), "float32"), "b": np.zeros(3, "float32")}


@pytest.mark.parametrize("name", ["numpy", "torch", "tensorflow"])
def test_other_backends_are_refused(name: str) -> None:
    if not next(info for info in keras.backends() if info.name == name).installed:
        pytest.skip(f"{name} is not installed")
    with keras.use_backend(name), pytest.raises(ValueError, match=f"code of jax.*is {name!r}.*set_backend"):
        layers.JaxLayer(affine, ones)


class TestOnJax:
    """All that needs JAX."""

    pytestmark = pytest.mark.needs("jax")

    @pytest.fixture(autouse=True)
    def on_jax(self) -> Iterator[None]:
        self.jax = pytest.importorskip("jax")
        with keras.use_backend("jax"):
            yield

    def counting(self) -> Any:
        jax = self.jax

        def call(params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> Any:
            x = inputs @ params["layers"][0] + params["bias"]
            if training:
                x = x * jax.random.bernoulli(rng, 0.5, x.shape)
            seen = state["seen"] + (1 if training else 0)
            return {"x": x, "twice": 2.0 * x}, {"seen": seen, "what": state["what"]}

        def init(rng: Any, inputs: Any, training: bool) -> Any:
            assert training is True
            weights = jax.random.normal(rng, (inputs.shape[-1], 3))
            return {"layers": [weights], "bias": 0.0}, {"seen": 0, "what": "a word"}

        return layers.JaxLayer(call, init, seed=1)

    def test_params_state_keys_and_training(self) -> None:
        layer = self.counting()
        outputs = layer(X)
        kernel, bias = layer.params["layers"][0], layer.params["bias"]
        assert [v.shape for v in layer.trainable_variables] == [(), (4, 3)]
        assert [(v.shape, v.dtype) for v in layer.non_trainable_weights] == [((), "int32")]
        assert layer.state["what"] == "a word"
        np.testing.assert_allclose(outputs["x"], X @ kernel.numpy() + bias.numpy(), rtol=1e-5)
        np.testing.assert_allclose(outputs["twice"], 2 * outputs["x"], rtol=1e-6)
        first, second = (np.asarray(layer(X, training=True)["x"]) for _ in range(2))
        kept = first != 0
        assert 0.2 < kept.mean() < 0.8
        np.testing.assert_allclose(first[kept], np.asarray(outputs["x"])[kept], rtol=1e-5)
        assert (first != second).any()
        assert int(layer.state["seen"]) == 2

    def test_gradients_are_those_of_the_function(self) -> None:
        layer = layers.JaxLayer(affine, ones)
        layer(X)
        expected = self.jax.grad(lambda p: (affine(p, X) ** 2).sum())({k: v.value for k, v in layer.params.items()})
        found = keras.grad(lambda: ops.sum(layer(X) ** 2), layer.trainable_variables)()
        native = self.jax.grad(lambda t: (layer.stateless_call(t, [], X)[0] ** 2).sum())(layer.trainable_variables)
        for gradients in (found, native):
            np.testing.assert_allclose(gradients[0], expected["b"], rtol=1e-5)
            np.testing.assert_allclose(gradients[1], expected["w"], rtol=1e-5)

    @pytest.mark.parametrize("symbolic", [False, True])
    def test_it_trains_in_fit_and_is_saved(self, symbolic: bool, tmp_path: Path) -> None:
        custom = {"affine": affine, "ones": ones}
        parts = [*([keras.Input((4,))] if symbolic else []), layers.JaxLayer(affine, ones), layers.Dense(1)]
        model = keras.Sequential(parts)
        model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
        losses = model.fit(X, Y, epochs=20, verbose=0, batch_size=5).history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects=custom)
        np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)
        loaded.fit(X, Y, verbose=0)
        assert sorted(loaded.layers[0].get_config()) == sorted(
            ["call_fn", "init_fn", "native_serialization_platforms", "name", "trainable", "dtype"]
        )

    def test_state_changes_in_fit_and_stays_in_predict(self) -> None:
        inputs = keras.Input((4,))
        layer = self.counting()
        model = keras.Model(inputs, layers.Dense(1)(layer(inputs)["x"]))
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
        model.predict(X, verbose=0)
        model.evaluate(X, Y, verbose=0)
        assert int(layer.state["seen"]) == 6

    def test_shapes_of_symbolic_calls(self) -> None:
        layer = layers.JaxLayer(
            lambda inputs: (inputs[..., :2].reshape(-1, 2), inputs.sum(1), inputs.shape[0] * inputs[0])
        )
        rows, sums, one = layer(keras.Input((None, 4), dtype="float32"))
        assert (rows.shape, sums.shape, one.shape) == ((None, 2), (None, 4), (None, 4))
        assert rows.dtype == "float32"
        assert self.counting().compute_output_shape((5, 4)) == {"x": (5, 3), "twice": (5, 3)}
        several = layers.JaxLayer(lambda inputs: inputs["a"] @ inputs["b"][0])
        assert several({"a": keras.Input((3,)), "b": [keras.Input((2,), batch_size=3)]}).shape == (None, 2)
        long = layers.JaxLayer(lambda inputs: self.jax.numpy.convolve(inputs[0], np.ones(100, "float32"), mode="valid"))
        assert long(keras.Input((None,))).shape == (None,)

    def test_params_that_are_given(self) -> None:
        layer = layers.JaxLayer(affine, params={"w": np.full((4, 2), 2.0, "float32"), "b": 1.0})
        assert layer.built
        np.testing.assert_allclose(layer(X), X @ np.full((4, 2), 2.0) + 1.0, rtol=1e-5)
        twin = copy.deepcopy(layer)
        twin.params["b"].assign(5.0)
        assert float(layer.params["b"]) == 1.0
        np.testing.assert_allclose(twin(X), layer(X) + 4.0, rtol=1e-5)

    def test_a_build_while_jax_traces(self) -> None:
        layer = layers.JaxLayer(affine, ones)
        found = self.jax.jit(lambda x: layer(x))(X)
        np.testing.assert_allclose(found, X.sum(1, keepdims=True).repeat(3, 1), rtol=1e-4, atol=1e-6)
        assert [v.numpy().shape for v in layer.weights] == [(3,), (4, 3)]

    def test_mistakes(self) -> None:
        with pytest.raises(ValueError, match="must have an argument `inputs`"):
            layers.JaxLayer(lambda params, x: x, ones)
        with pytest.raises(ValueError, match=r"`init_fn` may have the arguments.*it has `key` too"):
            layers.JaxLayer(affine, lambda key, inputs: {})
        with pytest.raises(ValueError, match="Pass `init_fn`, `params` or `state`"):
            layers.JaxLayer(affine)
        broken = layers.JaxLayer(lambda state, inputs: (inputs, {"n": 1}), state={"n": "one"})
        with pytest.raises(ValueError, match="must be a tree like the first one"):
            broken(X)
        other = layers.JaxLayer(affine, ones)
        with keras.use_backend("numpy"), pytest.raises(ValueError, match="code of jax"):
            other(X)

    def test_mixed_precision(self) -> None:
        layer = layers.JaxLayer(affine, ones, dtype="mixed_bfloat16")
        assert ops.dtype(layer(X)) == "bfloat16"
        assert {v.dtype for v in layer.weights} == {"float32"}

    # ---- Flax ----------------------------------------------------------------------------------------------------

    def module(self) -> Any:
        nn = pytest.importorskip("flax.linen")

        class Net(nn.Module):
            @nn.compact
            def __call__(self, inputs: Any, training: bool = False) -> Any:
                x = nn.Dense(8)(inputs)
                x = nn.BatchNorm(use_running_average=not training, momentum=0.5)(x)
                x = nn.Dropout(0.25, deterministic=not training)(nn.relu(x))
                return nn.Dense(1)(x)

            def get_config(self) -> dict[str, Any]:
                return {}

            @classmethod
            def from_config(cls, config: Any) -> Any:
                return cls()

        return Net

    def test_a_module_of_flax(self, tmp_path: Path) -> None:
        cls = self.module()
        layer = layers.FlaxLayer(cls())
        model = keras.Sequential([keras.Input((4,)), layer])
        model.compile(keras.optimizers.Adam(0.05), "mse")
        losses = model.fit(X, Y, epochs=30, verbose=0, batch_size=12).history["loss"]
        assert losses[-1] < losses[0]
        variables = {**layer.params, **layer.state}
        held = self.jax.tree.map(lambda leaf: leaf, variables)  # values in place of variables
        assert sorted(held) == ["batch_stats", "params"]
        np.testing.assert_allclose(cls().apply(held, X), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
        assert any(np.abs(v.numpy()).max() > 0 for v in layer.non_trainable_weights)
        custom = {"Net": cls}
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects=custom)
        np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)

    def test_a_method_of_a_module(self, tmp_path: Path) -> None:
        nn = pytest.importorskip("flax.linen")

        class Net(self.module()):  # type: ignore[misc]
            @nn.compact
            def forward(self, inputs: Any) -> Any:
                return nn.Dense(1)(inputs)

        module = Net()
        for bound in (module.forward, Net().forward):  # Flax takes the method of another instance for the module's
            layer = layers.FlaxLayer(module, method=bound)
            model = keras.Sequential([keras.Input((4,)), layer])
            assert layer.get_config()["method"] == "forward"
            model.save(tmp_path / "model.keras")
            loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"Net": Net})
            np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)

    def test_a_function_over_a_module_and_variables_that_are_given(self) -> None:
        cls = self.module()
        variables = cls().init(self.jax.random.key(0), X)
        layer = layers.FlaxLayer(
            cls(), method=lambda module, inputs: module(inputs[0] - inputs[1]), variables=variables
        )
        assert layer.built
        np.testing.assert_allclose(layer([X, 0.5 * X]), cls().apply(variables, 0.5 * X), rtol=1e-5, atol=1e-6)

"""Settings of Keras, and small functions of its namespaces that programs lean on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import dtype_policies, layers, models, ops, saving, tree, utils

X, Y = np.ones((6, 2), "float32"), np.ones((6, 1), "float32")


@pytest.fixture(autouse=True)
def settings_as_before() -> Iterator[None]:
    before = {name: getattr(keras.config.settings(), name) for name in keras.config.Settings.__slots__}
    yield
    for name, value in before.items():
        setattr(keras.config.settings(), name, value)


def model() -> models.Sequential:
    made = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def test_epochs_and_steps_are_limited() -> None:
    keras.config.set_max_epochs(2)
    keras.config.set_max_steps_per_epoch(1)
    made, steps = model(), []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    with pytest.warns(UserWarning, match="limited to") as told:
        history = made.fit(X, Y, epochs=5, batch_size=2, steps_per_epoch=3, verbose=0, callbacks=[watch])
    assert {str(w.message).split(" by ")[0] for w in told} == {
        "Training is limited to 2 epochs", "Epochs are limited to 1 batches"
    }  # fmt: skip
    assert (history.epoch, steps) == ([0, 1], [0, 0])
    with pytest.warns(UserWarning, match="1 batches"):
        assert made.predict(X, batch_size=2, verbose=0).shape == (2, 1)
    assert (keras.config.max_epochs(), keras.config.max_steps_per_epoch()) == (2, 1)


def test_progress_goes_to_a_logger(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    utils.disable_interactive_logging()
    with caplog.at_level(logging.INFO, "polykeras"):
        model().fit(X, Y, epochs=1, verbose=2)
    assert not capsys.readouterr().out
    assert caplog.messages[0].startswith("Epoch 1/1 - 1/1")
    keras.config.enable_interactive_logging()
    assert utils.is_interactive_logging_enabled()
    model().fit(X, Y, epochs=1, verbose=2)
    assert capsys.readouterr().out.startswith("Epoch 1/1")


def test_code_in_configs_is_run_where_it_is_allowed() -> None:
    config = saving.serialize_keras_object(lambda x: x + 1)
    with pytest.raises(ValueError, match="safe_mode=False"):
        saving.deserialize_keras_object(config)
    assert saving.deserialize_keras_object(config, safe_mode=False)(1) == 2
    keras.config.enable_unsafe_deserialization()
    assert saving.deserialize_keras_object(config)(2) == 3


def test_settings_of_higher_floors() -> None:
    assert keras.config.backend() == keras.backend.backend()
    assert keras.config.dtype_policy().name == keras.config.floatx()
    assert not keras.config.is_nnx_enabled()
    assert keras.config.is_flash_attention_enabled() is None
    keras.config.disable_flash_attention()
    assert keras.config.is_flash_attention_enabled() is False
    assert keras.backend.is_keras_tensor(layers.Input((2,)))
    keras.backend.clear_session()
    assert [keras.backend.get_uid("a") for _ in range(2)] == [1, 2]
    utils.clear_session(free_memory=False)
    assert keras.backend.get_uid("a") == 1


def test_custom_objects_by_name() -> None:
    class OwnByName: ...

    utils.get_custom_objects()["OwnByName"] = OwnByName
    assert saving.get_registered_object("OwnByName") is OwnByName
    del saving.get_custom_objects()["OwnByName"]
    assert saving.get_registered_object("OwnByName") is None
    assert saving.get_registered_object("OwnByName", {"OwnByName": OwnByName}) is saving.get_registered_object(
        "OwnByName", None, {"OwnByName": OwnByName}
    )
    scope = utils.CustomObjectScope({"OwnByName": OwnByName})
    with scope, scope:
        assert saving.get_registered_object("OwnByName") is OwnByName
    assert isinstance(scope, utils.custom_object_scope)


# ---- policies --------------------------------------------------------------------------------------------------------


def test_a_map_of_policies_reaches_its_layers() -> None:
    half = dtype_policies.DTypePolicy("mixed_float16")
    policies = dtype_policies.DTypePolicyMap("float32", {"(.*/)?wide": half})
    made = models.Sequential(
        [layers.Input((2,)), layers.Dense(3, dtype=policies, name="wide"), layers.Dense(1, dtype=policies)], name="m"
    )
    assert [layer.compute_dtype for layer in made.layers] == ["float16", "float32"]
    assert [w.dtype for w in made.weights] == ["float32"] * 4
    again = models.Sequential.from_config(made.get_config())
    assert again.layers[0].dtype_policy == policies
    assert again.layers[0].compute_dtype == "float16"
    assert dtype_policies.deserialize(dtype_policies.serialize(policies)) == policies
    assert dtype_policies.serialize(policies) == {  # as Keras 3.15 writes it
        "module": "keras.dtype_policies",
        "class_name": "DTypePolicyMap",
        "config": {
            "default_policy": "float32",
            "policy_map": {
                "(.*/)?wide": {
                    "module": "keras",
                    "class_name": "DTypePolicy",
                    "config": {"name": "mixed_float16"},
                    "registered_name": None,
                }
            },
        },
        "registered_name": None,
    }


def test_policies_that_are_refused() -> None:
    policies = dtype_policies.DTypePolicyMap()
    policies["a"] = "float64"
    assert policies["a"].name == "float64"
    with pytest.raises(ValueError, match="already"):
        policies["a"] = "float32"
    with pytest.raises(ValueError, match="several patterns"):
        _ = dtype_policies.DTypePolicyMap(None, {"a.*": policies["a"], ".*b": policies["a"]})["ab"]


def test_a_policy_converts_inputs() -> None:
    policy = dtype_policies.FloatDTypePolicy("mixed_float16")
    assert ops.dtype(policy.convert_input(X, True, "float16")) == "float16"
    assert ops.dtype(policy.convert_input(X, False, "float16")) == "float32"
    assert ops.dtype(policy.convert_input(np.arange(2, dtype="int32"), True, "float16")) == "int32"
    assert policy.convert_input("text", True, "float16") == "text"


# ---- trees -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [  # what Keras 3.15 gives
        (lambda t: t.flatten_with_path({"b": [1, (2,)], "a": 3}), [(("a",), 3), (("b", 0), 1), (("b", 1, 0), 2)]),
        (lambda t: t.map_structure_up_to([0, 0], str, [[1, 2], {"q": 3}]), ["[1, 2]", "{'q': 3}"]),
        (lambda t: t.lists_to_tuples({"a": [1, [2]]}), {"a": (1, (2,))}),
        (lambda t: t.map_shape_structure(len, {"a": [(None, 2), [3, 4, 5]], "b": (1,)}), {"a": [2, 3], "b": 1}),
        (lambda t: t.traverse(lambda x: t.MAP_TO_NONE if x == 2 else None, [1, 2, [2]]), [1, None, [None]]),
        (lambda t: t.pack_sequence_as(structure=[1, (2,)], flat_sequence=[3, 4]), [3, (4,)]),
        (lambda t: t.assert_same_paths([1, [2]], (1, (2,))), None),
    ],
)  # fmt: skip
def test_trees(call: Any, expected: Any) -> None:
    assert call(tree) == expected


def test_trees_that_differ() -> None:
    with pytest.raises(ValueError, match=r"only one structure has \[\(1,\)\]"):
        tree.assert_same_paths([1], [1, 2])
    assert tree.map_structure(lambda x: 0, [None, 1], none_is_leaf=True) == [0, 0]
    assert tree.map_structure(lambda x: 0, [None, 1], none_is_leaf=False) == [None, 0]


# ---- scopes and functions --------------------------------------------------------------------------------------------


def test_values_stay_in_a_stateless_scope() -> None:
    weight, other = keras.Variable([1.0, 2.0]), keras.Variable(5.0)
    with keras.StatelessScope([(weight, [3.0, 4.0])]) as scope:
        assert float(ops.sum(weight)) == 7.0
        weight.assign(weight * 2)
        other.assign(6.0)
        scope.add_update((other, ops.add(other, 1.0)))
    assert float(ops.sum(scope.get_current_value(weight))) == 14.0
    assert float(scope.get_current_value(other)) == 7.0
    assert scope.get_current_value(keras.Variable(0.0)) is None
    assert (float(ops.sum(weight)), float(other)) == (3.0, 5.0)
    with pytest.raises(ValueError, match=r"has shape \(2,\); received a value of shape \(3,\)"):
        keras.StatelessScope([(weight, [1.0, 2.0, 3.0])])


def test_a_stateless_scope_collects_losses() -> None:
    class Penalty(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.sum(inputs))
            return inputs

    layer = Penalty()
    with keras.StatelessScope(collect_losses=True) as scope, keras.StatelessScope() as inner:
        layer(X)
    assert [float(loss) for loss in scope.losses] == [float(np.sum(X))]
    assert inner.losses == []


def test_a_function_of_a_graph() -> None:
    a, b = keras.Input((2,)), keras.Input((2,))
    double = keras.Function([a, b], {"sum": a + b, "product": a * b}, name="both")
    seen = double([X, 2 * X])
    assert float(ops.sum(seen["sum"])) == 36.0
    assert double.compute_output_shape([(None, 2), (None, 2)])["product"] == (None, 2)
    assert [t.shape for t in double.inputs] == [(None, 2)] * 2
    assert isinstance(double([a, b])["sum"], keras.KerasTensor)
    with pytest.raises(ValueError, match="both takes 2 input"):
        double([X])


def test_shapes_and_names_within_scopes() -> None:
    with keras.SymbolicScope():
        assert ops.shape(ops.matmul(ops.ones((2, 3)), ops.ones((3, 4)))) == (2, 4)
    layer = layers.Dense(1, name="d")
    with keras.name_scope("outer"):
        layer.build((None, 2))
    assert layer.kernel.path == "outer/d/kernel"
    with pytest.raises(ValueError, match="without '/'"):
        keras.name_scope("a/b")
    with pytest.warns(UserWarning, match="saves no memory"), keras.RematScope("full"):
        assert layer(X).shape == (6, 1)
    with pytest.raises(ValueError, match="`mode` must be one of"):
        keras.RematScope("other")

"""Configs that name what must not be named, or bring code."""

from __future__ import annotations

import base64
import json
import marshal
import struct
from typing import Any

import numpy as np

from saving.corpus import (
    Lab,
    attack,
    entry,
    functional,
    named,
    tensor,
    valid_config,
    write_archive,
    write_config,
)

NOT_OURS = "neither part of polykeras nor registered|Unknown|names '.*' of module"


def _code(lab: Lab) -> str:
    return base64.b64encode(marshal.dumps(compile(lab.code, "attack", "exec"))).decode()


def _lambda(lab: Lab) -> dict[str, Any]:
    return {"class_name": "__lambda__", "config": {"code": _code(lab), "defaults": None, "closure": None}}


# ---- code ------------------------------------------------------------------------------------------------------


@attack(".keras", "code of a `lambda`", "CVE-2024-3660")
def code_in_a_lambda(lab: Lab) -> None:
    write_config(lab, functional(entry("Lambda", {"function": _lambda(lab)})))


@attack(".config.json", "code of a `lambda`", "CVE-2026-12481")
def code_in_json_alone(lab: Lab) -> None:
    write_config(lab, functional(entry("Lambda", {"function": _lambda(lab)})))


@attack(".keras", "code of a `lambda`", "CVE-2025-9906")
def unsafe_deserialization_and_a_lambda(lab: Lab) -> None:
    unsafe = entry("Lambda", {"function": _lambda(lab)})
    write_config(
        lab, functional(unsafe, entry("Lambda", {"function": named("keras.config", "enable_unsafe_deserialization")}))
    )


@attack(".keras", NOT_OURS, "CVE-2025-9906")
def unsafe_deserialization_switched_on(lab: Lab) -> None:
    write_config(lab, functional(entry("Lambda", {"function": named("keras.config", "enable_unsafe_deserialization")})))


@attack(".keras", NOT_OURS, "CVE-2025-9906")
def a_global_attribute_set(lab: Lab) -> None:
    function = named("keras.src.backend.common.global_state", "set_global_attribute")
    write_config(lab, functional(entry("Lambda", {"function": function, "arguments": {"value": False}})))


@attack(".keras", NOT_OURS, "CVE-2025-8747")
def load_model_as_a_function(lab: Lab) -> None:
    arguments = {"safe_mode": False}
    write_config(
        lab, functional(entry("Lambda", {"function": named("keras.models", "load_model"), "arguments": arguments}))
    )


@attack(".keras", "safe_mode")
def safe_mode_in_the_config(lab: Lab) -> None:
    config = functional(entry("Lambda", {"function": _lambda(lab)}))
    config["config"]["safe_mode"] = config["safe_mode"] = False
    write_config(lab, config)


@attack(".keras", "code of a `lambda`")
def code_in_the_loss(lab: Lab) -> None:
    config = valid_config()
    config["compile_config"]["loss"] = _lambda(lab)
    write_config(lab, config)


@attack(".keras", "code of a `lambda`")
def code_in_the_arguments_of_a_call(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2}), training=_lambda(lab)))


@attack(".keras", "code of a `lambda`")
def code_in_an_initializer(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2, "kernel_initializer": _lambda(lab)})))


@attack(".keras", "code of a `lambda`")
def code_deep_within(lab: Lab) -> None:
    deep: Any = _lambda(lab)
    for _ in range(20):
        deep = {"class_name": "__tuple__", "config": [{"deep": [deep]}]}
    write_config(lab, functional(entry("Dense", {"units": 2, "activation": deep})))


# ---- names -----------------------------------------------------------------------------------------------------


@attack(".keras", NOT_OURS, "CVE-2025-1550")
def os_system_as_an_activation(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2, "activation": named("os", "system")})))


@attack(".keras", NOT_OURS, "CVE-2025-1550")
def os_system_on_arguments_of_the_file(lab: Lab) -> None:
    config = functional(entry("Lambda", {"function": named("os", "system")}))
    config["config"]["layers"][1]["inbound_nodes"] = [{"args": [f"touch {lab.canary}"], "kwargs": {}}]
    write_config(lab, config)


@attack(".keras", NOT_OURS, "CVE-2025-1550")
def popen_as_a_layer(lab: Lab) -> None:
    write_config(lab, functional(entry("Popen", {"args": ["touch", str(lab.canary)]}, "subprocess")))


@attack(".keras", NOT_OURS)
def a_dotted_name(lab: Lab) -> None:
    write_config(lab, functional(entry("os.system", {"command": f"touch {lab.canary}"})))


@attack(".keras", NOT_OURS)
def a_dotted_function(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2, "activation": named("keras.activations", "os.system")})))


@attack(".keras", NOT_OURS)
def a_registered_name_of_a_module(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2}, "os", registered_name="os>system")))


@attack(".keras", NOT_OURS)
def a_namesake_of_another_package(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2}, "their.layers", registered_name="Their>Dense")))


@attack(".keras", NOT_OURS)
def a_builtin_of_python(lab: Lab) -> None:
    write_config(lab, functional(entry("Lambda", {"function": named("builtins", "exec")})))


@attack(".keras", "as a function, but it is a class")
def a_class_as_a_function(lab: Lab) -> None:
    write_config(lab, functional(entry("Lambda", {"function": named("keras.layers", "Dense")})))


@attack(".keras", "There is no op '__builtins__'")
def an_op_that_is_no_op(lab: Lab) -> None:
    write_config(lab, functional(entry("OpOperation", {"op": "__builtins__"}, "polykeras.graph")))


@attack(".keras", "There is no op 'annotations'|There is no op")
def an_op_that_is_something_else_there(lab: Lab) -> None:
    write_config(lab, functional(entry("OpOperation", {"op": "annotations"}, "polykeras.graph")))


@attack(".keras", "There is no op '__import__'|There is no op")
def an_op_of_keras_that_is_none(lab: Lab) -> None:
    write_config(lab, functional(entry("__Import__", {"name": "os"}, "keras.src.ops.numpy")))


@attack(".keras", NOT_OURS, "CVE-2025-8747")
def get_file_as_a_function(lab: Lab) -> None:
    arguments = {"fname": str(lab.canary), "origin": "http://127.0.0.1:9/", "extract": True}
    write_config(
        lab, functional(entry("Lambda", {"function": named("keras.utils", "get_file"), "arguments": arguments}))
    )


@attack(".keras", NOT_OURS, "CVE-2025-12060")
def get_file_as_a_loss(lab: Lab) -> None:
    config = valid_config()
    config["compile_config"]["loss"] = named("keras.utils", "get_file")
    write_config(lab, config)


@attack(".keras", "loaded from a pickle", "CVE-2025-49655")
def a_pickle_in_a_torch_module(lab: Lab) -> None:
    pickled = base64.b64encode(b"cos\nsystem\n(S'touch " + str(lab.canary).encode() + b"'\ntR.").decode()
    write_config(lab, functional(entry("TorchModuleWrapper", {"module": pickled})))


@attack(".keras", "loads a SavedModel", "CVE-2026-1462")
def a_saved_model_of_tensorflow(lab: Lab) -> None:
    write_config(lab, functional(entry("TFSMLayer", {"filepath": str(lab.secret)})))


@attack(".keras", "refers to the external file", "CVE-2025-12058")
def a_vocabulary_in_a_file(lab: Lab) -> None:
    write_config(lab, functional(entry("StringLookup", {"vocabulary": str(lab.secret)})))


@attack(".keras", "refers to the external file", "CVE-2025-12058")
def a_vocabulary_on_a_server(lab: Lab) -> None:
    write_config(lab, functional(entry("TextVectorization", {"vocabulary": "http://127.0.0.1:9/vocabulary"})))


@attack(".keras", NOT_OURS)
def a_custom_layer_nobody_passed(lab: Lab) -> None:
    write_config(lab, functional(entry("Mine", {}, "__main__", registered_name="Mine")))


# ---- forms -----------------------------------------------------------------------------------------------------


@attack(".keras", "must be a name")
def a_name_that_is_a_list(lab: Lab) -> None:
    write_config(lab, functional(entry(["Dense"], {"units": 2})))  # type: ignore[arg-type]


@attack(".keras", "must be a name")
def a_name_without_end(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense" * 100_000, {"units": 2})))


@attack(".keras", "Unknown")
def a_loss_without_end(lab: Lab) -> None:
    config = valid_config()
    config["compile_config"]["loss"] = "mean_squared_error" * 100_000
    write_config(lab, config)


@attack(".keras", "must be a name")
def a_function_that_is_a_dict(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2, "activation": entry("function", {"os": "system"})})))


@attack(".keras", "must be a name")
def a_module_that_is_a_number(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2}, 7)))  # type: ignore[arg-type]


@attack(".keras", "describes no model")
def no_model(lab: Lab) -> None:
    write_config(lab, entry("Zeros", {}, "keras.initializers"))


@attack(".keras", "describes no model")
def a_list_for_a_model(lab: Lab) -> None:
    write_config(lab, [functional()])


@attack(".keras", "is not a layer")
def an_initializer_for_a_layer(lab: Lab) -> None:
    write_config(lab, functional(entry("Zeros", {}, "keras.initializers")))


@attack(".keras", "is not a layer")
def a_function_for_a_layer(lab: Lab) -> None:
    write_config(lab, functional(named("keras.activations", "relu", None)))


@attack(".keras", "no attribute|must be|not a mapping|items")
def a_config_that_is_text(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", "units")))


@attack(".keras", "unexpected|got an")
def arguments_that_are_none(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2, "__class__": "os.system"})))


@attack(".keras", "whole numbers|whose size is")
def sizes_that_are_fractions(lab: Lab) -> None:
    dense = entry("Dense", {"units": 2}, build_config={"input_shape": [None, 3e9]})
    write_config(lab, functional(dense))


@attack(".keras", "shape|size|int|number")
def a_shape_of_texts(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2}), shape=[None, "4"]))


@attack(".keras", "units")
def nan_for_a_size(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": float("nan")})))


@attack(".keras", "size|int|number|None")
def infinity_in_a_shape(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2}), shape=[None, float("inf")]))


@attack(".keras", "units")
def a_negative_size(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": -3})))


@attack(".keras", "compile|argument")
def a_compile_config_of_other_arguments(lab: Lab) -> None:
    config = valid_config()
    config["compile_config"]["self"] = "x"
    write_config(lab, config)


@attack(".keras", "Unknown dtype")
def an_array_of_long_texts(lab: Lab) -> None:
    bomb = {"class_name": "__numpy__", "config": {"value": [""], "dtype": "U1000000000"}}
    write_config(lab, functional(entry("Dense", {"units": 2, "bias_initializer": bomb})))


@attack(".keras", "Unknown dtype")
def an_array_of_objects(lab: Lab) -> None:
    array = {"class_name": "__numpy__", "config": {"value": [[]], "dtype": "object"}}
    write_config(lab, functional(entry("Dense", {"units": 2, "bias_initializer": array})))


@attack(".keras", "Unknown dtype")
def a_tensor_of_records(lab: Lab) -> None:
    array = {"class_name": "__tensor__", "config": {"value": [1], "dtype": "f4,f4,(1000000,1000)f8"}}
    write_config(lab, functional(entry("Dense", {"units": 2, "bias_initializer": array})))


# ---- graphs ----------------------------------------------------------------------------------------------------


@attack(".keras", "lack inputs")
def layers_in_a_circle(lab: Lab) -> None:
    config = functional(entry("Dense", {"units": 4}), entry("Dense", {"units": 4}))
    config["config"]["layers"][1]["inbound_nodes"] = [{"args": [tensor("layer_1")], "kwargs": {}}]
    write_config(lab, config)


@attack(".keras", "lack inputs")
def a_layer_on_its_own_output(lab: Lab) -> None:
    config = functional(entry("Dense", {"units": 4}))
    config["config"]["layers"][1]["inbound_nodes"] = [{"args": [tensor("layer_0")], "kwargs": {}}]
    write_config(lab, config)


@attack(".keras", "lack inputs")
def many_calls_in_the_worst_order(lab: Lab) -> None:
    count = 4000
    config = functional(*(entry("Activation", {"activation": "linear"}) for _ in range(count)))
    config["config"]["layers"][1:] = config["config"]["layers"][:0:-1]
    config["config"]["layers"][-1]["inbound_nodes"][0]["args"] = [tensor(f"layer_{count - 1}")]
    write_config(lab, config)


@attack(".keras", "no input from the graph")
def a_call_without_inputs(lab: Lab) -> None:
    config = functional(entry("OpOperation", {"op": "zeros"}, "polykeras.graph"))
    config["config"]["layers"][1]["inbound_nodes"] = [{"args": [[10**6, 10**6]], "kwargs": {}}]
    write_config(lab, config)


@attack(".keras", "have the name 'layer_0'")
def two_layers_of_one_name(lab: Lab) -> None:
    config = functional(entry("Dense", {"units": 4}), entry("Dense", {"units": 4}))
    config["config"]["layers"][2]["name"] = "layer_0"
    write_config(lab, config)


@attack(".keras", "unpack|expected|history")
def a_history_of_another_form(lab: Lab) -> None:
    config = functional(entry("Dense", {"units": 4}))
    config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = {"x": 1}
    write_config(lab, config)


@attack(".keras", "unhashable")
def a_history_that_is_nested(lab: Lab) -> None:
    config = functional(entry("Dense", {"units": 4}))
    config["config"]["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = [["x"], 0, 0]
    write_config(lab, config)


@attack(".keras", "no JSON|Expecting|delimiter|decode")
def no_json(lab: Lab) -> None:
    write_config(lab, b"cos\nsystem\n(S'id'\ntR.")


@attack(".keras", "utf-8|decode")
def json_in_another_encoding(lab: Lab) -> None:
    write_config(lab, json.dumps(valid_config()).encode("utf-16"))


@attack(".keras", "there is no config.json")
def no_config(lab: Lab) -> None:
    write_archive(lab, {})
    import zipfile

    from saving.corpus import valid_members

    with zipfile.ZipFile(lab.path, "w") as archive:
        archive.writestr("model.weights.h5", valid_members()["model.weights.h5"])


def _legacy(lab: Lab, config: Any) -> None:
    import h5py

    with h5py.File(lab.path, "w") as file:
        file.attrs["keras_version"] = np.bytes_("2.15.0")
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["model_config"] = json.dumps(config).encode()
        file.create_group("model_weights").attrs["layer_names"] = np.array([], "S1")


def _legacy_layers(*layers: Any) -> Any:
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "x"}}
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *layers]}}


@attack(".h5", "texts are longer")
def texts_that_are_one(lab: Lab) -> None:
    """A text of 25,000 characters, of which there are 2,000 in a file of 90 KB."""
    import h5py

    with h5py.File(lab.path, "w") as file:
        file.attrs["model_config"] = json.dumps(_legacy_layers())
        names = np.array(["x" * 25_000, *["y"] * 1999], object)
        file.create_group("model_weights").attrs.create("layer_names", names, dtype=h5py.string_dtype())
    data = bytearray(lab.path.read_bytes())
    at = data.index(struct.pack("<I", 25_000), data.index(b"layer_names"))
    assert data[at + 16 : at + 20] == struct.pack("<I", 1)
    data[at : at + 16 * 2000] = data[at : at + 16] * 2000
    lab.path.write_bytes(data)


@attack(".h5", "code|lambda", "CVE-2025-9905")
def code_in_a_lambda_of_keras_2(lab: Lab) -> None:
    about = {"name": "l", "function": [_code(lab), None, None], "function_type": "lambda", "arguments": {}}
    _legacy(lab, _legacy_layers({"class_name": "Lambda", "config": about}))


@attack(".h5", f"{NOT_OURS}|function", "CVE-2025-9905")
def a_function_of_a_module_of_keras_2(lab: Lab) -> None:
    about = {"name": "l", "function": "system", "function_type": "function", "module": "os", "arguments": {}}
    _legacy(lab, _legacy_layers({"class_name": "Lambda", "config": about}))


@attack(".h5", NOT_OURS)
def a_class_of_a_module_of_keras_2(lab: Lab) -> None:
    _legacy(lab, _legacy_layers({"class_name": "os.system", "config": {"name": "l"}}))


@attack(".h5", "is too large|nested|JSON")
def deep_json_of_keras_2(lab: Lab) -> None:
    import h5py

    _legacy(lab, {})
    with h5py.File(lab.path, "r+") as file:
        file.attrs["model_config"] = b"[" * 30_000 + b"]" * 30_000

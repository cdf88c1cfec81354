"""Configs that ask for more memory, or more time, than there is."""

from __future__ import annotations

import json
from typing import Any

from saving.corpus import Lab, attack, entry, functional, tensor, valid_config, write_archive, write_config

TOO_MUCH = "leads to an array|more steps to build"


@attack(".keras", "bytes; at most")
def json_without_end(lab: Lab) -> None:
    write_config(lab, b'"' + b"a" * (40 * 2**20) + b'"')


@attack(".keras", "nested 100000 deep")
def json_nested_without_end(lab: Lab) -> None:
    write_config(lab, b"[" * 100_000 + b"]" * 100_000)


@attack(".config.json", "lists and dicts")
def json_of_empty_lists(lab: Lab) -> None:
    write_config(lab, b"[" + b"[]," * (8 * 2**20) + b"[]]")


@attack(".config.json", "keys")
def json_of_keys(lab: Lab) -> None:
    write_config(lab, b"{" + b",".join(b'"%d":0' % i for i in range(2 * 2**20)) + b"}")


@attack(".config.json", "Extra data")
def json_of_quotes(lab: Lab) -> None:
    write_config(lab, b'"' * (30 * 2**20))


@attack(".config.json", "describes no model")
def json_of_escapes(lab: Lab) -> None:
    write_config(lab, b'"' + b'\\"' * (15 * 2**20) + b'"')


@attack(".keras", "is too large")
def a_number_of_many_digits(lab: Lab) -> None:
    write_config(lab, b'{"class_name": "Dense", "config": {"units": ' + b"9" * 1_000_000 + b"}}")


@attack(".keras", "is too large")
def a_number_beyond_sizes(lab: Lab) -> None:
    write_config(lab, functional(entry("Dense", {"units": 2**70})))


@attack(".keras", "variables of its own|has shape|leads to an array")
def a_trillion_units(lab: Lab) -> None:
    config = valid_config()
    config["config"]["layers"][1]["config"]["units"] = 10**12
    write_config(lab, config)


@attack(".keras", f"does not fit|{TOO_MUCH}")
def a_million_units_for_three(lab: Lab) -> None:
    config = valid_config()
    config["config"]["layers"][1]["config"]["units"] = 10**6
    config["config"]["layers"][1]["build_config"]["input_shape"] = [None, 10**6]
    write_config(lab, config)


@attack(".keras", TOO_MUCH)
def an_embedding_of_all_words(lab: Lab) -> None:
    write_config(lab, functional(entry("Embedding", {"input_dim": 10**9, "output_dim": 10**6}), shape=(None, 4)))


def _weights(name: str, config: dict[str, Any] | None = None) -> Any:
    initializer = {"module": "keras.initializers", "class_name": name, "config": config or {}, "registered_name": None}
    return functional(entry("Dense", {"units": 10**5, "kernel_initializer": initializer}), shape=(None, 10**5))


@attack(".keras", "has shape")
def a_large_orthogonal_matrix(lab: Lab) -> None:
    write_config(lab, _weights("Orthogonal"))


@attack(".keras", "has shape")
def a_large_identity(lab: Lab) -> None:
    write_config(lab, _weights("Identity"))


@attack(".keras", "has shape")
def a_large_constant(lab: Lab) -> None:
    write_config(lab, _weights("Constant", {"value": 1.0}))


@attack(".keras", TOO_MUCH)
def a_vector_repeated(lab: Lab) -> None:
    write_config(lab, functional(entry("RepeatVector", {"n": 10**12})))


@attack(".keras", TOO_MUCH)
def an_image_enlarged(lab: Lab) -> None:
    up = entry("UpSampling2D", {"size": [10**6, 10**6], "interpolation": "nearest"})
    write_config(lab, functional(up, shape=(None, 8, 8, 3)))


@attack(".keras", TOO_MUCH)
def an_image_enlarged_smoothly(lab: Lab) -> None:
    up = entry("UpSampling2D", {"size": [10**8, 2], "interpolation": "lanczos5"})
    write_config(lab, functional(up, shape=(None, 8, 8, 3)))


@attack(".keras", TOO_MUCH)
def an_image_with_a_border(lab: Lab) -> None:
    write_config(lab, functional(entry("ZeroPadding2D", {"padding": 10**9}), shape=(None, 8, 8, 3)))


@attack(".keras", TOO_MUCH)
def an_input_beyond_measure(lab: Lab) -> None:
    write_config(lab, functional(entry("Activation", {"activation": "relu"}), shape=(None, 10**9, 10**9)))


def _op(op: str, *args: Any, shape: Any = (None, 4)) -> Any:
    config = functional(entry("OpOperation", {"op": op}, "polykeras.graph"), shape=shape)
    config["config"]["layers"][1]["inbound_nodes"][0]["args"] += args
    return config


@attack(".keras", TOO_MUCH)
def one_hot(lab: Lab) -> None:
    write_config(lab, _op("one_hot", 10**12))


@attack(".keras", TOO_MUCH)
def an_axis_split_into_all_its_places(lab: Lab) -> None:
    write_config(lab, _op("split", 10**9, 1, shape=(None, 10**9)))


@attack(".keras", TOO_MUCH)
def an_axis_taken_apart(lab: Lab) -> None:
    write_config(lab, _op("unstack", None, 1, shape=(2, 10**9)))


@attack(".keras", TOO_MUCH)
def differences_of_differences(lab: Lab) -> None:
    write_config(lab, _op("diff", 10**12))


@attack(".keras", TOO_MUCH)
def each_place_repeated(lab: Lab) -> None:
    write_config(lab, _op("repeat", [10**9, 1, 1, 1], 1))


@attack(".keras", TOO_MUCH)
def windows_of_windows(lab: Lab) -> None:
    write_config(lab, _op("extract_sequences", 10**5, 1, shape=(None, 2 * 10**5)))


@attack(".keras", f"{TOO_MUCH}|variables of its own")
def an_unrolled_loop_without_end(lab: Lab) -> None:
    lstm = entry("LSTM", {"units": 2, "unroll": True, "return_sequences": True, "recurrent_dropout": 0.5})
    write_config(lab, functional(lstm, shape=(2, 10**9, 1)))


def _with_metric(lab: Lab, name: str, **arguments: Any) -> None:
    config = valid_config()
    config["compile_config"]["metrics"] = [entry(name, arguments, "keras.metrics")]
    write_config(lab, config)


@attack(".keras", TOO_MUCH)
def an_area_of_a_billion_thresholds(lab: Lab) -> None:
    _with_metric(lab, "AUC", num_thresholds=10**9)


@attack(".keras", TOO_MUCH)
def a_rate_at_a_billion_thresholds(lab: Lab) -> None:
    _with_metric(lab, "PrecisionAtRecall", recall=0.5, num_thresholds=10**9)


@attack(".keras", TOO_MUCH)
def a_billion_classes(lab: Lab) -> None:
    _with_metric(lab, "MeanIoU", num_classes=10**9)


@attack(".keras", TOO_MUCH)
def a_million_classes(lab: Lab) -> None:
    _with_metric(lab, "IoU", num_classes=10**6, target_class_ids=[0])


@attack(".keras", TOO_MUCH)
def models_that_call_models_twice(lab: Lab) -> None:
    inner = entry("Activation", {"activation": "linear", "name": "layer_0"})
    inner = functional(inner)
    for _ in range(28):
        inner["config"]["layers"][1]["inbound_nodes"].append({"args": [tensor("layer_0")], "kwargs": {}})
        inner["config"]["output_layers"][0][1] += 1
        inner = functional(inner | {"name": "layer_0"})
        inner["config"]["layers"][1]["config"]["name"] = "layer_0"
    write_config(lab, inner)


@attack(".keras", TOO_MUCH)
def models_that_hold_models_twice(lab: Lab) -> None:
    inner: Any = entry("Dense", {"units": 4, "name": "e"})
    for i in range(20):
        shared = entry("Sequential", {"name": f"s{i}", "layers": [inner]}, "keras", shared_object_id=i)
        again = entry("Sequential", {"name": "any", "layers": []}, "keras", shared_object_id=i)
        wrapped = entry("Sequential", {"name": f"u{i}", "layers": [again]}, "keras")
        inner = entry("Sequential", {"name": f"t{i}", "layers": [shared, wrapped]}, "keras")
    start = entry("InputLayer", {"batch_shape": [None, 4], "name": "x"})
    write_config(lab, entry("Sequential", {"name": "all", "layers": [start, inner]}, "keras"))


@attack(".config.json", "missing 1 required")
def numbered_objects_in_each_other(lab: Lab) -> None:
    def nested(i: int) -> Any:
        inner: Any = [[i, "x" * 60_000], []]
        for j in range(90):
            inner = entry("Dense", {"name": "d", "in": inner}, shared_object_id=100 * i + j)
        return inner

    write_config(lab, [nested(i) for i in range(400)])


@attack(".keras", "not supported between")
def tuples_in_tuples(lab: Lab) -> None:
    deep: Any = [4]
    for _ in range(90):
        deep = {"class_name": "__tuple__", "config": [deep]}
    write_config(lab, functional(entry("Reshape", {"target_shape": deep})))


@attack(".keras", "are made of|nested")
def a_config_that_unpacks_without_end(lab: Lab) -> None:
    import zipfile

    text = json.dumps(valid_config()).encode() + b" " * (30 * 2**20)
    write_archive(lab, {"config.json": text}, zipfile.ZIP_DEFLATED)

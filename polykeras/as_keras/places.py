"""The modules of Keras, and the modules of polykeras with their names.

The public modules are those of Keras 3. Of `keras.src`, only the modules that published libraries import are listed.
Their names are those of the public module of the same family, and those in `private.py`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from polykeras.legacy.paths import LEGACY_PATHS

_PUBLIC = """
    activations applications applications.convnext applications.densenet applications.efficientnet
    applications.efficientnet_v2 applications.imagenet_utils applications.inception_resnet_v2
    applications.inception_v3 applications.mobilenet applications.mobilenet_v2 applications.mobilenet_v3
    applications.nasnet applications.resnet applications.resnet50 applications.resnet_v2 applications.vgg16
    applications.vgg19 applications.xception backend callbacks config constraints datasets datasets.boston_housing
    datasets.california_housing datasets.cifar10 datasets.cifar100 datasets.fashion_mnist datasets.imdb
    datasets.mnist datasets.reuters distillation distribution dtype_policies export initializers layers legacy
    legacy.saving losses metrics mixed_precision models ops ops.image ops.linalg ops.nn ops.numpy optimizers
    optimizers.legacy optimizers.schedules preprocessing preprocessing.image preprocessing.sequence
    preprocessing.text quantizers random regularizers saving tree utils utils.bounding_boxes utils.legacy
    visualization wrappers
"""
PUBLIC = frozenset(_PUBLIC.split())
"""Keras's public modules. Those that polykeras does not have are not found."""

_OF_BACKENDS = "core image linalg math nn numpy random rnn"
_PRIVATE_BELOW = {
    "": "api_export testing testing.test_case testing.test_utils trainers version",
    "activations": "activations",
    "backend": f"""
        common common.backend_utils common.dtypes common.global_state common.keras_tensor common.masking
        common.name_scope common.remat common.stateless_scope common.symbolic_scope common.variables config
        jax numpy tensorflow torch {_OF_BACKENDS}
    """,
    "backend.jax": f"{_OF_BACKENDS} trainer",
    "backend.numpy": f"{_OF_BACKENDS} trainer",
    "backend.tensorflow": f"{_OF_BACKENDS} trainer",
    "backend.torch": f"{_OF_BACKENDS} trainer",
    "constraints": "constraints",
    "distribution": "distribution_lib",
    "initializers": "constant_initializers random_initializers",
    "layers": """
        activations attention convolutional convolutional.base_conv core merging normalization pooling preprocessing
        preprocessing.data_layer preprocessing.image_preprocessing regularization reshaping rnn
    """,
    "layers.merging": "base_merge",
    "layers.pooling": "base_global_pooling base_pooling",
    "layers.rnn": "dropout_rnn_cell dropout_rnn_cell_mixin",
    "legacy": "backend layers losses preprocessing preprocessing.image preprocessing.sequence preprocessing.text",
    "legacy.saving": "legacy_h5_format saving_utils serialization",
    "losses": "losses",
    "metrics": """
        accuracy_metrics confusion_metrics correlation_metrics f_score_metrics hinge_metrics iou_metrics
        metrics_utils probabilistic_metrics reduction_metrics regression_metrics
    """,
    "models": "cloning",
    "ops": "core function math node operation operation_utils random symbolic_arguments",
    "optimizers": "base_optimizer",
    "random": "random",
    "regularizers": "regularizers",
    "saving": "keras_saveable object_registration saving_api saving_lib serialization_lib",
    "trainers": """
        compile_utils data_adapters data_adapters.data_adapter data_adapters.data_adapter_utils
        data_adapters.py_dataset_adapter epoch_iterator trainer
    """,
    "tree": "tree_api",
    "utils": """
        argument_validation audio_dataset_utils backend_utils dataset_utils dtype_utils file_utils image_dataset_utils
        image_utils io_utils jax_layer jax_utils model_visualization module_utils naming numerical_utils python_utils
        rng_utils sequence_utils summary_utils text_dataset_utils tf_utils timeseries_dataset_utils torch_utils
        traceback_utils tracking
    """,
}
PRIVATE = frozenset(
    f"{parent}.{child}".lstrip(".") for parent, below in _PRIVATE_BELOW.items() for child in below.split()
)
"""Modules of `keras.src`, besides the public ones and those that are named after a public class."""

# Families with names that are missing in the public module of the same name.
_SOURCES = {
    "backend": ("backend", "ops", "random"),
    "layers.rnn.dropout_rnn_cell": ("layers.recurrent.dropout_masks",),
    "legacy.backend": ("backend",),
    "legacy.layers": ("layers",),
    "legacy.losses": ("losses",),
    "legacy.preprocessing.image": ("preprocessing.image",),
    "legacy.preprocessing.sequence": ("preprocessing.sequence",),
    "legacy.preprocessing.text": ("preprocessing.text",),
    "ops.random": ("random",),
    "saving.saving_lib": ("saving", "as_keras.files"),
    "saving.serialization_lib": ("saving", "as_keras.files"),
    "testing": ("as_keras.testing", "as_keras.accelerators"),
    "trainers": ("utils",),
    "utils.jax_layer": ("layers",),
}
_ELSEWHERE = {"utils.legacy": "legacy.saving"}
"""Public modules whose names are in another module of polykeras."""
_OURS = "polykeras"
_PRIVATE_NAMES = "polykeras.as_keras.private"


def is_module(name: str) -> bool:
    """Return whether Keras has a module, given without the prefix `keras.`, and polykeras has its names."""
    if name.partition(".")[0] == "src":
        return _is_private(name[4:])
    return name in ("", "_tf_keras", "version") or name in LEGACY_PATHS or _is_public(name)


@cache
def modules_within(name: str) -> tuple[str, ...]:
    """Return the names of the public modules in a public module of Keras."""
    inside = (public.rpartition(".") for public in PUBLIC if _is_public(public))
    return tuple(sorted(last for parent, _, last in inside if parent == name))


@cache
def _is_public(name: str) -> bool:
    return name in PUBLIC and _exists(f"{_OURS}.{_ELSEWHERE.get(name, name)}")


def _exists(path: str) -> bool:
    try:
        return find_spec(path) is not None
    except ModuleNotFoundError:  # a missing parent package
        return False


@cache
def _is_private(name: str) -> bool:
    if name == "" or name in PRIVATE or name in LEGACY_PATHS or _is_public(name):
        return True
    parent, _, last = name.rpartition(".")
    if not parent or not last.islower() or not is_module(f"src.{parent}"):
        return False
    # Keras keeps a class in the module of its name in snake case, such as `LSTM` in `lstm`.
    public = (public for source in sources_of(f"src.{parent}") for public in public_names(import_module(source)))
    return last.replace("_", "") in {other.lower() for other in public if other[0].isupper()}


def public_names(module: ModuleType) -> list[str]:
    """Return the names that `from module import *` would import."""
    return list(getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")])


def sources_of(name: str) -> tuple[str, ...]:
    """Return the modules of polykeras with the names of a module of Keras; the first one that has a name counts."""
    if name.partition(".")[0] == "src":
        return *_family(name[4:]), _PRIVATE_NAMES
    if name in LEGACY_PATHS:
        return *_within_ours(LEGACY_PATHS[name]), _PRIVATE_NAMES
    return (f"{_OURS}.{_ELSEWHERE.get(name, name)}".rstrip("."),)


def _family(name: str) -> tuple[str, ...]:
    while name:
        if name in LEGACY_PATHS:
            return _within_ours(LEGACY_PATHS[name])
        if name in _SOURCES:
            return _within_ours(_SOURCES[name])
        if _is_public(name):
            return (f"{_OURS}.{_ELSEWHERE.get(name, name)}",)
        name = name.rpartition(".")[0]
    return (_OURS,)


def _within_ours(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{_OURS}.{name}" for name in names if _exists(f"{_OURS}.{name}"))

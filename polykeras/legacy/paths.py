"""Modules of Keras 2 that Keras 3 lacks, with the modules that now hold their names."""

from __future__ import annotations

_LAYERS = """
    advanced_activations attention convolutional convolutional_recurrent core cudnn_recurrent dense_attention
    embeddings local merge noise normalization normalization.batch_normalization normalization.layer_normalization
    pooling recurrent recurrent_v2 wrappers
"""
_UTILS = "conv_utils data_utils generic_utils io_utils layer_utils np_utils tf_utils vis_utils"
_ENGINE = """
    base_layer base_layer_utils data_adapter functional input_layer input_spec keras_tensor network saving sequential
    topology training training_utils
"""
_OPTIMIZERS = "adadelta adagrad adam adamax ftrl gradient_descent nadam optimizer_v2 rmsprop"

LEGACY_PATHS: dict[str, tuple[str, ...]] = {
    "callbacks.callbacks": ("callbacks",),
    "engine": ("layers", "models"),
    **{f"engine.{name}": ("layers", "models", "utils", "saving") for name in _ENGINE.split()},
    **{f"layers.{name}": ("layers",) for name in _LAYERS.split()},
    "layers.experimental": ("layers",),
    "layers.experimental.preprocessing": ("layers",),
    "layers.preprocessing": ("layers",),
    "metrics.metrics": ("metrics",),
    "mixed_precision.policy": ("mixed_precision",),
    "models.functional": ("models",),
    "objectives": ("losses",),
    "optimizer_v2": ("optimizers",),
    **{f"optimizer_v2.{name}": ("optimizers",) for name in _OPTIMIZERS.split()},
    "optimizer_v2.learning_rate_schedule": ("optimizers.schedules",),
    "optimizers.experimental": ("optimizers",),
    "optimizers.optimizer_v2": ("optimizers",),
    "optimizers.schedules.learning_rate_schedule": ("optimizers.schedules",),
    "preprocessing.text_dataset": ("preprocessing",),
    "saving.hdf5_format": ("saving",),
    **{f"utils.{name}": ("utils",) for name in _UTILS.split()},
    "wrappers.scikit_learn": ("wrappers",),
}
"""The modules of polykeras that hold the names of a path below `keras`; the first one that has a name counts."""

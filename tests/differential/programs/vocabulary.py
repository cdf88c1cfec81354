"""What programs are made of: layers, losses, metrics, optimizers and callbacks, as `models.Maker` takes them."""

from __future__ import annotations

from typing import Any


def layer(name: str, **config: Any) -> dict[str, Any]:
    """Return a layer or a callback, as `models.Maker` takes it."""
    return {"class": name, "config": config}


DENSE = [
    layer("Dense", units=3, activation="tanh"),
    layer("Dense", units=4, activation="relu", kernel_regularizer="l2"),
    layer("Dense", units=3, activity_regularizer="l1"),
    layer("Dense", units=3, use_bias=False, kernel_constraint="max_norm"),
    layer("BatchNormalization", momentum=0.7),
    layer("LayerNormalization"),
    layer("Dropout", rate=0.0),
    layer("Activation", activation="gelu"),
    layer("Rescaling", scale=0.5, offset=0.1),
    layer("Scale"),
    layer("AddsLoss"),
    layer("Measured"),
]
FIRST = {
    "vector": [[]],
    "sequence": [
        [layer("Flatten")],
        [layer("Masking"), layer("LSTM", units=3)],
        [layer("GRU", units=3, return_sequences=True), layer("GlobalAveragePooling1D")],
        [layer("Bidirectional", layer=layer("SimpleRNN", units=2))],
        [layer("TimeDistributed", layer=layer("Dense", units=2)), layer("GlobalMaxPooling1D")],
        [layer("Conv1D", filters=2, kernel_size=2, activation="relu"), layer("Flatten")],
        [layer("Masking"), layer("GlobalAveragePooling1D")],
    ],
    "tokens": [
        [layer("Embedding", input_dim=7, output_dim=3), layer("Flatten")],
        [layer("Embedding", input_dim=7, output_dim=3, mask_zero=True), layer("GlobalAveragePooling1D")],
        [layer("Embedding", input_dim=7, output_dim=3, mask_zero=True), layer("LSTM", units=3)],
    ],
    "image": [
        [
            layer("Conv2D", filters=2, kernel_size=3, activation="relu"),
            layer("BatchNormalization"),
            layer("Flatten"),
        ],
        [layer("Conv2D", filters=2, kernel_size=3, strides=2), layer("GlobalAveragePooling2D")],
    ],
}
LOSSES = {
    "real": [
        "mse",
        "mae",
        "huber",
        {"own": "own_loss"},
        {"own": "OwnLoss"},
        {"own": "scalar_loss"},
        {"class": "MeanSquaredError", "config": {"name": "far"}},
    ],
    "yes": ["binary_crossentropy", "mse", {"class": "BinaryCrossentropy", "config": {"label_smoothing": 0.1}}],
    "class": ["sparse_categorical_crossentropy", {"class": "SparseCategoricalCrossentropy"}],
    "onehot": ["categorical_crossentropy", {"class": "CategoricalCrossentropy"}, "kl_divergence"],
}
METRICS = {
    "real": [
        "mae",
        "mse",
        {"own": "ownMetric"},
        {"own": "LargestError"},
        {"class": "RootMeanSquaredError"},
        "cosine_similarity",
    ],
    "yes": [
        "accuracy",
        {"class": "AUC", "config": {"num_thresholds": 20, "name": "auc"}},
        {"class": "Precision", "config": {"name": "precision"}},
        "mae",
    ],
    "class": ["accuracy", {"class": "SparseTopKCategoricalAccuracy", "config": {"k": 2}}, "acc"],
    "onehot": ["accuracy", "categorical_accuracy", {"class": "F1Score", "config": {"average": "macro"}}, "mse"],
}
AVERAGED = layer("RMSprop", learning_rate=0.01, epsilon=1e-3, use_ema=True, ema_momentum=0.9)
OPTIMIZERS = [
    "sgd",
    "adagrad",
    {"class": "SGD", "config": {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True}},
    {"class": "SGD", "config": {"learning_rate": 0.02, "clipnorm": 0.5}},
    {"class": "Adam", "config": {"learning_rate": 0.01, "epsilon": 1e-3}},
    AVERAGED,
    {
        "class": "SGD",
        "config": {
            "learning_rate": {
                "class": "ExponentialDecay",
                "config": {"initial_learning_rate": 0.02, "decay_steps": 2, "decay_rate": 0.5},
            }
        },
    },
]
"""None makes a step of a gradient that is rounding alone, as that of a bias before a BatchNormalization; and rates are low, so that
no loss is beyond 16."""
DECAYING = layer("AdamW", learning_rate=0.01, epsilon=1e-3, weight_decay=0.1)
CALLBACKS = [
    layer("Recorder", batches=False),
    layer("Recorder", batches=True),
    layer("EarlyStopping", monitor="loss", patience=0, restore_best_weights=True),
    layer("EarlyStopping", monitor="val_loss", patience=0, min_delta=10.0),
    layer("ReduceLROnPlateau", monitor="loss", patience=1, min_delta=10.0, factor=0.5),
    layer("LearningRateScheduler"),
    layer("CSVLogger", filename="log.csv"),
    layer("ModelCheckpoint", filepath="best.weights.h5", save_weights_only=True, save_best_only=True, monitor="loss"),
    layer("ModelCheckpoint", filepath="{epoch}-{loss:.2f}.keras"),
    layer("SwapEMAWeights"),
    layer("BackupAndRestore", backup_dir="backup"),
    layer("Interrupts", epoch=0, how="stop"),
    layer("Interrupts", epoch=1, how="raise"),
    layer("Interrupts", epoch=1, how="stop", hook="on_epoch_begin"),
    layer("TerminateOnNaN"),
    layer("Anneals"),
]

"""Recorded calls in which we differ from Keras, by family: entries of `known_differences/from_keras` about their subjects say why."""

from __future__ import annotations

DIFFERING: dict[str, set[str]] = {
    "losses": {
        "cce-axis mean",
        "cce-axis each",
        "cce-axis float16",
        "cce-axis bfloat16",
        "focal not finite",
        "focal-balanced not finite",
    },
    "metrics": {
        "iou weighted",
        "iou-binary weighted",
        "iou-ignore weighted",
        "iou-mean weighted",
        "iou-one-hot-mean weighted",
        "r2-variance of one",
        "scce-ignore",
        "scce-ignore of one",
    },
    "optimizers": set(),
    "activations": {
        "sparsemax",
        "sparsemax bfloat16",
        "sparsemax float16",
        "sparsemax hard",
        "squareplus b=2 hard",
        "squareplus hard",
    },
}

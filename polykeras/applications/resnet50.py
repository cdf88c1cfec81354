"""ResNet50 only, under the name of its module in Keras 2."""

from polykeras.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

"""Preparation of sequences, texts and images for models, with the names of Keras 2 and 3."""

from polykeras.preprocessing import image, sequence, text
from polykeras.utils.data.images import image_dataset_from_directory
from polykeras.utils.data.text import text_dataset_from_directory
from polykeras.utils.data.timeseries import timeseries_dataset_from_array

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

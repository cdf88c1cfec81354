"""Images from files and arrays, changed at random: the names of Keras and Keras 2."""

from polykeras.preprocessing.affine import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from polykeras.preprocessing.dataframe import DataFrameIterator
from polykeras.preprocessing.directory_iterator import DirectoryIterator
from polykeras.preprocessing.generator import ImageDataGenerator
from polykeras.preprocessing.iterators import Iterator
from polykeras.preprocessing.numpy_iterator import NumpyArrayIterator
from polykeras.utils.data.images import image_dataset_from_directory
from polykeras.utils.image import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]

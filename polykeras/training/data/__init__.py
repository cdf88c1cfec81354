"""Turning the data that users pass to `fit` into batches."""

from polykeras.training.data.array_source import ArraySource
from polykeras.training.data.checks import check_host_arrays
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.sources import Source, make_source
from polykeras.training.data.splitting import train_validation_split
from polykeras.training.data.streams import StreamSource
from polykeras.training.data.unpack import (
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)

__all__ = [
    "ArraySource",
    "PyDataset",
    "Source",
    "StreamSource",
    "check_host_arrays",
    "make_source",
    "pack_x_y_sample_weight",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]

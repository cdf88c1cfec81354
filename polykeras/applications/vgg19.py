"""VGG19: VGG16 with one more convolution in three of its blocks."""

from __future__ import annotations

from polykeras.applications.building import UNNAMED, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.vgg16 import SOURCE, body_of, head

VGG19 = constructor(
    "VGG19",
    "vgg19",
    SOURCE,
    body_of(2, 2, 4, 4, 4),
    kernels_at("vgg19/vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    pools=UNNAMED,
    head=head,
)

preprocess_input = preprocessing("caffe")

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

"""Input and output of models trained on ImageNet: scaling of pixels, and names of classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import config, dtypes, ops
from polykeras.common.arguments import one_of
from polykeras.common.types import ArrayLike

CLASS_INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"

# The means and standard deviations of ImageNet's channels. Models that came from Caffe expect blue first.
_STEPS: dict[str, tuple[tuple[str, Any], ...]] = {
    "caffe": (("subtract", (103.939, 116.779, 123.68)),),
    "tf": (("divide", 127.5), ("subtract", 1.0)),
    "torch": (("divide", 255.0), ("subtract", (0.485, 0.456, 0.406)), ("divide", (0.229, 0.224, 0.225))),
}


def preprocess_input(x: ArrayLike, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Scale the pixels of RGB images as a model was trained.

    Args:
        x: an image or a batch of images, with values in 0..255. A NumPy array of floats is overwritten, as in Keras:
            pass `x.copy()` to keep it. Integers become floats of the default dtype.
        data_format: `"channels_last"` or `"channels_first"`; by default `keras.config.image_data_format()`.
        mode: `"tf"` scales to -1..1; `"torch"` scales to 0..1, subtracts the means of ImageNet's channels and divides
            by their standard deviations; `"caffe"` puts blue first and subtracts the means.

    Returns:
        The scaled images, in the same kind of array as `x`.

    Raises:
        ValueError: if the mode or the data format is unknown, or the array is not an image.

    Example:
        >>> import numpy as np
        >>> preprocess_input(np.array([[[0.0, 127.5, 255.0]]]), mode="tf").tolist()
        [[[-1.0, 0.0, 1.0]]]
    """
    one_of(mode, _STEPS, "preprocess_input: `mode`")
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            f"preprocess_input: `data_format` must be channels_first or channels_last; received {data_format!r}."
        )
    if len(x.shape) not in (3, 4):
        raise ValueError(f"preprocess_input: an image has 3 axes, a batch 4; received the shape {tuple(x.shape)}.")
    axis = -3 if data_format == "channels_first" else -1
    on_host = isinstance(x, np.ndarray)
    dtype = str(x.dtype) if on_host else ops.dtype(x)
    if not dtypes.is_float(dtype):
        dtype = config.floatx()
        x = x.astype(dtype) if on_host else ops.cast(x, dtype)
    if mode == "caffe":
        x = np.flip(x, axis) if on_host else ops.flip(x, axis)
    for operation, values in _STEPS[mode]:
        value = np.asarray(values, dtype).reshape((-1, 1, 1) if axis == -3 and np.ndim(values) else np.shape(values))
        x = getattr(np, operation)(x, value, out=x) if on_host else getattr(ops, operation)(x, value)
    return x


def decode_predictions(preds: ArrayLike, top: int = 5) -> list[list[tuple[str, str, Any]]]:
    """Return the names of the most probable classes of ImageNet.

    The names are downloaded on first use, and kept.

    Args:
        preds: scores `(samples, 1000)`.
        top: the number of classes to return.

    Returns:
        For each sample, `(WordNet's id, name, score)` of the most probable classes, the most probable first.

    Raises:
        ValueError: if the scores have another shape.
    """
    scores = ops.convert_to_numpy(preds)
    if scores.ndim != 2 or scores.shape[1] != 1000:
        raise ValueError(f"decode_predictions needs scores of the shape (samples, 1000); received {scores.shape}.")
    names = _class_names()
    best = np.argsort(scores, axis=1)[:, : -top - 1 : -1]
    return [[(*names[i], row[i]) for i in places] for places, row in zip(best, scores, strict=True)]


@cache
def _class_names() -> list[tuple[str, str]]:
    """Return WordNet's id and the name of each class."""
    from polykeras.utils import get_file

    path = get_file(
        "imagenet_class_index.json",
        CLASS_INDEX,
        cache_subdir="models",
        file_hash="c2c37ea517e94d9795004a39431a14cb",
    )
    index = json.loads(Path(path).read_text(encoding="utf-8"))
    return [tuple(index[str(i)]) for i in range(1000)]


def preprocessing(mode: str | None) -> Callable[..., Any]:
    """Return the `preprocess_input` of a family.

    Args:
        mode: see `preprocess_input`; None if the models scale pixels in a layer.
    """

    def scaled(x: ArrayLike, data_format: str | None = None) -> Any:
        return x if mode is None else preprocess_input(x, data_format, mode)

    how = "unchanged, since the models scale them" if mode is None else f'scaled with mode "{mode}"'
    scaled.__name__ = scaled.__qualname__ = "preprocess_input"
    scaled.__doc__ = f"""Return images as the models of this family expect them: {how}.

    Args:
        x: an image or a batch of images, with values in 0..255; see `imagenet_utils.preprocess_input`.
        data_format: `"channels_last"` or `"channels_first"`; by default `keras.config.image_data_format()`.
    """
    return scaled

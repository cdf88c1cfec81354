"""`utils.bounding_boxes` as Keras has it (3.15, on JAX)."""

from __future__ import annotations

import inspect
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from differential.opponent import keras, quiet
from polykeras.common import nested
from polykeras.layers.image.boxes import FORMATS
from polykeras.utils import bounding_boxes

pytestmark = pytest.mark.keras
RNG = np.random.default_rng(6)
START = RNG.uniform(0, 20, (2, 5, 2))
BOXES = np.concatenate([START, START + RNG.uniform(1, 15, (2, 5, 2))], -1).astype("float32")
OTHERS = BOXES[:, ::-1] + np.array([1, 2, 3, 1], "float32")
HOLES = np.where(np.arange(5)[:, None] == 2, -1, BOXES).astype("float32")
TURN = [np.array(v, "float32") for v in ([20, -70], [0.1, -0.2], [0.3, 0.0], [1.2, 0.8], [5, 0], [0, 10])]

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *[("convert_format", (BOXES, a, b, 30, 40), {}) for a, b in product(FORMATS, FORMATS)],
    ("clip_to_image_size", ({"boxes": BOXES, "labels": np.arange(10).reshape(2, 5)}, 12, 15), {}),
    ("clip_to_image_size", ({"boxes": BOXES / 20},), {"bounding_box_format": "rel_xyxy"}),
    ("affine_transform", (BOXES, *TURN, 30, 40), {}),
    ("affine_transform", (BOXES, *TURN, 30, 40, 0.2, 0.7), {}),
    ("crop", (BOXES, 3, 4, 10, 12), {}),
    ("pad", (BOXES, 3, 4), {}),
    ("encode_box_to_deltas", (BOXES, OTHERS, "xyxy", "xywh"), {"variance": [0.1, 0.1, 0.2, 0.2]}),
    ("encode_box_to_deltas", (BOXES, OTHERS, "xyxy", "xyxy", "center_xywh"), {}),
    ("decode_deltas_to_boxes", (BOXES, OTHERS / 20, "xyxy", "rel_xyxy"), {"image_shape": (30, 40, 3)}),
    ("decode_deltas_to_boxes", ({"a": BOXES}, {"a": OTHERS / 20}, "xyxy", "xywh", "center_xywh", [1, 1, 2, 2]), {}),
    ("compute_iou", (BOXES, OTHERS, "xyxy"), {}),
    ("compute_iou", (BOXES[0], OTHERS[0, :3], "yxyx"), {}),
    ("compute_iou", (HOLES[0], OTHERS[0], "xyxy", True), {"mask_val": -3}),
    ("compute_iou", (BOXES / 20, OTHERS / 20, "rel_xyxy"), {"image_shape": (30, 40, 3)}),
    ("compute_ciou", (BOXES, OTHERS, "xyxy"), {}),
    ("compute_ciou", (BOXES, OTHERS, "center_xywh"), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[f"{i}-{c[0]}" for i, c in enumerate(CALLS)])
def test_values(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    theirs = getattr(keras().utils.bounding_boxes, name)(
        *nested.map_structure(lambda x: keras().ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x, args),
        **kwargs,
    )
    with quiet():
        ours = getattr(bounding_boxes, name)(*args, **kwargs)
    for mine, other in zip(nested.flatten(ours), nested.flatten(theirs), strict=True):
        assert_allclose(mine, np.asarray(other), rtol=2e-4, atol=2e-4)


def test_names_and_signatures() -> None:
    theirs = keras().utils.bounding_boxes
    names = [name for name in dir(theirs) if not name.startswith("_")]
    assert sorted(bounding_boxes.__all__) == names
    for name in names:
        mine, other = (
            [(p.name, p.default) for p in inspect.signature(getattr(m, name)).parameters.values()]
            for m in (bounding_boxes, theirs)
        )
        assert mine == other, name


def test_what_does_not_fit_is_told() -> None:
    with quiet():
        for call, message in (
            (lambda: bounding_boxes.convert_format(BOXES, "xyxy", "ltrb"), "`target` must be one of xyxy"),
            (lambda: bounding_boxes.convert_format(BOXES, "xyxy", "rel_xyxy"), "needs `height` and `width`"),
            (lambda: bounding_boxes.convert_format(BOXES[..., :3], "xyxy", "xywh"), "the last axis must have size 4"),
            (lambda: bounding_boxes.compute_iou(BOXES, BOXES, "rel_xyxy"), "needs `image_shape`"),
            (lambda: bounding_boxes.compute_iou(BOXES[0, 0], BOXES, "xyxy"), "expected boxes"),
            (lambda: bounding_boxes.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"), "deltas must be"),
            (lambda: bounding_boxes.clip_to_image_size({"boxes": BOXES}), "needs `height` and `width`"),
        ):
            with pytest.raises(ValueError, match=message):
                call()

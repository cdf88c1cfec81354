"""`visualization`: masks as Keras 3.15 draws them; boxes and galleries as they must look."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import polykeras
from differential.opponent import keras, quiet
from polykeras import visualization

pytestmark = pytest.mark.keras
RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 256, (2, 6, 7, 3)).astype("uint8")
CLASSES = RNG.integers(-1, 4, (2, 6, 7, 1)).astype("int32")
BLACK = np.zeros((1, 12, 16, 3), "uint8")


@pytest.fixture
def _no_window(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("matplotlib").use("Agg")
    plt = pytest.importorskip("matplotlib.pyplot")

    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


@pytest.mark.parametrize("name", visualization.__all__)
def test_names_and_signatures(name: str) -> None:
    assert getattr(polykeras.visualization, name) is getattr(visualization, name)
    ours, theirs = (inspect.signature(getattr(m, name)) for m in (visualization, keras().visualization))
    assert {k: p.default for k, p in ours.parameters.items()} == {k: p.default for k, p in theirs.parameters.items()}
    assert sorted(visualization.__all__) == sorted(n for n in dir(keras().visualization) if n[0] != "_")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_classes": 4},
        {"num_classes": 4, "alpha": 0.3, "ignore_index": 2},
        {"num_classes": 3, "blend": False},
        {"num_classes": 2, "color_mapping": {0: (255, 0, 0), 1: [0, 9, 200]}},
        {"num_classes": 4, "data_format": "channels_first"},
    ],
    ids=str,
)
def test_masks_are_drawn_as_by_keras(options: dict[str, Any]) -> None:
    images, masks = IMAGES, CLASSES
    if "data_format" in options:
        images, masks = (x.transpose(0, 3, 1, 2) for x in (images, masks))
    expected = np.asarray(keras().visualization.draw_segmentation_masks(images, masks, **options))
    with quiet():
        found = visualization.draw_segmentation_masks(images, masks, **options)
    assert found.dtype == expected.dtype
    assert_array_equal(found, expected)


def test_masks_without_a_last_axis_and_without_some_colours() -> None:
    with quiet():
        found = visualization.draw_segmentation_masks(IMAGES, CLASSES[..., 0], 4, {2: (1, 2, 3)}, alpha=1.0)
        assert_array_equal(found, np.where(CLASSES == 2, np.array([1, 2, 3]), IMAGES))
        with pytest.raises(TypeError, match="must be integers; received float32"):
            visualization.draw_segmentation_masks(IMAGES, CLASSES.astype("float32"))
        with pytest.raises(ValueError, match=r"need masks of the shape \(2, 6, 7\)"):
            visualization.draw_segmentation_masks(IMAGES, CLASSES[:, 1:])


def _picture(image: np.ndarray) -> list[str]:
    return ["".join("#" if pixel.any() else "." for pixel in row) for row in image]


def test_a_thin_box_is_its_outline() -> None:
    with quiet():
        boxes = {"boxes": [[[2, 1, 4, 5]]], "labels": [[7]]}
        [thin] = visualization.draw_bounding_boxes(BLACK, boxes, "xywh", color=(1, 2, 3), line_thickness=1)
        [full] = visualization.draw_bounding_boxes(BLACK, boxes, "xywh", line_thickness=-1)
        [wide] = visualization.draw_bounding_boxes(BLACK, boxes, "xywh", line_thickness=3)
    empty = "." * 16
    sides = "..#...#........."
    across = "..#####........."
    assert _picture(thin) == [empty, across, *[sides] * 4, across, *[empty] * 5]
    assert_array_equal(thin[1, 2], [1, 2, 3])
    assert _picture(full) == [empty, *[across] * 6, *[empty] * 5]
    assert _picture(wide)[:4] == [".#######........"] * 3 + [".###.###........"]


def test_boxes_beyond_the_image_are_cut_and_those_of_no_class_left_out() -> None:
    boxes = {"boxes": [[[-0.5, -0.5, 0.25, 0.25], [0.25, 0.25, 0.5, 0.5], [1.5, 1.5, 2, 2]]], "labels": [[0, -1, 0]]}
    with quiet():
        [found] = visualization.draw_bounding_boxes(BLACK, boxes, "rel_xyxy", line_thickness=1)
        first = visualization.draw_bounding_boxes(
            BLACK.transpose(0, 3, 1, 2), boxes, "rel_xyxy", line_thickness=1, data_format="channels_first"
        )
    assert _picture(found) == ["....#..........."] * 3 + ["#####..........."] + ["." * 16] * 8
    assert_array_equal(first[0].transpose(1, 2, 0), found)


def test_values_of_pixels() -> None:
    none = {"boxes": np.zeros((1, 0, 4)), "labels": np.zeros((1, 0))}
    with quiet():
        for pixel, expected in ((0.5, 127), (300.0, 255), (-3.0, 0)):
            image = np.full((1, 2, 2, 3), pixel, "float32")
            found = visualization.draw_bounding_boxes(image, none, "xyxy")
            assert found.dtype == "uint8"
            assert (found == expected).all()


def test_names_of_classes_are_written_above_or_within_the_box() -> None:
    pytest.importorskip("PIL")
    images = np.zeros((1, 120, 200, 3), "uint8")
    for top, rows in ((60, slice(25, 58)), (4, slice(7, 50))):
        boxes = {"boxes": [[[20, top, 150, top + 50]]], "labels": [[3]], "confidences": [[0.5]]}
        with quiet():
            named = visualization.draw_bounding_boxes(images, boxes, "xyxy", {3: "HI"}, color=(200, 0, 0))
            without = visualization.draw_bounding_boxes(images, boxes, "xyxy", {4: "HI"}, color=(200, 0, 0))
        changed = np.argwhere((named != without).any(-1)[0])
        assert len(changed) > 100
        assert (changed[:, 0] >= rows.start).all()
        assert (changed[:, 0] < rows.stop).all()
        assert not named[..., 1:].any()


def test_wrong_boxes() -> None:
    with quiet():
        with pytest.raises(TypeError, match="must be a dict"):
            visualization.draw_bounding_boxes(BLACK, [[1, 2, 3, 4]], "xyxy")  # pyright: ignore
        with pytest.raises(ValueError, match=r"lacks \['labels'\]"):
            visualization.draw_bounding_boxes(BLACK, {"boxes": [[[1, 2, 3, 4]]]}, "xyxy")
        with pytest.raises(ValueError, match=r"4 axes; received the shape \(12, 16, 3\)"):
            visualization.draw_bounding_boxes(BLACK[0], {"boxes": [[[1, 2, 3, 4]]], "labels": [[1]]}, "xyxy")


def _shown(**options: Any) -> list[Any]:
    plt = pytest.importorskip("matplotlib.pyplot")

    with quiet():
        visualization.plot_image_gallery(show=False, **options)
    return plt.gcf().axes


@pytest.mark.usefixtures("_no_window")
def test_a_gallery_holds_all_images_with_titles() -> None:
    images = RNG.uniform(-1, 1, (5, 4, 4, 3)).astype("float32")
    axes = _shown(
        images=images, y_true=[0, 1, 0, 1, 2], y_pred=np.ones(5, int), label_map={0: "a", 1: "b"}, value_range=(-1, 1)
    )
    assert len(axes) == 6
    pictures = [axis.images[0].get_array() for axis in axes if axis.images]
    assert_array_equal(pictures, ((images + 1) / 2 * 255).astype("uint8"))
    assert [axes[0].get_title(), axes[4].get_title()] == [
        "Label: a  Pred: b",
        "Label: Unknown  Pred: b",
    ]
    assert len(_shown(images=images.transpose(0, 3, 1, 2), rows=1, cols=2, data_format="channels_first")) == 2


@pytest.mark.usefixtures("_no_window")
def test_a_gallery_is_written(tmp_path: Path) -> None:
    imread = pytest.importorskip("matplotlib.image").imread

    boxes = {"boxes": [[[1, 1, 4, 4]]] * 2, "labels": [[0]] * 2}
    with quiet():
        visualization.plot_bounding_box_gallery(
            IMAGES, "xyxy", boxes, boxes, legend=True, path=tmp_path / "boxes.png", scale=3
        )
        visualization.plot_segmentation_mask_gallery(IMAGES, 4, y_true=CLASSES, y_pred=CLASSES, show=False)
        with pytest.raises(ValueError, match="pass one of them"):
            visualization.plot_image_gallery(IMAGES, path=tmp_path / "a.png", show=True)
        with pytest.raises(ValueError, match="need `label_map`"):
            visualization.plot_image_gallery(IMAGES, y_true=[1, 2])
        visualization.plot_image_gallery(IMAGES)
    assert imread(tmp_path / "boxes.png").size
    assert [path.name for path in tmp_path.iterdir()] == ["boxes.png"]


@pytest.mark.usefixtures("_no_window")
def test_the_rows_of_masks_are_images_truth_and_prediction() -> None:
    plt = pytest.importorskip("matplotlib.pyplot")

    with quiet():
        visualization.plot_segmentation_mask_gallery(IMAGES, 4, y_true=CLASSES, y_pred=CLASSES[::-1], show=False)
        truth = visualization.draw_segmentation_masks(IMAGES, CLASSES, 4)
    pictures = [axis.images[0].get_array() for axis in plt.gcf().axes]
    assert_array_equal(pictures[:2], [IMAGES[0], truth[0]])
    assert_array_equal(pictures[3:5], [IMAGES[1], truth[1]])
    assert len(pictures) == 6

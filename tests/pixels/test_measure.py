from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fewstain.pixels.measure import count_row, flag_images, measure, measurement_columns, robust_z

LABELS = np.array(
    [
        [7, 7, 0, 0, 0, 0],
        [7, 7, 0, 0, 0, 0],
        [0, 0, 0, 3, 3, 0],
        [0, 0, 0, 3, 3, 0],
        [0, 0, 0, 3, 3, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    np.uint16,
)
PIXELS = np.stack([np.arange(36).reshape(6, 6), np.full((6, 6), 1000)], axis=-1).astype(np.uint16)
UNCERTAINTY = np.where(LABELS == 3, 0.5, 0.25).astype(np.float32)


def test_measures_two_objects():
    table = measure(LABELS, PIXELS, UNCERTAINTY, image="a.tif", pixel_size_um=0.5, model_hash="abc")
    assert list(table.columns) == measurement_columns(2)
    assert table["label"].tolist() == [3, 7]
    three, seven = table.iloc[0], table.iloc[1]
    assert (three["image"], three["model_hash"]) == ("a.tif", "abc")
    assert three["class"] is None
    assert (three["area_px"], three["area_um2"]) == (6, 1.5)
    assert (three["centroid_y_px"], three["centroid_x_px"]) == (3, 3.5)
    assert (three["centroid_y_um"], three["centroid_x_um"]) == (1.5, 1.75)
    assert three["perimeter_um"] == three["perimeter_px"] / 2
    assert three["solidity"] == 1
    assert three["major_axis_px"] > three["minor_axis_px"]
    assert [seven[f"intensity_{name}_0"] for name in ("mean", "min", "max", "sum")] == [3.5, 0, 7, 14]
    assert seven["intensity_sum_1"] == 4000
    assert three["uncertainty"] == pytest.approx(0.5)
    assert table["touches_edge"].tolist() == [False, True]


def test_without_a_pixel_size_micrometres_are_empty():
    table = measure(LABELS, PIXELS, UNCERTAINTY, image="a.tif")
    micrometres = table.filter(regex="_um2?$")
    assert micrometres.shape == (2, 6)
    assert micrometres.isna().all(axis=None)


def test_classes_are_named():
    table = measure(LABELS, PIXELS, UNCERTAINTY, image="a.tif", classes={3: "tumour"})
    assert table["class"].tolist()[0] == "tumour"
    assert pd.isna(table["class"].tolist()[1])


def test_an_empty_label_image_gives_no_rows():
    table = measure(np.zeros((6, 6), int), PIXELS, UNCERTAINTY, image="a.tif")
    assert len(table) == 0
    assert list(table.columns) == measurement_columns(2)


def test_objects_may_fill_the_array_or_be_one_pixel_thin():
    full = measure(np.full((6, 6), 9), PIXELS, UNCERTAINTY, image="a.tif")
    assert full[["label", "area_px"]].to_numpy().tolist() == [[9, 36]]
    thin = np.zeros((6, 6), int)
    thin[2, 1:4] = 1
    thin[4, 4] = 2
    table = measure(thin, PIXELS, UNCERTAINTY, image="a.tif")
    assert table["area_px"].tolist() == [3, 1]
    assert np.isfinite(table["solidity"]).all()


def test_blocks_measure_as_the_whole():
    whole = measure(LABELS, PIXELS, UNCERTAINTY, image="a.tif", pixel_size_um=2)
    block = np.s_[1:6, 2:6]
    owned = np.where(LABELS[block] == 3, 3, 0)
    part = measure(
        owned, PIXELS[block], UNCERTAINTY[block], image="a.tif", pixel_size_um=2, offset=(1, 2), shape=LABELS.shape
    )
    pd.testing.assert_frame_equal(part, whole[whole["label"] == 3].reset_index(drop=True), check_dtype=False)


def test_refuses_arrays_that_do_not_agree():
    with pytest.raises(ValueError, match="do not agree"):
        measure(LABELS, PIXELS[:3], UNCERTAINTY, image="a.tif")


def counts(objects, uncertainty):
    pairs = zip(objects, uncertainty, strict=True)
    return pd.DataFrame([count_row(f"{i}", n, 10 * n, (100, 10), u) for i, (n, u) in enumerate(pairs)])


def test_area_covered_is_a_share():
    assert count_row("a", 2, 250, (100, 10), 0.1)["area_covered"] == 0.25


def test_flags_uncertain_crowded_and_empty_images():
    flagged = flag_images(counts([10, 11, 9, 10, 12, 100, 0, 10], [0.1, 0.11, 0.09, 0.1, 0.1, 0.12, 0.1, 0.9]))
    assert flagged["reason"].tolist() == [
        *[""] * 5,
        "unusually many objects",
        "no objects",
        "unusually uncertain",
    ]
    assert flagged["look_at_this_one"].tolist() == [False] * 5 + [True] * 3


def test_few_or_equal_images_flag_nothing():
    assert not flag_images(counts([1, 100], [0.1, 0.9]))["look_at_this_one"].any()
    assert not flag_images(counts([5] * 6, [0.1] * 6))["look_at_this_one"].any()


def test_robust_z_of_mostly_equal_values_uses_the_mean_deviation():
    np.testing.assert_allclose(robust_z(np.array([1.0, 1, 1, 1, 6])), [0, 0, 0, 0, 5 / 1.2533])


def test_an_uncertainty_that_nobody_knows_leaves_the_others_to_be_compared():
    table = counts([10] * 7, [0.10, 0.11, 0.12, 0.13, 0.14, 5, np.nan])
    assert flag_images(table)["reason"].tolist() == [*[""] * 5, "unusually uncertain", ""]
    np.testing.assert_allclose(robust_z(np.array([1.0, 1, 1, 1, 6, np.nan])), [0, 0, 0, 0, 5 / 1.2533, 0])
    np.testing.assert_array_equal(robust_z(np.array([1.0, 2, 3, 9, np.nan])), np.zeros(5))


def test_every_column_is_described():
    text = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    counts = flag_images(pd.DataFrame([count_row("a", 1, 4, (6, 6), 0.1)]))
    for column in [*measurement_columns(1), *counts.columns]:
        assert any(line.startswith("|") and f"`{column}`" in line for line in text.splitlines()), column

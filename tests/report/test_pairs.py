import csv
import re
from dataclasses import replace

import imageio.v3 as imageio
import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels
from fewstain.pairs.filters import Limits, choose
from fewstain.pairs.gather import write_table
from fewstain.pairs.scores import PairScores
from fewstain.report.pair_summary import write_pair_summary
from fewstain.report.pairs import caption, coloured, real_crops, spread, write_pair_pictures
from fewstain.storage import write_json

HEADER = "pair,kept,why,objects,covered,plausible,agreement,uncertainty,distance,copy"


@pytest.fixture
def pairs(tmp_path):
    """Three pairs, one of them dropped, and a dataset of one image."""
    labels = np.zeros((16, 24), np.uint16)
    labels[4:9, 5:12] = 1
    write_image(tmp_path / "data" / "images" / "real.tif", np.full((40, 40), 7, np.uint8))
    for folder, name in (("pairs", "pair-0"), ("pairs", "pair-1"), ("pairs/dropped", "pair-2")):
        write_image(tmp_path / folder / "images" / f"{name}.tif", (labels * 200).astype(np.uint8))
        write_labels(tmp_path / folder / "labels" / f"{name}.tif", labels)
    (tmp_path / "pairs" / "pairs.csv").write_text(
        f"{HEADER}\npair-0,yes,,1,0.1,1,0.9,0.01,1,0.4\npair-1,yes,,1,0.1,1,,,1,0.4\n"
        "pair-2,no,layout agreement,1,0.1,1,0.2,0.01,1,0.4\n"
    )
    return tmp_path


def test_pictures_of_kept_and_dropped_pairs_and_of_real_images(pairs):
    written = write_pair_pictures(pairs / "pairs", pairs / "data", pairs / "out")
    assert [path.name for path in written] == ["kept.png", "dropped.png", "real and synthetic.png"]
    assert all(imageio.imread(path).std() > 0 for path in written)


def test_without_pairs_the_user_is_told(tmp_path):
    with pytest.raises(UserError, match=r"pairs\.csv: no such file; run `fewstain pairs` first"):
        write_pair_pictures(tmp_path, tmp_path, tmp_path / "out")


def test_a_caption_tells_the_scores_there_are_and_the_fault():
    row = {"why": "", "agreement": "0.5", "uncertainty": "", "distance": "1.25", "copy": ""}
    assert caption(row) == "agr. 0.50 dist. 1.25"
    assert caption(row | {"why": "unlike the pool"}) == "unlike the pool\nagr. 0.50 dist. 1.25"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"objects": 0}, "no objects\nobj. 0 agr. 0.80 unc. 0.10 dist. 1.00 copy 0.50"),
        ({"plausible": 0.7}, "implausible objects\nplaus. 0.70 agr. 0.80 unc. 0.10 dist. 1.00 copy 0.50"),
        ({"covered": 0.6}, "covered\ncov. 0.60 agr. 0.80 unc. 0.10 dist. 1.00 copy 0.50"),
        ({"copy": 0.95}, "memorised copy\nagr. 0.80 unc. 0.10 dist. 1.00 copy 0.95"),
        ({"distance": 3.1}, "unlike the pool\nagr. 0.80 unc. 0.10 dist. 3.10 copy 0.50"),
        ({"agreement": 0.4}, "layout agreement\nagr. 0.40 unc. 0.10 dist. 1.00 copy 0.50"),
        ({"uncertainty": 0.3}, "uncertainty\nagr. 0.80 unc. 0.30 dist. 1.00 copy 0.50"),
    ],
)
def test_a_caption_tells_the_score_that_the_pair_was_dropped_by(tmp_path, changes, told):
    good = PairScores(objects=3, covered=0.2, plausible=1.0, agreement=0.8, uncertainty=0.1, distance=1.0, copy=0.5)
    scores = [good, replace(good, **changes)]
    limits = Limits(plausible=0.8, covered=0.5, copy=0.9, distance=3.0, agreement=0.5, keep=0.5)
    write_table(tmp_path / "pairs.csv", scores, choose(scores, limits))
    with (tmp_path / "pairs.csv").open(newline="") as file:
        kept, dropped = csv.DictReader(file)
    assert caption(kept) == "agr. 0.80 unc. 0.10 dist. 1.00 copy 0.50"
    assert caption(dropped) == told


def test_colours_and_choices():
    colours = coloured(np.array([[0, 1, 2]]))
    assert (colours[0, 0] == 0).all()
    assert (colours[0, 1] != colours[0, 2]).any()
    assert (spread(0, 4), spread(3, 8), spread(9, 3)) == ([], [0, 1, 2], [0, 4, 8])


def test_real_crops_are_from_the_middle(tmp_path):
    write_image(tmp_path / "a.tif", np.arange(64, dtype=np.uint8).reshape(8, 8))
    (crop,) = real_crops([tmp_path / "a.tif"], [(2, 4)])
    np.testing.assert_array_equal(crop.pixels[..., 0], [[26, 27, 28, 29], [34, 35, 36, 37]])


def test_the_summary_counts_what_became_of_pairs_and_compares_what_segments(tmp_path):
    made = {"generated": 10, "kept": 6, "dropped": {"layout agreement": 3, "memorised copy": 1}, "memorised": 2}
    write_json(tmp_path / "pairs" / "pairs.json", made | {"limits": {"agreement": 0.25, "keep": None}})
    scores = {"AP50": 0.75, "AP50_standard_error": 0.125, "AP": 0.5, "PQ": 0.5, "F1": 0.875, "count_bias": 1.0}
    segmenter = {"out_of_fold": {"segmenter": scores}, "leads": {"segmenter": [0.0625, 0.03125]}}
    write_json(tmp_path / "segmenter" / "segmenter.json", segmenter | {"method": "segmenter", "n_pairs": 6})
    text = write_pair_summary(tmp_path / "pairs", tmp_path / "out", tmp_path).read_text()
    for name, count in (("made", 10), ("kept", 6), ("dropped by layout agreement", 3), ("memorised", 2)):
        assert re.search(rf"<td>{name}</td>\s*<td>{count}</td>", text)
    assert re.search(r"<td>agreement</td>\s*<td>0.25</td>", text)
    assert "learns from 6 synthetic pairs, too" in text
    assert re.search(r"<td>segmenter</td>\s*<td>0.75</td>", text)
    assert "What segments" not in write_pair_summary(tmp_path / "pairs", tmp_path / "alone").read_text()

"""scores.json, pictures and pages of a results folder written by hand."""

import json

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest

from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels, write_map
from fewstain.pixels.measure import count_row, flag_images
from fewstain.provenance import write_record
from fewstain.report.kinds import Kind
from fewstain.report.pages import write_tables, write_times
from fewstain.report.pictures import write_pictures, write_training
from fewstain.report.scores import write_cost, write_scores


def _labels():
    labels = np.zeros((24, 24), np.int32)
    labels[2:8, 2:8] = 1
    labels[12:20, 12:20] = 2
    return labels


@pytest.fixture
def places(tmp_path):
    """A dataset of two images, one labeled window and one test image, and results that are right but for one object."""
    root, results = tmp_path / "data", tmp_path / "results"
    for name in ("images/a.tif", "images/b.tif", "test/images/t.tif"):
        write_image(root / name, (_labels() * 50).astype(np.uint8))
    write_labels(root / "labels" / "a__y8_x8.tif", _labels()[8:, 8:])
    write_labels(root / "test" / "labels" / "t.tif", _labels())
    for folder, maps, names in ((results / "masks", results, "ab"), (results / "test", results / "test", "t")):
        for name in names:
            write_labels(folder / f"{name}.tif", _labels() * (_labels() != 1 if name == "t" else 1))
            write_map(maps / "uncertainty" / f"{name}.tif", np.zeros((24, 24)))
    counts = flag_images(pd.DataFrame([count_row("a", 2, 10, (24, 24), 0.1), count_row("b", 2, 10, (24, 24), 0.2)]))
    counts.to_csv(results / "counts.csv", index=False)
    write_json(results / "diffusion" / "fewstain.json", {"wall_seconds": 2.0, "peak_memory_bytes": 30})
    write_json(
        results / "pixels" / "pixels.json",
        {
            "out_of_fold": {"AP50": 0.75, "n_images": 37},
            "n_labels": 1,
            "seed": 0,
            "decoder": {"decoders": [{"h": 0.1}, {"h": 0.2}], "least_agreement": 0.6},
            "choices": {"timesteps": [{"timesteps": [20], "AP50": 0.5}]},
        },
    )
    write_cost(results / "pixels", 1.0, 20, "cpu")
    return root, results


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_cost_is_kept_beside_the_pixels(tmp_path):
    write_cost(tmp_path, 1.5, 2, "cuda")
    assert json.loads((tmp_path / "cost.json").read_text()) == {
        "wall_seconds": 1.5,
        "peak_memory_bytes": 2,
        "device": "cuda",
    }


def test_scores_of_test_and_out_of_fold(places):
    root, results = places
    scores = write_scores(results, root)
    assert scores == json.loads((results / "scores.json").read_text())
    assert scores["test"]["AP50"] == 0.5
    assert scores["out_of_fold"] == {"AP50": 0.75, "n_images": 37}
    assert (scores["wall_seconds"], scores["peak_memory_bytes"], scores["device"]) == (3.0, 30, "cpu")


def test_names_of_classes_and_images_are_text(places):
    root, results = places
    for folder in (root / "test" / "images", root / "test" / "labels", results / "test"):
        (folder / "t.tif").rename(folder / "001.tif")
    (root / "test" / "labels" / "classes.csv").write_text("file,label,class\n001,1,round\n001,2,NA\n")
    (results / "test" / "measurements.csv").write_text("image,label,class\n001,2,NA\n")
    assert write_scores(results, root)["test"]["IoU"]["NA"] == 1


def test_scores_without_a_labeled_test_image(places):
    root, results = places
    (root / "test" / "labels" / "t.tif").unlink()
    assert write_scores(results, root)["test"] is None


@pytest.mark.parametrize(
    ("kind", "names"),
    [(Kind.labeled, ["01 a__y8_x8"]), (Kind.test, ["01 t"]), (Kind.pool, ["01 b", "02 a"])],
)
def test_pictures(places, tmp_path, kind, names):
    root, results = places
    written = write_pictures(results, root, kind, tmp_path / "out")
    assert [path.stem for path in written] == names
    assert all(imageio.imread(path).shape[1] > 1000 for path in written)


def test_a_window_that_was_not_learned_from_is_not_shown_as_one_that_was(places, tmp_path):
    root, results = places
    write_labels(root / "labels" / "b__y8_x8.tif", _labels()[8:, 8:])
    assert [path.stem for path in write_pictures(results, root, Kind.labeled, tmp_path / "out")] == ["01 a__y8_x8"]


def test_no_more_pictures_than_asked(places, tmp_path):
    assert len(write_pictures(places[1], places[0], Kind.pool, tmp_path / "out", most=1)) == 1


def test_a_missing_mask_is_named(places, tmp_path):
    root, results = places
    (results / "masks" / "b.tif").unlink()
    with pytest.raises(UserError, match=r"masks.b\.tif"):
        write_pictures(results, root, Kind.pool, tmp_path / "out")


def test_training_without_samples(tmp_path):
    (tmp_path / "loss.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    write_training(tmp_path, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["loss.png"]


def test_tables(places, tmp_path):
    root, results = places
    write_scores(results, root)
    pages = {path.name: path.read_text(encoding="utf-8") for path in write_tables(results, tmp_path / "out")}
    assert "AP50" in pages["scores.html"]
    assert "<td>count_relative_bias</td>" in pages["scores.html"]
    assert "of a labeled window, not of an image (37 windows here)" in pages["scores.html"]
    assert "timesteps" in pages["choices.html"]
    assert pages["counts.html"].index("<td>b</td>") < pages["counts.html"].index("<td>a</td>")


def test_the_table_of_counts_tells_of_images_that_the_denoiser_has_not_seen(places, tmp_path):
    root, results = places
    write_scores(results, root)
    write_record(results / "dataset.json", root, {})
    write_json(results / "diffusion" / "fewstain.json", {"pool": [{"name": "a.tif", "sha256": "of another"}]})
    write_tables(results, tmp_path / "out")
    assert "2 of 2 images were not there when" in (tmp_path / "out" / "counts.html").read_text(encoding="utf-8")


def test_names_of_images_are_text_in_the_table_of_counts(places, tmp_path):
    root, results = places
    write_scores(results, root)
    rows = [count_row("001", 2, 10, (24, 24), 0.1), count_row("NA", 2, 10, (24, 24), 0.2)]
    flag_images(pd.DataFrame(rows)).to_csv(results / "counts.csv", index=False)
    page = next(path for path in write_tables(results, tmp_path / "out") if path.name == "counts.html").read_text()
    assert page.index("<td>NA</td>") < page.index("<td>001</td>")


def test_what_segments_is_told_with_the_leads_it_was_chosen_by(places, tmp_path):
    root, results = places
    write_scores(results, root)
    record = {
        "method": "ensemble",
        "out_of_fold": {"both": {"AP50": 0.5}, "ensemble": {"AP50": 0.625, "AP50_standard_error": 0.25}},
        "leads": {"ensemble": [0.125, 0.1875]},
    }
    write_json(results / "segmenter" / "segmenter.json", record)
    page = next(path for path in write_tables(results, tmp_path / "out") if path.name == "choices.html").read_text()
    rows = [row for row in page.split("<tr") if "<td>ensemble</td>" in row]
    assert len(rows) == 1
    assert "<td>0.125</td>" in rows[0]
    assert "<td>0.1875</td>" in rows[0]
    assert "What segments: ensemble" in page


def test_times(tmp_path):
    file = tmp_path / "check.tsv"
    file.write_text("s\th:m:s\tmax_rss\n1.25\t0:00:01\t-\n")
    write_times([file], tmp_path / "times.html")
    assert "1.25" in (tmp_path / "times.html").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="absent"):
        write_times([tmp_path / "absent.tsv"], tmp_path / "times.html")

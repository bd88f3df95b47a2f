import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.images.write import write_image, write_labels, write_map
from fewstain.viewer import layers as layers_module
from fewstain.viewer.layers import image_of, pair_layers, told, uncertainty_layer, uncertainty_of
from fewstain.viewer.reader import first_image, get_reader
from fewstain.viewer.study import Study, locate
from fewstain.viewer.writer import write_labels as write_layer


def by_name(layers):
    return {properties["name"]: (data, properties, kind) for data, properties, kind in layers}


def test_an_image_opens_with_all_that_belongs_to_it(project):
    layers = by_name(image_of(locate(project.results), "a"))
    assert list(layers) == ["a", "a uncertainty", "a masks", "a__y0_x0"]
    assert layers["a"][0].shape == (64, 64)
    assert layers["a"][2] == "image"
    assert layers["a uncertainty"][1]["colormap"] == "inferno"
    assert layers["a uncertainty"][1]["visible"] is False
    assert np.unique(layers["a masks"][0]).tolist() == [0, 1, 2, 3]
    assert layers["a__y0_x0"][1]["translate"] == (0, 0)
    assert told(layers["a masks"][1]["metadata"])["kind"] == "masks"


def test_the_colours_of_an_uncertainty_map_are_set_by_pixels_spread_over_it(tmp_path, monkeypatch):
    values = np.zeros((6, 9), np.float32)
    values[::3, ::3] = [[1, 2, 3], [4, 5, 6]]
    values[5, 8] = 99
    write_map(tmp_path / "a.tif", values)
    monkeypatch.setattr(layers_module, "_LOOKED_AT", 6)
    shown, properties, _ = uncertainty_layer(tmp_path / "a.tif", "a")
    assert (shown == values).all()
    assert properties["contrast_limits"] == (0.0, pytest.approx(5.995))
    assert uncertainty_of([]) is None


def test_a_corrected_mask_is_shown_instead_of_the_predicted_one(project):
    write_labels(project.results / "corrected" / "b.tif", np.ones((64, 64), int))
    layers = by_name(image_of(locate(project.results), "b"))
    assert layers["b masks"][1]["visible"] is False
    assert layers["b corrected"][1].get("visible", True)


def test_without_results_there_are_image_and_labels(project):
    assert list(by_name(image_of(Study(project.data), "a"))) == ["a", "a__y0_x0"]
    with pytest.raises(UserError, match="no image c"):
        image_of(Study(project.data), "c")


def test_colour_stays_one_layer_and_channels_become_several(project):
    write_image(project.data / "images" / "rgb.tif", np.zeros((32, 32, 3), np.uint8))
    write_image(project.data / "images" / "two.tif", np.arange(2048, dtype=np.uint16).reshape(32, 32, 2))
    write_image(project.data / "images" / "dyes.tif", np.zeros((32, 32, 3), np.uint8), rgb=False)
    study = Study(project.data)
    ((_, properties, _),) = image_of(study, "rgb")
    assert properties["rgb"]
    assert [properties["name"] for _, properties, _ in image_of(study, "dyes")] == [
        f"dyes channel {number}" for number in range(3)
    ]
    layers = image_of(study, "two")
    assert [properties["colormap"] for _, properties, _ in layers] == ["green", "magenta"]
    assert layers[1][0][0, 0] == 1
    low, high = layers[0][1]["contrast_limits"]
    assert 0 <= low < high <= 2046


def test_reader_takes_folders_of_ours_only(project, tmp_path):
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(project.data)]) is None
    assert get_reader(str(project.data / "images" / "a.tif")) is None
    for folder in (project.data, project.results):
        assert "b masks" in by_name(get_reader(str(folder))(str(folder)))  # b is the more uncertain


def test_the_image_to_look_at_first(project):
    text = (project.results / "counts.csv").read_text().splitlines()
    flagged = [line.replace("False", "True") if line.startswith("a,") else line for line in text]
    (project.results / "counts.csv").write_text("\n".join(flagged))
    assert first_image(locate(project.results)) == "a"
    assert first_image(Study(project.data)) == "a"


def test_pairs_open_as_two_stacks(tmp_path):
    for name in ("0", "1"):
        write_image(tmp_path / "images" / f"{name}.tif", np.full((8, 8), int(name), np.uint8))
        write_labels(tmp_path / "labels" / f"{name}.tif", np.full((8, 8), 3, int))
    (tmp_path / "pairs.csv").write_text("name\n")
    (images, _, _), (labels, _, kind) = get_reader(str(tmp_path))(str(tmp_path))
    assert images.shape == labels.shape == (2, 8, 8)
    assert (images[1] == 1).all()
    assert kind == "labels"
    write_image(tmp_path / "images" / "0.tif", np.zeros((9, 8), np.uint8))
    with pytest.raises(UserError, match="different sizes"):
        pair_layers(tmp_path)


def test_pairs_of_several_channels_open_as_one_layer_each(tmp_path):
    write_image(tmp_path / "images" / "0.tif", np.arange(128, dtype=np.uint16).reshape(8, 8, 2))
    write_labels(tmp_path / "labels" / "0.tif", np.ones((8, 8), int))
    layers = by_name(pair_layers(tmp_path))
    assert list(layers) == ["synthetic images channel 0", "synthetic images channel 1", "synthetic labels"]
    assert layers["synthetic images channel 1"][0][0, 0, 0] == 1


def test_pairs_of_results_open_hidden_beside_the_image(project):
    pairs = project.results / "pairs"
    write_image(pairs / "images" / "0.tif", np.zeros((8, 8), np.uint8))
    write_labels(pairs / "labels" / "0.tif", np.ones((8, 8), int))
    (pairs / "pairs.csv").write_text("name\n")
    layers = by_name(get_reader(str(project.results))(str(project.results)))
    assert list(layers) == ["b", "b uncertainty", "b masks", "synthetic images", "synthetic labels"]
    assert not layers["synthetic images"][1]["visible"]
    assert not layers["synthetic labels"][1]["visible"]


def test_pairs_of_every_kind_are_added(project):
    for folder in (project.results / "pairs", project.results / "pairs-2"):
        write_image(folder / "images" / "0.tif", np.zeros((8, 8), np.uint8))
        write_labels(folder / "labels" / "0.tif", np.ones((8, 8), int))
        (folder / "pairs.csv").write_text("name\n")
    names = [properties["name"] for _, properties, _ in get_reader(str(project.results))(str(project.results))]
    assert names[3:] == ["synthetic images", "synthetic labels"] * 2


def test_writer_writes_beside_a_prediction_and_never_over_it(project, tmp_path):
    mask = project.results / "masks" / "a.tif"
    data, properties, _ = by_name(image_of(locate(project.results), "a"))["a masks"]
    changed = np.where(data == 1, 0, data)
    written = write_layer(str(mask), changed, properties)
    assert written == [str(project.results / "corrected" / "a.tif")]
    assert read_labels(mask).max() == 3
    assert (read_labels(mask) == 1).any()
    assert not (read_labels(written[0]) == 1).any()
    for path in (project.results / "masks" / "a masks.tif", project.results / "a masks.tif", tmp_path / "mine.tif"):
        assert write_layer(str(path), changed, properties) == written
        assert not path.exists()
    other, corrected = str(tmp_path / "mine.tif"), by_name(image_of(locate(project.results), "a"))["a corrected"]
    assert write_layer(str(tmp_path / "a corrected.tif"), corrected[0], corrected[1]) == written
    assert write_layer(other, changed, by_name(image_of(locate(project.results), "a"))["a__y0_x0"][1]) == [other]
    assert write_layer(other, changed, {}) == [other]
    with pytest.raises(UserError, match="one plane at a time"):
        write_layer(str(tmp_path / "stack.tif"), np.zeros((2, 3, 3), int), {})


def test_writer_moves_a_correction_aside_before_a_prediction_takes_its_place(project, tmp_path):
    corrected = project.results / "corrected" / "a.tif"
    write_labels(corrected, np.full((64, 64), 5))
    corrected.with_suffix(".csv").write_text("label\n5\n")
    prediction = by_name(image_of(locate(project.results), "a"))["a masks"]
    assert write_layer(str(tmp_path / "mine.tif"), prediction[0], prediction[1]) == [str(corrected)]
    assert read_labels(corrected).max() == 3
    assert not corrected.with_suffix(".csv").exists()
    forgotten = project.results / "corrected" / "forgotten"
    assert (read_labels(forgotten / "1" / "a.tif") == 5).all()
    assert (forgotten / "1" / "a.csv").read_text() == "label\n5\n"
    write_layer(str(project.results / "masks" / "a.tif"), np.ones((64, 64), int), {})  # a layer that is not ours
    assert read_labels(forgotten / "2" / "a.tif").max() == 3


def test_writer_writes_a_corrected_mask_over_itself_and_keeps_what_was_decided(project):
    corrected = project.results / "corrected" / "a.tif"
    write_labels(corrected, np.full((64, 64), 5))
    corrected.with_suffix(".csv").write_text("label\n5\n")
    mask = by_name(image_of(locate(project.results), "a"))["a corrected"]
    write_layer(str(corrected), mask[0], mask[1])
    assert corrected.with_suffix(".csv").exists()
    assert not (project.results / "corrected" / "forgotten").exists()

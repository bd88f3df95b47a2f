import csv
import itertools

import numpy as np
import pandas as pd
import pytest
import tifffile

from fewstain.errors import UserError
from fewstain.pixels import segment as segment_module
from fewstain.pixels.folder import load_pixels
from fewstain.pixels.segment import segment_files
from fewstain.settings import SegmentSettings

SETTINGS = SegmentSettings(tile=32, overlap=16)


@pytest.fixture(scope="module")
def model(grey_results):
    return load_pixels(grey_results, device="cpu")


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / "images" / name for name in ("a.b.tif", "c.tif")]
    paths[0].parent.mkdir()
    for path, shape in zip(paths, [(60, 72), (44, 40)], strict=True):
        pixels = np.kron(rng.integers(0, 200, (shape[0] // 4, shape[1] // 4)), np.ones((4, 4)))
        tifffile.imwrite(path, pixels.astype(np.uint8))
    return paths


def test_masks_maps_and_tables(model, images, tmp_path):
    out = tmp_path / "out"
    counts = segment_files(model, images, out, SETTINGS, pixel_size_um=0.5, progress=False)
    expected = model.segment(images[0], SETTINGS)
    mask = tifffile.imread(out / "masks" / "a.b.tif")
    assert mask.dtype == np.uint16
    assert (mask == expected.labels).all()
    assert tifffile.imread(out / "uncertainty" / "a.b.tif") == pytest.approx(expected.uncertainty)
    rows = pd.read_csv(out / "measurements.csv")
    first = rows[rows["image"] == "a.b"]
    assert first["label"].tolist() == list(range(1, expected.labels.max() + 1))
    assert first["uncertainty"].tolist() == pytest.approx(list(expected.object_uncertainty.values()), rel=1e-5)
    assert first["area_px"].tolist() == np.bincount(expected.labels.ravel())[1:].tolist()
    assert first["area_um2"].tolist() == (first["area_px"] / 4).tolist()
    assert set(rows["model_hash"]) == {model.record.model_hash}
    assert counts["image"].tolist() == pd.read_csv(out / "counts.csv")["image"].tolist() == ["a.b", "c"]
    assert counts["objects"][0] == expected.labels.max()
    assert counts["area_covered"][0] == pytest.approx((mask > 0).mean())
    assert counts["mean_uncertainty"][0] == pytest.approx(expected.uncertainty.mean(), rel=1e-4)
    assert sorted(path.name for path in out.iterdir()) == ["counts.csv", "masks", "measurements.csv", "uncertainty"]


def test_large_images_go_over_the_disk_with_the_same_result(model, images, tmp_path, monkeypatch):
    segment_files(model, images, tmp_path / "memory", SETTINGS, progress=False)
    monkeypatch.setattr(segment_module, "LARGE", 0)
    segment_files(model, images, tmp_path / "disk", SETTINGS, progress=False)
    for name in ("a.b.tif", "c.tif"):
        memory, disk = (tifffile.imread(tmp_path / folder / "masks" / name) for folder in ("memory", "disk"))
        assert memory.dtype == disk.dtype == np.uint16
        assert np.mean((memory > 0) != (disk > 0)) < 0.01
        maps = [tifffile.imread(tmp_path / folder / "uncertainty" / name) for folder in ("memory", "disk")]
        assert maps[0].dtype == maps[1].dtype == np.float32
        assert maps[0] == pytest.approx(maps[1], abs=2e-3)


def test_tables_without_measurements(model, images, tmp_path, capsys):
    segment_files(model, images, tmp_path / "out", SETTINGS, measurements=False)
    assert not (tmp_path / "out" / "measurements.csv").exists()
    with (tmp_path / "out" / "counts.csv").open(newline="") as file:
        assert next(csv.reader(file))[:2] == ["image", "objects"]
    assert "segmenting" in capsys.readouterr().err


def test_an_empty_foreground_is_an_empty_mask(random_results, images, tmp_path):
    model = load_pixels(random_results(threshold=1.0), device="cpu")
    counts = segment_files(model, images, tmp_path, SETTINGS, progress=False)
    assert counts["objects"].tolist() == [0, 0]
    assert tifffile.imread(tmp_path / "masks" / "c.tif").tolist() == np.zeros((44, 40), int).tolist()
    assert len(pd.read_csv(tmp_path / "measurements.csv")) == 0


@pytest.mark.parametrize("bad", ["rgb", "twin", "none", "cut"])
def test_faults_are_found_before_anything_is_computed(model, images, tmp_path, bad):
    if bad == "rgb":
        tifffile.imwrite(images[1], np.zeros((40, 40, 3), np.uint8))
    if bad == "twin":
        images.append(tmp_path / "c.tif")
        tifffile.imwrite(images[2], np.zeros((40, 40), np.uint8))
    if bad == "cut":
        images[1].write_bytes(images[1].read_bytes()[:100])
    message = {"rgb": "c.tif: has 3 channels", "twin": "same name", "none": "no images", "cut": "truncated"}[bad]
    with pytest.raises(UserError, match=message):
        segment_files(model, [] if bad == "none" else images, tmp_path / "out", SETTINGS, progress=False)
    assert not (tmp_path / "out").exists()


def test_a_stop_leaves_no_half_written_file(model, images, tmp_path, monkeypatch):
    calls = itertools.count()

    def stop(*arguments, **keywords):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return pd.DataFrame()

    monkeypatch.setattr(segment_module, "measure", stop)
    with pytest.raises(KeyboardInterrupt):
        segment_files(model, images, tmp_path / "out", SETTINGS, progress=False)
    left = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(left) == ["masks/a.b.tif", "uncertainty/a.b.tif"]

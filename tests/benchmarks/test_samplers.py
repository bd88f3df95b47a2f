import argparse
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.record import read_record
from fewstain.images.write import write_image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def samplers():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("samplers")
    finally:
        sys.path.pop(0)


@pytest.fixture
def options(tiny_diffusion, tmp_path):
    for number in range(3):
        pixels = np.random.default_rng(number).integers(1000 * number, 1000 * number + 900, (24, 40, 2))
        write_image(tmp_path / "images" / f"{number}.tif", pixels.astype(np.uint16))
    wishes = {"n": 4, "steps": [3, 6], "reference": 8, "methods": ["ddim", "rk4"], "seed": 0, "seeds": 2, "page": None}
    return argparse.Namespace(diffusion=tiny_diffusion, images=tmp_path / "images", out=tmp_path / "out", **wishes)


def row(method, evaluations, frechet, pixels):
    return {"method": method, "steps": evaluations, "evaluations": evaluations, "frechet": frechet, "pixels": pixels}


def test_the_cheapest_within_5_percent_is_found(samplers):
    rows = [
        row("ddim", 5, 2.0, 1.04),
        row("dpm++", 10, 1.04, 2.0),
        row("heun", 19, 0.9, 0.9),
        row("ddim", 20, 1.0, 1.0),
    ]
    references = [row("ddpm", 1000, 0.9, 1.2) | {"mmd": 0.0}, row("ddpm", 1000, 1.1, 0.8) | {"mmd": 0.0}]
    found = samplers.summary(rows, references)
    assert found["within"]["frechet"]["method"] == "dpm++"
    assert found["within"]["pixels"] == {"method": "ddim", "steps": 5, "evaluations": 5}
    assert found["fewest"] == {"method": "heun", "steps": 19, "evaluations": 19}
    assert samplers.summary(rows[:1], references)["fewest"] is None


def test_crops_come_from_all_images_and_in_no_order(samplers, options, monkeypatch):
    record = read_record(options.diffusion)
    crops = samplers.real_crops(options.images, options.diffusion, record, 7, 0)
    assert crops.shape == (7, 2, 16, 16)
    assert len({crop.numpy().tobytes() for crop in crops}) == 7
    again = samplers.real_crops(options.images, options.diffusion, record, 7, 0)
    np.testing.assert_array_equal(crops, again)

    def flat(folder, record, path):  # the image's number in place of its pixels
        return argparse.Namespace(planes=torch.full((1, 2, 24, 40), float(path.stem)))

    monkeypatch.setattr(samplers, "read_picture", flat)
    many = samplers.real_crops(options.images, options.diffusion, record, 90, 0)[:, 0, 0, 0]
    assert many.unique(return_counts=True)[1].tolist() == [30, 30, 30]
    assert all(min(part.unique(return_counts=True)[1].tolist()) >= 5 for part in (many[::3], many[1::3], many[2::3]))


def test_every_method_is_measured_once_and_the_same_command_goes_on(samplers, options, monkeypatch):
    result = samplers.run(options)
    # rk4 needs 5 evaluations
    assert [(row["method"], row["steps"], row["evaluations"]) for row in result["rows"]] == [
        ("ddim", 3, 3), ("ddim", 6, 6), ("rk4", 6, 5),
    ]  # fmt: skip
    assert [(row["method"], row["evaluations"]) for row in result["references"]] == [("ddpm", 8)] * 2
    assert result["references"][0]["frechet"] != result["references"][1]["frechet"]
    assert json.loads((options.out / "samplers.json").read_text()) == result
    assert (options.out / "samplers.png").is_file()

    monkeypatch.setattr(samplers, "measure", lambda *_: pytest.fail("measured again"))
    options.page = options.out / "page.md"
    options.page.write_text("before\n<!-- samplers tables: begin --><!-- samplers tables: end -->\nafter\n")
    (options.out / "figures").mkdir()
    assert samplers.run(options) == result
    page = options.page.read_text()
    assert "| n = 4 | 3 evaluations | 6 evaluations |" in page
    assert f"| ddim | {result['rows'][0]['frechet']:.1f} / " in page
    assert "| rk4 | – | " in page
    assert (options.out / "figures" / "samplers.png").read_bytes() == (options.out / "samplers.png").read_bytes()
    options.n = 5
    with pytest.raises(SystemExit, match="choose another folder"):
        samplers.run(options)


def test_the_page_shows_every_method_and_has_its_pictures():
    text = (ROOT / "docs" / "diffusion.md").read_text(encoding="utf-8")
    assert all(method in text for method in METHODS)
    pictures = [line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 14
    assert [picture for picture in pictures if not (ROOT / "docs" / picture).is_file()] == []

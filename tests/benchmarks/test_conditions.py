import argparse
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from fewstain.images.write import write_image

ROOT = Path(__file__).parents[2]
TINY = ["unshuffle=4", "channels=[8]", "crop=16", "batch_size=2", "steps=2", "token_width=8", "samples=0"]


@pytest.fixture(scope="module")
def conditions():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("conditions")
    finally:
        sys.path.pop(0)


def test_verdicts_count_images_that_are_nearer_to_their_own_windows(conditions):
    measures = importlib.import_module("condition_measures")
    found = [[1.0, 2.0, 3.0], [4.0, 1.0, 0.5], [9.0, 9.0, 8.0]]
    rows = measures.verdicts(2.0, found, np.array(["a", "a", "b"]))
    assert [(row["stain"], row["among"], row["images"], row["nearer_all"]) for row in rows[:3]] == [
        ("a", "all stains", 2, 3 / 4),  # 1 < 2, 1 < 3, 1 < 4, but 1 > 0.5
        ("a", "its stain", 2, 1.0),
        ("b", "all stains", 1, 1.0),
    ]
    assert rows[0]["nearer"] in (0.5, 1.0)  # one of the others, drawn for each
    assert (rows[0]["mmd_own"], rows[0]["mmd_other"]) == (1.0, 2.5)


def test_all_is_measured_and_written_on_the_page(conditions, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    random = np.random.default_rng(0)
    for stain, channels in (("fluorescence", ()), ("histology", (3,)), ("tissue-dapi", ())):
        for number in range(8):
            pixels = random.integers(10 * number, 200, (64, 64, *channels)).astype(np.uint8)
            write_image(tmp_path / "stains" / stain / "images" / f"{number}.tif", pixels)
    options = argparse.Namespace(
        stains=tmp_path / "stains",
        out=tmp_path / "out",
        words=["fluorescence", "histology"],
        few_shot=["fluorescence", "histology"],
        held_out=["tissue-dapi"],
        set=TINY,
        scales=[1.0, 2.0],
        pictured=2.0,
        n=3,
        n_like=2,
        sample_steps=2,
    )
    monkeypatch.setattr(sys.modules["condition_measures"], "COARSE", 2)  # crops are of 16 pixels
    result = conditions.run(options)
    assert json.loads((tmp_path / "out" / "conditions.json").read_text()) == result
    assert [(row["stain"], row["guidance_scale"]) for row in result["words"]["rows"]] == [
        ("fluorescence", 1.0),
        ("histology", 1.0),
        ("fluorescence", 2.0),
        ("histology", 2.0),
    ]
    assert sum(result["words"]["without_words"].values()) == pytest.approx(1)
    images = {(row["stain"], row["among"]): row["images"] for row in result["few_shot"]["rows"]}
    assert images == {
        (stain, among): count
        for stain, count in (("fluorescence", 2), ("histology", 2), ("tissue-dapi", 8))
        for among in ("all stains", "its stain")
    }
    seen = {path.name for path in (tmp_path / "out" / "few-shot-data" / "histology" / "images").iterdir()}
    assert len(seen) == 6
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        "words.png",
        "few-shot-fluorescence.png",
        "few-shot-histology.png",
        "few-shot-tissue-dapi.png",
    }
    tables = conditions.tables(result)
    assert "| Hoechst, cultured cells, nuclei | " in tables
    assert "| tissue-dapi | 8 | the shown windows themselves | of its stain | " in tables
    assert conditions.run(options) == result  # nothing is trained again

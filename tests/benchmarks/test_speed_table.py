import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("speed_table")
    finally:
        sys.path.pop(0)


PIXEL_FIT = {
    "speedup": 25.04,
    "memory_ratio": 60.0,
    "ap50_ours": 0.5,
    "ap50_published": 0.4,
    "n_published": 20,
    "extrapolated": True,
    "how": "measured with 20 of 30",
    "seconds_ours": 10.2,
    "seconds_published": 255.4,
    "extra_bytes_ours": 200_000_000,
    "extra_bytes_published": 12_000_000_000,
    "data": "demo",
    "preset": "cpu",
    "images": 30,
    "side": 256,
    "threads": 2,
    "command": "python benchmarks/pixel_fit.py",
}
LARGE = {"peak_rss_bytes": 1.5e9, "seconds": 90, "n_objects": 7, "side": 100, "preset": "cpu", "device": "cpu"}
DIFFUSION = {
    "training_fraction": 0.95,
    "extraction_fraction": 0.9,
    "training_mpixel_per_s": 0.095,
    "bare_training_mpixel_per_s": 0.1,
    "extraction_mpixel_per_s": 0.9,
    "bare_extraction_mpixel_per_s": 1.0,
    "precision": "no",
    "device": "cpu",
    "threads": 2,
}


def test_each_result_finds_its_section(table):
    text = table.tables([LARGE, PIXEL_FIT, DIFFUSION])
    lines = text.splitlines()
    assert "| seconds to fit and predict | 255 | 10 | 25.0 |" in lines
    assert "| extra memory, GB | 12.00 | 0.20 | 60.0 |" in lines
    assert "| AP50 with 20 labeled images | 0.400 | 0.500 |  |" in lines
    assert "Extrapolated: measured with 20 of 30." in text
    assert "| training | 0.100 | 0.095 | 0.95 |" in lines
    assert "| 100 | 1.50 | 1.5 | 7 | cpu | cpu |" in lines
    assert table.NOT_MEASURED not in text


def test_what_was_not_measured_says_so(table):
    assert table.tables([]).count(table.NOT_MEASURED) == 3

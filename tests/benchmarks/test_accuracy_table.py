import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("accuracy_table")
    finally:
        sys.path.pop(0)


def test_variants_get_a_table_of_their_own(table):
    variant = {"variant": "as shipped", "AP50": 0.5, "AP50_standard_error": 0.04, "AP": 0.25, "fit_s": 9.6}
    trial = {"stain": "dapi", "n_labels": 24, "seed": 0, "diffusion_steps": 7, "variants": [variant]}
    lines = table.content([trial]).splitlines()
    assert "### dapi, out-of-fold" in lines
    assert "| as shipped | 0.500 (0.040) | 0.250 | 10 |" in lines


def test_views_come_before_variants(table):
    names = ("decoder_by_windows", "decoder_by_views_too", "agreed", "agreeing", "best", "mean")
    row = {"variant": "turned", "merged": 7} | {f"AP50_{name}": (index + 1) / 8 for index, name in enumerate(names)}
    trial = {"stain": "dapi", "n_labels": 24, "seed": 0, "further_windows": 88, "views": [row]}
    ablation = {"stain": "a", "n_labels": 24, "seed": 0, "diffusion_steps": 7, "variants": []}
    lines = table.content([trial, ablation]).splitlines()
    assert lines.index("### dapi, 88 further windows") < lines.index("### a, out-of-fold")
    assert "| turned | 0.125 | 0.250 | 0.375 | 0.500 | 0.625 | 0.750 | 7 |" in lines

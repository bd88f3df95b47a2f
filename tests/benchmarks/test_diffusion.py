import importlib
from pathlib import Path

import pytest

from fewstain.settings import DiffusionSettings

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_ours_is_told_as_a_fraction_of_the_bare_loop(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.syspath_prepend(str(FOLDER))
    diffusion = importlib.import_module("diffusion")
    for name, value in {"POOL_IMAGES": 2, "POOL_SIDE": 32, "EXTRACTION_SIDE": 16}.items():
        monkeypatch.setattr(diffusion, name, value)
    settings = DiffusionSettings(channels=(8,), crop=16, batch_size=2, steps=2, samples=0)
    found = diffusion.measured(settings, repeats=1)
    for kind in ("training", "extraction"):
        ours, bare = found[f"{kind}_mpixel_per_s"], found[f"bare_{kind}_mpixel_per_s"]
        assert ours > 0
        assert found[f"{kind}_fraction"] == pytest.approx(ours / bare, abs=0.05 * ours / bare)
    assert (found["precision"], found["network"]["channels"]) == ("no", (8,))

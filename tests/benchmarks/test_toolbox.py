import argparse
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fewstain.diffusion.network import build_denoiser
from fewstain.images.write import write_image
from fewstain.settings import DiffusionSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield argparse.Namespace(**{name: importlib.import_module(name) for name in ("toolbox", "toolbox_table")})
    finally:
        sys.path.pop(0)


def test_a_rough_painting_has_two_levels_of_the_real_images(scripts):
    real = torch.linspace(-1, 1, 4 * 32 * 32).reshape(4, 1, 32, 32)
    one, other = (scripts.toolbox.rough_painting(real, number) for number in (0, 1))
    assert one.shape == (1, 32, 32)
    np.testing.assert_allclose(one.unique(), [-0.4, 0.9], atol=1e-3)  # 30 and 95 % of the way from -1 to 1
    assert not torch.equal(one, other)
    assert torch.equal(one, scripts.toolbox.rough_painting(real, 0))


def test_karras_levels_are_evenly_apart_in_the_7th_root(scripts):
    levels = scripts.toolbox.karras_levels(np.array([0.01, 1.0, 90.0]), 5, 80.0)
    assert (levels[0], levels[-2], levels[-1]) == (pytest.approx(80.0), pytest.approx(0.01), 0.0)
    np.testing.assert_allclose(np.diff(np.array(levels[:-1]) ** (1 / 7), n=2), 0, atol=1e-12)


def test_on_the_methods_own_grid_the_images_are_those_of_sample(scripts):
    torch.manual_seed(0)
    denoiser = build_denoiser(DiffusionSettings(channels=(8,), crop=16, train_timesteps=50), 1).eval()
    noise = torch.randn(3, 1, 16, 16)
    levels = scripts.toolbox.METHODS["dpm++"].grid(denoiser.scheduler, 5)
    expected = scripts.toolbox.sample(denoiser, 3, (16, 16), steps=5, seed=0, method="dpm++", noise=noise)
    torch.testing.assert_close(scripts.toolbox.paint_on(denoiser, "dpm++", noise, levels), expected)


def test_all_is_measured_once_and_told(scripts, tiny_diffusion, tmp_path, monkeypatch):
    for stain in ("own", "other"):
        for number in range(2):
            pixels = np.random.default_rng(number).integers(0, 900, (24, 24, 2)).astype(np.uint16)
            write_image(tmp_path / stain / "images" / f"{number}.tif", pixels)
    for name, value in {
        "STEPS": (2,), "MANY": 4, "INVERSIONS": ((3, 2),), "STRENGTHS": (0.0, 0.5), "EDIT_STEPS": 2,
        "SAMPLE_STEPS": 2, "ADAPT_STEPS": 1, "GRIDS": (("heun", 5),), "RATES": (4,),
    }.items():  # fmt: skip
        monkeypatch.setattr(scripts.toolbox, name, value)
    options = argparse.Namespace(
        diffusion=tiny_diffusion, images=tmp_path / "own" / "images", other=tmp_path / "other", channels=[0, 1],
        out=tmp_path / "out", n=3,
    )  # fmt: skip
    result = scripts.toolbox.run(options)
    assert json.loads((tmp_path / "out" / "toolbox.json").read_text()) == result
    assert result["edits"][0]["faithful"] is None
    for name in ("few_steps", "inversions", "edits", "grids", "shares", "adapters"):
        monkeypatch.setattr(scripts.toolbox, name, lambda *_: pytest.fail("measured again"))
    assert scripts.toolbox.run(options) == result
    text = scripts.toolbox_table.content(result)
    assert f"| 2 | {result['steps'][0]['apart']:.2f} |" in text
    assert f"| 3 | 2 | {result['inversion'][0]['psnr']:.1f} dB | " in text
    assert "| 0.0 | ∞ | " in text
    assert f"| 2 | keys-values | {result['shares'][2]['percent']:.1f} % |" in text
    assert all(0 < row["percent"] < 5 for row in result["shares"])
    assert f"| heun | 5 | {result['grids'][0]['uniform']:.0f} | {result['grids'][0]['karras']:.0f} |" in text
    assert f"| 4 | {result['adapters']['after'][0]['frechet']:.0f} | " in text
    options.n = 4
    with pytest.raises(SystemExit, match="choose another folder"):
        scripts.toolbox.run(options)

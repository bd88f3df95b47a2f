"""The verbs that paint: what they write, and what they say to wrong input."""

import csv

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file, save_file

from fewstain.cli import run as cli
from fewstain.diffusion.methods import METHODS
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_image
from fewstain.images.write import write_image
from fewstain.toolbox import Method


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(100, 5000, (16, 24, 2)).astype(np.uint16)
    write_image(tmp_path / "in" / "cells.tif", pixels)
    return tmp_path / "in" / "cells.tif"


@pytest.fixture
def fewstain(tiny_diffusion):
    """Run one verb on the denoiser; gives the exit code."""
    return lambda verb, *words: cli.run([verb, str(tiny_diffusion), *map(str, words)])


def samples(folder):
    return np.stack([tifffile.imread(path) for path in sorted(folder.glob("sample-*.tif"))])


def test_every_method_has_its_name_on_the_command_line():
    assert [method.value for method in Method] == list(METHODS)


@pytest.mark.parametrize("method", ["ddpm", "dpm++"])
def test_the_noise_written_paints_the_same_images_bit_for_bit(fewstain, tmp_path, method):
    words = ("--method", method, "--steps", 5, "--seed", 7)
    assert fewstain("sample", "--out", tmp_path / "a", "-n", 3, *words) == 0
    assert fewstain("sample", "--out", tmp_path / "b", "--noise", tmp_path / "a" / "noise.safetensors", *words) == 0
    np.testing.assert_array_equal(samples(tmp_path / "a"), samples(tmp_path / "b"))
    assert samples(tmp_path / "a").shape == (3, 2, 16, 16)
    assert imageio.imread(tmp_path / "a" / "samples.png").shape == (32, 32)
    assert fewstain("sample", "--out", tmp_path / "c", "-n", 1, "--method", method, "--steps", 5, "--seed", 7) == 0
    np.testing.assert_allclose(samples(tmp_path / "c"), samples(tmp_path / "a")[:1], atol=1e-5)


def test_strength_0_writes_the_painting_back_bit_for_bit(fewstain, image, tmp_path):
    assert fewstain("edit", image, "--out", tmp_path / "out", "--strength", 0) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "cells.tif"), tifffile.imread(image))


def test_an_edit_is_in_the_paintings_own_units_and_depends_on_it_alone(fewstain, image, tmp_path):
    other = image.with_name("a-first.tif")
    write_image(other, np.moveaxis(tifffile.imread(image), 0, -1)[::-1])
    assert fewstain("edit", image, "--out", tmp_path / "one", "--strength", 0.3, "--steps", 4) == 0
    assert fewstain("edit", other, image, "--out", tmp_path / "two", "--strength", 0.3, "--steps", 4) == 0
    one, raw = tifffile.imread(tmp_path / "one" / "cells.tif"), tifffile.imread(image)
    np.testing.assert_array_equal(one, tifffile.imread(tmp_path / "two" / "cells.tif"))
    assert (one.dtype, one.shape) == (raw.dtype, raw.shape)
    assert not np.array_equal(one, raw)
    assert abs(one.astype(float).mean() - raw.mean()) < 0.2 * raw.mean()


def test_inverted_noise_is_what_sample_takes(fewstain, image, tmp_path, capsys):
    assert fewstain("invert", image, "--out", tmp_path / "out", "--steps", 6) == 0
    told = capsys.readouterr().err
    noise = tmp_path / "out" / "cells.safetensors"
    assert fewstain("sample", "--out", tmp_path / "again", "--noise", noise, "--method", "ddim", "--steps", 6) == 0
    again = samples(tmp_path / "again")[0]
    raw = np.moveaxis(tifffile.imread(image), 0, -1)
    error = np.square(again - Normaliser().apply(raw)).mean()
    assert f"PSNR of {10 * np.log10(4 / error):.1f} dB" in told


def test_noised_images_keep_less_of_the_image_the_later_they_are(fewstain, image, tmp_path):
    assert fewstain("noise", image, "--out", tmp_path / "out", "--timesteps", "0,20,49") == 0
    clean = Normaliser().apply(np.moveaxis(tifffile.imread(image), 0, -1))
    kept = [
        np.corrcoef(tifffile.imread(tmp_path / "out" / f"cells-t{timestep:04d}.tif").ravel(), clean.ravel())[0, 1]
        for timestep in (0, 20, 49)
    ]
    assert 1 > kept[0] > kept[1] > kept[2]


def test_branches_are_rows_of_outcomes_and_their_variance(fewstain, tmp_path):
    assert fewstain("branch", "--out", tmp_path / "usual", "-n", 2) == 0  # of a denoiser of 50 timesteps
    assert len((tmp_path / "usual" / "variance.csv").read_text().splitlines()) == 1 + 6
    words = ("--at", "0,3,6", "-n", 4, "--steps", 6)
    assert fewstain("branch", "--out", tmp_path / "ddpm", *words) == 0
    rows = list(csv.DictReader((tmp_path / "ddpm" / "variance.csv").open()))
    assert [row["step"] for row in rows] == ["0", "3", "6"]
    assert float(rows[0]["variance"]) > float(rows[1]["variance"]) > float(rows[2]["variance"]) == 0
    assert imageio.imread(tmp_path / "ddpm" / "branches.png").shape == (3 * 16, 4 * 16)
    assert fewstain("branch", "--out", tmp_path / "ddim", *words, "--method", "ddim") == 0
    assert [row["variance"] for row in csv.DictReader((tmp_path / "ddim" / "variance.csv").open())] == ["0"] * 3


def test_a_path_leads_from_the_first_sample_to_the_second(fewstain, tmp_path):
    assert fewstain("sample", "--out", tmp_path / "a", "-n", 2, "--steps", 4) == 0
    assert fewstain("interpolate", "--out", tmp_path / "seed", "-n", 5, "--steps", 4) == 0
    noise = tmp_path / "a" / "noise.safetensors"
    assert fewstain("interpolate", "--out", tmp_path / "file", "-n", 5, "--steps", 4, "--noise", noise) == 0
    for folder in ("seed", "file"):
        path = [tifffile.imread(tmp_path / folder / f"path-{number:04d}.tif") for number in range(5)]
        np.testing.assert_allclose([path[0], path[-1]], samples(tmp_path / "a"), atol=1e-5)
        assert not np.allclose(path[2], path[0], atol=1e-3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sample", "--steps", "0"), "greater than or equal to 1"),
        (("sample", "--steps", "51"), "ddim takes 1 to 50"),
        (("sample", "--steps", "4", "--method", "rk4"), "rk4 takes 5 to"),
        (("sample", "--method", "magic"), "'dpm++'"),
        (("sample", "--eta", "0.5", "--method", "dpm++"), "only ddim has one"),
        (("sample", "--size", "8000000"), "not enough memory"),
        (("sample", "--eta", "1.5"), "less than or equal to 1"),
        (("sample", "--noise", "absent.safetensors"), "absent.safetensors: no readable noise"),
        (("edit", "cells", "--strength", "2"), "less than or equal to 1"),
        (("edit", "cells", "--strength", "0.5", "--steps", "99"), "ddim takes 1 to 50"),
        (("invert", "cells", "--rounds", "0"), "greater than or equal to 1"),
        (("noise", "cells", "--timesteps", "50"), "trained on 0 to 49"),
        (("noise", "cells", "--timesteps", "a"), "--timesteps a: write different numbers"),
        (("branch", "--steps", "6", "--at", "7"), "choose from 0 to 6"),
        (("branch", "--method", "heun", "--steps", "5"), "choose one of ddpm, ddim, sde"),
        (("interpolate", "--method", "sde"), "choose one of ddim"),
    ],
)
def test_wrong_wishes_are_the_users_fault(fewstain, image, tmp_path, capsys, words, told):
    verb, *rest = (str(image) if word == "cells" else word for word in words)
    assert fewstain(verb, *rest, "--out", tmp_path / "out") == 2
    text = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert told in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["edit", "invert", "noise"])
@pytest.mark.parametrize(
    ("shape", "dtype", "told"),
    [
        ((16, 16), np.uint16, "1 channels of uint16, but the denoiser"),
        ((16, 16, 2), np.uint8, "2 channels of uint8, but the denoiser"),
    ],
)
def test_images_of_another_kind_are_told(fewstain, tmp_path, capsys, verb, shape, dtype, told):
    path = tmp_path / "other.tif"
    write_image(path, np.arange(np.prod(shape)).reshape(shape).astype(dtype))
    assert fewstain(verb, path, "--out", tmp_path / "out") == 2
    assert told in capsys.readouterr().err


def test_images_of_a_size_that_the_network_cannot_take_are_told_before_any_is_inverted(
    fewstain, image, tmp_path, capsys
):
    path = tmp_path / "other.tif"
    write_image(path, np.ones((17, 16, 2), np.uint16))
    assert fewstain("invert", image, path, "--out", tmp_path / "out") == 2
    told = "other.tif: 17 x 16 pixels; this denoiser needs multiples of 2, as 16 x 16; cut or pad it"
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_images_of_any_size_are_edited(fewstain, tmp_path):
    path = tmp_path / "other.tif"
    write_image(path, np.ones((17, 16, 2), np.uint16))
    assert fewstain("edit", path, "--out", tmp_path / "out") == 0
    assert read_image(tmp_path / "out" / "other.tif").pixels.shape == (17, 16, 2)


@pytest.mark.parametrize("verb", ["edit", "invert", "noise"])
def test_no_image_is_written_over(fewstain, image, capsys, verb):
    assert fewstain(verb, image, "--out", image.parent) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert fewstain(verb, image, image.with_suffix(".png"), "--out", image.parent / "out") == 2
    assert "same name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tensors", "words", "told"),
    [
        ({"noise": torch.zeros(2, 3, 16, 16)}, (), "noise of 3 channels, but this denoiser starts from 2"),
        ({"noise": torch.zeros(2, 2, 15, 16)}, (), "multiples of 2"),
        ({"noise": torch.zeros(2, 16, 16)}, (), "of shape (2, 16, 16), not finite float32 noise of shape"),
        ({"noise": torch.full((2, 2, 16, 16), torch.nan)}, (), "not finite"),
        ({"other": torch.zeros(2, 2, 16, 16)}, (), "no readable noise"),
        ({"noise": torch.zeros(2, 2, 16, 16)}, ("-n", 3), "noise for 2 images, not 3"),
        ({"noise": torch.zeros(2, 2, 16, 16)}, ("--size", 32), "16 x 16 pixels, not 32 x 32"),
    ],
)
def test_noise_that_does_not_fit_is_told(fewstain, tmp_path, capsys, tensors, words, told):
    save_file(tensors, tmp_path / "noise.safetensors")
    assert fewstain("sample", "--out", tmp_path / "out", "--noise", tmp_path / "noise.safetensors", *words) == 2
    assert told in capsys.readouterr().err


def test_a_path_needs_two_ends(fewstain, tmp_path, capsys):
    save_file({"noise": torch.zeros(3, 2, 16, 16)}, tmp_path / "noise.safetensors")
    assert fewstain("interpolate", "--out", tmp_path / "out", "--noise", tmp_path / "noise.safetensors") == 2
    assert "3 noises; a path has two ends" in capsys.readouterr().err


def test_noise_comes_back_as_written(fewstain, tmp_path):
    assert fewstain("sample", "--out", tmp_path, "-n", 2, "--steps", 2) == 0
    assert load_file(tmp_path / "noise.safetensors")["noise"].shape == (2, 2, 16, 16)

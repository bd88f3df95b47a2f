"""What `sample` says to a condition it can follow, and to one it cannot."""

import numpy as np
import pytest
import tifffile
import torch

from fewstain.cli import run as cli
from fewstain.diffusion.conditions.opening import cut_windows, open_guided, read_like
from fewstain.images.read import read_image
from fewstain.images.write import write_image

from .conftest import TINY, learn_sets, learn_words

BRIEFLY = TINY.model_copy(update={"steps": 20})  # how well they paint says nothing of how they are opened


@pytest.fixture(scope="module")
def words_model(tmp_path_factory):
    return learn_words(tmp_path_factory.mktemp("words"), BRIEFLY)


@pytest.fixture(scope="module")
def few_shot_model(tmp_path_factory):
    return learn_sets(tmp_path_factory.mktemp("few-shot"), BRIEFLY)


def images(folder):
    return np.stack([tifffile.imread(path) for path in sorted(folder.glob("sample-*.tif"))])


def run(model, *words):
    return cli.run(["sample", str(model / "out"), "-n", "2", "--steps", "3", *map(str, words)])


def test_words_on_the_command_line(words_model, tmp_path):
    told = ("--words", "DAPI, heart")
    assert run(words_model, "--out", tmp_path / "with", *told) == 0
    assert run(words_model, "--out", tmp_path / "plain", *told, "--guidance-scale", 1) == 0
    assert run(words_model, "--out", tmp_path / "strong", *told, "--guidance-scale", 2) == 0
    assert run(words_model, "--out", tmp_path / "zero", *told, "--guidance-scale", 0) == 0
    assert run(words_model, "--out", tmp_path / "without") == 0
    found = {folder.name: images(folder) for folder in tmp_path.iterdir()}
    assert found["with"].shape == (2, 3, 32, 32)
    np.testing.assert_array_equal(found["with"], found["plain"])
    np.testing.assert_array_equal(found["zero"], found["without"])
    assert not np.array_equal(found["strong"], found["with"])
    assert not np.array_equal(found["zero"], found["with"])


def test_images_on_the_command_line(few_shot_model, tmp_path):
    shown = sorted((few_shot_model / "held" / "images").iterdir())
    assert run(few_shot_model, "--out", tmp_path / "a", "--like", shown[0], "--like", shown[1]) == 0
    assert run(few_shot_model, "--out", tmp_path / "b", "--like", shown[3], "--size", 64) == 0
    assert images(tmp_path / "a").shape == (2, 3, 32, 32)
    assert images(tmp_path / "b").shape == (2, 3, 64, 64)


def test_windows_are_of_every_image_and_share_no_pixel():
    rows = torch.arange(70.0)[None, :, None].expand(1, 70, 70)
    windows = cut_windows([rows, 100 + rows, 200 + rows], 4, 32, np.random.default_rng(0))
    assert windows.shape == (4, 1, 32, 32)
    assert {int(value) // 100 for value in windows[:, 0, 0, 0]} == {0, 1, 2}
    assert len(cut_windows([rows] * 6, 4, 32, np.random.default_rng(0))) == 6
    assert len(cut_windows([rows], 9, 32, np.random.default_rng(0))) == 4  # there is no room for more


def test_grey_images_are_shown_to_a_denoiser_of_rgb(few_shot_model, tmp_path):
    write_image(tmp_path / "grey.tif", np.arange(40 * 40, dtype=np.uint16).reshape(40, 40))
    shown = read_like(few_shot_model / "out", 3, 32, [tmp_path / "grey.tif"])[0]
    assert shown.shape == (3, 40, 40)
    assert torch.equal(shown[0], shown[2])
    open_guided(few_shot_model / "out", like=[tmp_path / "grey.tif"])


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("few_shot_model", ("--words", "dapi"), "was trained without words; show it images with --like"),
        ("words_model", ("--like", "grey"), "was trained on words, not images; tell it --words"),
        ("words_model", ("--words", "dappi"), "--words 'dappi': 'dappi' is no word this denoiser has learned; did you"),
        ("words_model", ("--words", "dapi", "--guidance-scale", "-1"), "greater than or equal to 0"),
        ("words_model", ("--guidance-scale", "2"), "there is nothing to be guided by; give --words or --like too"),
        ("words_model", ("--words", "dapi", "--like", "grey"), "a denoiser takes one of the two"),
        ("words_model", ("--words", "dapi", "--adapter", "x"), "takes conditions, and no adapters"),
        ("few_shot_model", ("--like", "two"), "two.tif: 2 channels, but the denoiser in"),
        ("few_shot_model", ("--like", "grey", "--like", "byte"), "give images of one stain, of one kind"),
        ("few_shot_model", ("--like", "small"), "16 x 48 pixels; 32 x 32 at least are needed"),
        ("few_shot_model", ("--like", "absent"), "absent.tif"),
    ],
)
def test_what_cannot_be_followed_is_told(request, tmp_path, capsys, model, options, told):
    for name, shape, dtype in (
        ("grey", (48, 48), np.uint16),
        ("byte", (48, 48), np.uint8),
        ("two", (48, 48, 2), np.uint16),
        ("small", (16, 48), np.uint16),
    ):
        write_image(tmp_path / f"{name}.tif", np.ones(shape, dtype))
    files = [
        str(tmp_path / f"{word}.tif") if word in ("grey", "byte", "two", "small", "absent") else word
        for word in options
    ]
    folder = request.getfixturevalue(model)
    assert run(folder, "--out", tmp_path / "out", *files) == 2
    assert told in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "value"), [("--words", "dapi"), ("--like", "a.tif"), ("--guidance-scale", "2")])
def test_a_denoiser_without_conditions_follows_none(tiny_diffusion, tmp_path, capsys, option, value):
    assert cli.run(["sample", str(tiny_diffusion), "--out", str(tmp_path / "out"), option, value]) == 2
    assert f"{option}: the denoiser in {tiny_diffusion} takes no conditions" in capsys.readouterr().err


def test_what_needs_a_plain_denoiser_takes_no_conditional_one(words_model, tmp_path, capsys):
    image = words_model / "spots" / "images" / "0.tif"
    assert cli.run(["noise", str(words_model / "out"), str(image), "--out", str(tmp_path / "out")]) == 2
    assert (
        "takes conditions, for `fewstain sample`, edit, invert, branch and interpolate only" in capsys.readouterr().err
    )


def test_edits_follow_words_and_guidance_0_is_without_them(words_model, tmp_path):
    painting = words_model / "section" / "images" / "0.tif"

    def edited(name, *options):
        words = ["edit", str(words_model / "out"), str(painting), "--out", str(tmp_path / name), "--steps", "3"]
        assert cli.run([*words, *options]) == 0
        return tifffile.imread(tmp_path / name / "0.tif")

    assert (edited("spots", "--words", "DAPI, heart, 20x") != edited("section", "--words", "H&E, colon")).any()
    np.testing.assert_array_equal(edited("zero", "--words", "H&E", "--guidance-scale", "0"), edited("without"))
    np.testing.assert_array_equal(edited("same", "--strength", "0"), tifffile.imread(painting))


def test_a_grey_painting_is_edited_in_colour_and_in_its_own_units(words_model, tmp_path):
    painting = words_model / "spots" / "images" / "0.tif"
    words = ["edit", str(words_model / "out"), str(painting), "--out", str(tmp_path / "out"), "--strength", "0"]
    assert cli.run(words) == 0
    grey = tifffile.imread(painting)
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "0.tif").pixels, np.stack([grey] * 3, axis=-1))


def test_noise_found_with_words_paints_the_image_again_with_these_words(words_model, tmp_path, capsys):
    image, told = words_model / "section" / "images" / "0.tif", ("--words", "H&E, colon", "--steps", "20")
    assert cli.run(["invert", str(words_model / "out"), str(image), "--out", str(tmp_path / "noise"), *told]) == 0
    decibels = float(capsys.readouterr().err.split("PSNR of ")[1].split()[0])
    assert decibels > 20


@pytest.mark.parametrize("verb", ["branch", "interpolate"])
def test_paths_follow_words(words_model, tmp_path, verb):
    def painted(name, words):
        options = ["--words", words, "--steps", "3", "-n", "2", "--out", str(tmp_path / name)]
        assert cli.run([verb, str(words_model / "out"), *options]) == 0
        return next((tmp_path / name).glob("*.png")).read_bytes()

    assert painted("spots", "DAPI, heart, 20x") != painted("section", "H&E, colon")


def test_altered_weights_are_told(words_model, tmp_path, capsys):
    import shutil

    shutil.copytree(words_model / "out", tmp_path / "out")
    other = (words_model / "out" / "encoder.safetensors").read_bytes()
    (tmp_path / "out" / "encoder.safetensors").write_bytes(other[:-4] + bytes(4))
    assert run(tmp_path, "--out", tmp_path / "samples", "--words", "dapi") == 2
    assert "encoder.safetensors: not the weights that fewstain.json tells of" in capsys.readouterr().err

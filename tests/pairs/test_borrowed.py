"""Pairs painted by another denoiser than the stain's own, hardly trained: what holds whatever it paints."""

import shutil

import numpy as np
import pytest
import tifffile

from fewstain.cli.run import run
from fewstain.dataset import open_dataset
from fewstain.diffusion.adaptation import adapt
from fewstain.diffusion.conditions.training import train_words
from fewstain.pairs.filters import Limits
from fewstain.settings import ConditionalSettings

OPTIONS = (
    "--strength",
    "0.5",
    "--side",
    "32",
    "--steps",
    "2",
    "-n",
    "2",
    "--min-agreement",
    "0",
    "--max-distance",
    "1e9",
)
BRIEF = ConditionalSettings(
    unshuffle=2, channels=(16,), crop=16, batch_size=4, steps=30, warmup_steps=2, token_width=16, samples=0
)


@pytest.fixture(scope="module")
def words_denoiser(stain, tmp_path_factory):
    """A denoiser of two grey stains, one of them named discs and one noise."""
    folder = tmp_path_factory.mktemp("words")
    shutil.copytree(stain / "data" / "images", folder / "discs" / "images")
    (folder / "noise" / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(2):
        tifffile.imwrite(
            folder / "noise" / "images" / f"{number}.tif", random.integers(0, 255, (32, 32)).astype(np.uint8)
        )
    for name in ("discs", "noise"):
        (folder / name / "words.txt").write_text(name)
    train_words([open_dataset(folder / name) for name in ("discs", "noise")], folder / "out", folder / "state", BRIEF)
    return folder / "out"


@pytest.fixture
def paint(stain, tmp_path, monkeypatch):
    """Give a function that makes pairs with some options: images and labels, two of each."""
    monkeypatch.setattr(
        "fewstain.pairs.limits.Limits",
        lambda **given: Limits(**(given | {"plausible": 0, "covered": 1, "copy": 2})),
    )

    def make(*options):
        out = tmp_path / f"pairs-{len(list(tmp_path.iterdir()))}"
        words = ["pairs", str(stain / "results"), "--out", str(out), "--kind", "edit", "--from", str(stain / "data")]
        assert run([*words, *OPTIONS, *map(str, options)]) == 0
        return [[tifffile.imread(path) for path in sorted((out / name).iterdir())] for name in ("images", "labels")]

    return make


def test_the_denoiser_that_paints_unnamed_paints_the_same_when_it_is_named(stain, paint):
    np.testing.assert_equal(paint("--denoiser", stain / "results" / "diffusion"), paint())


def test_words_change_the_images_and_not_the_labels(words_denoiser, paint):
    discs, labels = paint("--denoiser", words_denoiser, "--words", "discs", "--guidance-scale", "2")
    noise, same = paint("--denoiser", words_denoiser, "--words", "noise", "--guidance-scale", "2")
    np.testing.assert_equal(labels, same)
    assert all((a != b).any() for a, b in zip(discs, noise, strict=True))


def test_an_adapter_changes_the_images_and_not_the_labels(stain, tmp_path, paint):
    base = stain / "results" / "diffusion"
    adapt(base, open_dataset(stain / "data"), tmp_path / "adapter", tmp_path / "state", steps=4, learning_rate=0.05)
    plain, labels = paint("--denoiser", base)
    adapted, same = paint("--denoiser", base, "--adapter", tmp_path / "adapter")
    np.testing.assert_equal(labels, same)
    assert all((a != b).any() for a, b in zip(plain, adapted, strict=True))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--words", "H&E"), "--words: the stain's own denoiser takes none; name one that does with --denoiser DIR"),
        (("--kind", "layout", "--denoiser", "x"), "--denoiser: layouts are painted by the painter"),
        (("--kind", "image", "--denoiser", "nowhere"), "no such file; name a folder that training wrote"),
    ],
)
def test_wishes_that_nothing_can_fulfil_are_told(stain, tmp_path, capsys, options, told):
    assert run(["pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), *options]) == 2
    assert told in capsys.readouterr().err


def test_a_denoiser_of_other_channels_is_told(stain, make_denoiser, tmp_path, capsys):
    from .painted_discs import DENOISER

    colour = make_denoiser(DENOISER, channels=3)
    words = ["pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), "--kind", "image"]
    assert run([*words, "--denoiser", str(colour)]) == 2
    assert "paints images with 3 channels, and those of this stain have 1" in capsys.readouterr().err

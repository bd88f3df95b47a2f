import json

import numpy as np
import pytest
import torch

from fewstain.diffusion.network import build_denoiser
from fewstain.errors import UserError
from fewstain.images.normalise import fit_normaliser
from fewstain.pixels.fit import count_steps, fit_pixels, fit_windows
from fewstain.pixels.folder import load_pixels
from fewstain.pixels.labeled_window import label_window
from fewstain.settings import DiffusionSettings, PixelSettings

SETTINGS = PixelSettings(
    timesteps=(20,),
    members=2,
    hidden=(16, 8),
    steps=60,
    batch_pixels=128,
    views=2,
    table_pixels=4000,
    learning_rate=0.02,
    folds=2,
    decoder_trials=3,
    decoder_views=1,
)


NETWORK = DiffusionSettings(channels=(8, 16))


@pytest.fixture(scope="module")
def denoiser():
    torch.manual_seed(0)
    return build_denoiser(NETWORK, 1).eval()


def disc_windows(discs, groups="abcd"):
    for seed, group in enumerate(groups):
        image, labels = discs(seed)
        scaled = image[None].astype(np.float32) / 127.5 - 1
        yield label_window(scaled, labels.astype(np.int32), (0, 0), f"w{seed}", group, 4)


def test_discs_are_found_out_of_fold_and_twice_alike(denoiser, discs):
    windows, steps = list(disc_windows(discs)), []
    fitted = fit_windows(windows, denoiser, SETTINGS, seed=1, advance=lambda: steps.append(1))
    assert fitted.out_of_fold["AP50"] > 0.5
    assert fitted.out_of_fold["n_images"] == 4
    assert not fitted.out_of_fold["spatially_blocked"]
    assert len(steps) == count_steps(windows, SETTINGS, denoiser, 1)
    assert [row["chosen"] for row in fitted.choices["features"]].count(True) == 1
    assert len(fitted.choices["decoder"]) == SETTINGS.decoder_trials
    assert fitted.choices["decoder"][0]["h"] == fitted.decoder.decoders[0].h
    assert [row["image"] for row in fitted.choices["folds"]] == list("abcd")
    assert json.loads(json.dumps(fitted.choices)) == fitted.choices

    again = fit_windows(windows, denoiser, SETTINGS, seed=1)
    assert (again.choice, again.decoder, again.out_of_fold) == (fitted.choice, fitted.decoder, fitted.out_of_fold)
    for one, other in zip(again.ensemble.parameters(), fitted.ensemble.parameters(), strict=True):
        assert torch.equal(one, other)


def test_windows_so_close_that_none_can_be_held_out(denoiser, discs):
    with pytest.raises(UserError, match="w0, w1, …: the labeled windows lie within 32 pixels of each other"):
        fit_windows(list(disc_windows(discs, "aa")), denoiser, SETTINGS)


@pytest.fixture(scope="module")
def diffusion_dir(make_denoiser):
    return make_denoiser(NETWORK, floor=10.0)


def test_one_large_labeled_image_is_enough(tmp_path, diffusion_dir, discs, labeled_dataset):
    image, labels = discs(0, side=100)
    wide = np.tile(image, (1, 4)), np.concatenate([labels + (labels > 0) * 100 * each for each in range(4)], axis=1)
    dataset = labeled_dataset(tmp_path, {"big": wide})
    record = fit_pixels(dataset, diffusion_dir, tmp_path / "pixels", SETTINGS)
    assert record.n_labels == 1
    assert record.out_of_fold["spatially_blocked"]
    assert [row["window"] for row in record.choices["folds"]] == ["big__y0_x0", "big__y0_x200"]
    (tmp_path / "diffusion").symlink_to(diffusion_dir)
    assert load_pixels(tmp_path).segment(image).labels.max() > 10


def test_nothing_is_found_where_nothing_is(tmp_path, make_denoiser, discs, labeled_dataset):
    drawn = {name: discs(seed) for seed, name in enumerate("abcd")}
    floor = fit_normaliser([image[..., None] for image, _ in drawn.values()]).floor[0]
    (tmp_path / "diffusion").symlink_to(make_denoiser(NETWORK, floor=floor))
    fit_pixels(labeled_dataset(tmp_path / "data", drawn), tmp_path / "diffusion", tmp_path / "pixels", SETTINGS)
    model = load_pixels(tmp_path)
    assert model.segment(drawn["a"][0]).labels.max() >= 4
    assert model.segment(np.full((48, 48), 40, np.uint8)).labels.max() == 0
    background = np.random.default_rng(0).normal(40, 10, (48, 48)).clip(0, 255).astype(np.uint8)
    assert model.segment(background).labels.max() == 0


def test_one_small_label_is_too_few(tmp_path, diffusion_dir, discs, labeled_dataset):
    dataset = labeled_dataset(tmp_path, {"a": discs(0), "b": discs(1)})
    with pytest.raises(UserError, match=r"1 labeled windows, but each choice .*, which takes 2; label"):
        fit_pixels(dataset, diffusion_dir, tmp_path / "pixels", SETTINGS, n_labels=1)
    assert not (tmp_path / "pixels").exists()


def test_labels_without_objects_are_too_few(tmp_path, diffusion_dir, discs, labeled_dataset):
    image, labels = discs(0)
    dataset = labeled_dataset(tmp_path, {"a": (image, 0 * labels), "b": (image + 1, labels * (labels == 2))})
    with pytest.raises(UserError, match="labels have fewer than two objects; label windows with cells in them"):
        fit_pixels(dataset, diffusion_dir, tmp_path / "pixels", SETTINGS)
    assert not (tmp_path / "pixels").exists()


def test_an_unwritable_place_is_told_before_the_fit(tmp_path, diffusion_dir, discs, labeled_dataset, monkeypatch):
    dataset = labeled_dataset(tmp_path, {"a": discs(0), "b": discs(1)})
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr("fewstain.pixels.fit.fit_windows", lambda *args, **kwargs: pytest.fail("has begun"))
    with pytest.raises(UserError, match="pixels: no permission to write here"):
        fit_pixels(dataset, diffusion_dir, tmp_path / "pixels", SETTINGS)

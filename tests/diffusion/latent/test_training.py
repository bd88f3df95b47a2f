import json
import shutil
import sys

import numpy as np
import pytest
import tifffile
import torch

from fewstain.dataset import open_dataset
from fewstain.diffusion.adaptation import adapt
from fewstain.diffusion.editing import edit
from fewstain.diffusion.inversion import invert
from fewstain.diffusion.latent.denoiser import load_latent_denoiser
from fewstain.diffusion.latent.training import LatentPool, latent_scale, train_latent_diffusion
from fewstain.diffusion.latent.vae_training import open_vae, train_vae
from fewstain.diffusion.network import load_denoiser
from fewstain.diffusion.pictures import open_denoiser
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import build_pool
from fewstain.diffusion.record import read_record
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.variation import branch, interpolate, outcome_variance
from fewstain.errors import UserError
from fewstain.pixels.fit import fit_pixels
from fewstain.settings import DiffusionSettings, PixelSettings

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"


@pytest.fixture
def denoiser(trained):
    return load_latent_denoiser(trained / "latent")


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals and fork")
def test_killed_it_ends_with_the_same_weights(trained, tmp_path, latent_settings, in_a_process, killed_twice):
    dataset, state = open_dataset(trained / "data"), tmp_path / "state"
    straight = (dataset, trained / "vae", tmp_path / "straight", tmp_path / "other", latent_settings)
    in_a_process(train_latent_diffusion, straight)
    killed_twice(
        train_latent_diffusion,
        (dataset, trained / "vae", tmp_path / "killed", state, latent_settings),
        state / "state.safetensors",
    )
    for name in (UNET, VAE, "vae/config.json", "loss.csv", "samples.png"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert not list(tmp_path.rglob(".*"))


def test_the_folder_holds_all_it_takes_to_paint(trained, tmp_path):
    folder = shutil.copytree(trained / "latent", tmp_path / "elsewhere")
    assert sorted(path.name for path in folder.iterdir()) == [
        "fewstain.json",
        "loss.csv",
        "samples.png",
        "scheduler",
        "stem.json",
        "unet",
        "vae",
    ]
    denoiser, record = open_denoiser(folder, latent=True)
    assert (denoiser.image_channels, denoiser.noise_channels, denoiser.factor, denoiser.multiple) == (1, 3, 4, 8)
    assert (record.image_channels, record.settings["crop"], record.dtype) == (1, 32, "uint16")
    assert DiffusionSettings(**record.settings).prediction == "v_prediction"
    assert not denoiser.scheduler.config["clip_sample"]
    assert (folder / VAE).read_bytes() == (trained / "vae" / VAE).read_bytes()
    images = sample(denoiser, 2, (32, 32), steps=3, seed=0)
    assert torch.equal(images, sample(load_latent_denoiser(trained / "latent"), 2, (32, 32), steps=3, seed=0))


def test_latents_of_the_pool_have_mean_0_and_variance_1(trained, denoiser, tmp_path):
    index = build_pool(tmp_path, open_dataset(trained / "data").images, None)
    pool = Pool(tmp_path, index, torch.device("cpu"))
    latents = LatentPool(pool, denoiser.vae).crops(400, 32, np.random.default_rng(7))
    assert latents.shape == (400, 3, 8, 8)
    np.testing.assert_allclose(latents.mean(dim=(0, 2, 3)), 0, atol=0.1)
    np.testing.assert_allclose(latents.var(dim=(0, 2, 3)), 1, atol=0.1)
    raw = open_vae(trained / "vae")[0]
    mean, deviation = latent_scale(raw, pool, 32, seed=0)
    assert denoiser.vae.network.config["latents_mean"] == pytest.approx(mean)
    # what the VAE itself gives begins nearly so; the measured scale is taken to the denoiser all the same
    assert denoiser.vae.network.config["latents_std"] == pytest.approx(deviation)


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (40, 96)])
def test_sizes_never_trained_on_are_painted(denoiser, size):
    images = sample(denoiser, 2, size, steps=2, seed=0)
    assert images.shape == (2, 1, *size)
    assert float(images.abs().max()) <= 1


def test_a_size_between_latents_is_told(denoiser):
    with pytest.raises(UserError, match="36 x 32 pixels; this denoiser needs multiples of 8, as 32 x 32"):
        sample(denoiser, 1, (36, 32), steps=2, seed=0)


def test_pixels_in_place_of_latents_are_told(denoiser):
    with pytest.raises(UserError, match=r"takes latents, \(n, 3, height / 4, width / 4\): encode images first"):
        denoiser(torch.zeros(1, 1, 32, 32), torch.tensor([5]))


def test_noise_is_that_of_latents(denoiser):
    noise = torch.randn((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    assert sample(denoiser, 1, (32, 32), steps=2, seed=0, noise=noise).shape == (1, 1, 32, 32)
    with pytest.raises(UserError, match=r"start from shape \(1, 3, 8, 8\)"):
        sample(denoiser, 1, (32, 32), steps=2, seed=0, noise=torch.zeros(1, 1, 32, 32))


def test_edits_go_by_way_of_the_latents(denoiser):
    painting = torch.linspace(-1, 1, 64).repeat(32, 1)[None, None]
    assert torch.equal(edit(denoiser, painting, 0, steps=3, seed=0), painting)
    weak, strong = (edit(denoiser, painting, strength, steps=5, seed=0) for strength in (0.01, 1.0))
    again = denoiser.decode(denoiser.encode(painting))
    assert weak.shape == strong.shape == painting.shape
    assert (weak - again).square().mean() < 0.1 * (strong - again).square().mean()


def test_an_image_comes_back_from_its_noise_as_it_does_from_its_latents(denoiser):
    image = torch.linspace(-1, 1, 32).repeat(32, 1)[None, None]
    noise = invert(denoiser, image, steps=20, rounds=5)
    assert noise.shape == (1, 3, 8, 8)
    again = sample(denoiser, 1, (32, 32), steps=20, seed=0, noise=noise)
    torch.testing.assert_close(again, denoiser.decode(denoiser.encode(image)), atol=0.02, rtol=0)


def test_branches_and_paths_are_of_images(denoiser):
    outcomes = branch(denoiser, (32, 40), (0, 4), 2, steps=4, seed=0)
    assert outcomes.shape == (2, 2, 1, 32, 40)
    assert outcome_variance(outcomes)[0] > outcome_variance(outcomes)[1] == 0
    ends = torch.randn((2, 3, 8, 10), generator=torch.Generator().manual_seed(0))
    assert interpolate(denoiser, *ends, 3, steps=2).shape == (3, 1, 32, 40)


def test_what_needs_pixels_refuses_a_denoiser_of_latents(trained, tmp_path):
    folder, told = trained / "latent", "latents, which takes no pixels as they are.*without --vae"
    dataset = open_dataset(trained / "data")
    with pytest.raises(UserError, match=told):
        load_denoiser(folder)
    with pytest.raises(UserError, match=told):
        open_denoiser(folder)
    with pytest.raises(UserError, match=told):
        open_denoiser(folder, tmp_path / "adapter", latent=True)
    with pytest.raises(UserError, match=told):
        adapt(folder, dataset, tmp_path / "out")
    with pytest.raises(UserError, match=told):
        fit_pixels(dataset, folder, tmp_path / "out", PixelSettings())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_denoiser_of_latents_is_told(trained, tiny_diffusion):
    with pytest.raises(UserError, match="holds no denoiser"):
        load_latent_denoiser(trained / "vae")
    with pytest.raises(UserError, match="holds no denoiser"):
        load_denoiser(trained / "vae")
    with pytest.raises(UserError, match="holds no VAE"):
        load_latent_denoiser(tiny_diffusion)


def test_the_vae_of_another_training_is_told(trained, tmp_path, make_dataset, vae_settings):
    other = make_dataset(tmp_path / "data")
    train_vae(other, tmp_path / "same", tmp_path / "s", vae_settings.model_copy(update={"steps": 1}), seed=1)
    folder = shutil.copytree(trained / "latent", tmp_path / "latent")
    shutil.copy(tmp_path / "same" / VAE, folder / VAE)
    with pytest.raises(UserError, match=r"vae.*not the weights that fewstain\.json tells of"):
        open_denoiser(folder, latent=True)
    shutil.rmtree(folder / "vae")
    wide = vae_settings.model_copy(update={"steps": 1, "latent_channels": 5})
    train_vae(other, tmp_path / "wide", tmp_path / "w", wide)
    shutil.copytree(tmp_path / "wide" / "vae", folder / "vae")
    with pytest.raises(UserError, match="3 channels with a VAE of 5 latent channels"):
        open_denoiser(folder, latent=True)


def test_what_does_not_fit_the_vae_is_told_before_training(trained, tmp_path, make_dataset, latent_settings):
    arguments = (tmp_path / "out", tmp_path / "state", latent_settings)
    with pytest.raises(UserError, match="a VAE for images of 1 channels, but 2 of"):
        train_latent_diffusion(make_dataset(tmp_path / "data", channels=2), trained / "vae", *arguments)
    with pytest.raises(UserError, match="holds no VAE; run train-vae first"):
        train_latent_diffusion(open_dataset(trained / "data"), trained / "data", *arguments)
    small = latent_settings.model_copy(update={"crop": 36})
    with pytest.raises(UserError, match=r"crop is 36; in latents of the VAE.*4 pixels apart.*multiple of 8"):
        train_latent_diffusion(open_dataset(trained / "data"), trained / "vae", *arguments[:2], small)
    assert not (tmp_path / "out").exists()


def test_another_vae_is_a_change_that_is_told(trained, tmp_path, vae_settings, latent_settings):
    dataset = open_dataset(trained / "data")
    state = shutil.copytree(trained / "state", tmp_path / "state")
    train_vae(dataset, tmp_path / "vae", tmp_path / "v", vae_settings.model_copy(update={"steps": 1}))
    with pytest.raises(UserError, match="vae was "):
        train_latent_diffusion(dataset, tmp_path / "vae", tmp_path / "out", state, latent_settings)
    train_latent_diffusion(dataset, tmp_path / "vae", tmp_path / "out", state, latent_settings, restart=True)
    found = json.loads((tmp_path / "out" / "vae" / "config.json").read_text())["latents_std"]
    assert found != json.loads((trained / "latent" / "vae" / "config.json").read_text())["latents_std"]


def test_a_finished_training_writes_its_results_again_without_its_pixels(trained, tmp_path, latent_settings):
    state = shutil.copytree(trained / "state", tmp_path / "state")
    assert sorted(path.name for path in state.iterdir()) == ["latents.json", "pool.json", "state.safetensors"]
    dataset = open_dataset(trained / "data")
    train_latent_diffusion(dataset, trained / "vae", tmp_path / "out", state, latent_settings)
    for name in (UNET, VAE, "vae/config.json", "samples.png"):
        assert (tmp_path / "out" / name).read_bytes() == (trained / "latent" / name).read_bytes()
    assert read_record(tmp_path / "out").vae_sha256 == read_record(trained / "latent").vae_sha256


def test_uint8_rgb_is_painted_in_three_channels(tmp_path, vae_settings, latent_settings):
    (tmp_path / "data" / "images").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    tifffile.imwrite(tmp_path / "data" / "images" / "a.tif", pixels, photometric="rgb")
    dataset = open_dataset(tmp_path / "data")
    train_vae(dataset, tmp_path / "vae", tmp_path / "v", vae_settings.model_copy(update={"steps": 2}))
    settings = latent_settings.model_copy(update={"steps": 2})
    train_latent_diffusion(dataset, tmp_path / "vae", tmp_path / "out", tmp_path / "s", settings)
    assert sample(load_latent_denoiser(tmp_path / "out"), 1, (16, 24), steps=2, seed=0).shape == (1, 3, 16, 24)

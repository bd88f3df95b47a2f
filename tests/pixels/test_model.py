import json
import shutil

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file, save_file

import fewstain
from fewstain.errors import UserError
from fewstain.pixels.folder import ENSEMBLE_FILE, load_pixels
from fewstain.settings import SegmentSettings


@pytest.fixture
def copied(grey_results, tmp_path):
    """A results folder that was moved, and may be damaged."""
    return shutil.copytree(grey_results, tmp_path / "moved")


def picture(shape, dtype=np.uint8):
    rng = np.random.default_rng(0)
    return np.kron(
        rng.integers(0, 200, (shape[0] // 4, shape[1] // 4, *shape[2:])), np.ones((4, 4, *(1,) * len(shape[2:])))
    ).astype(dtype)


def test_one_call_loads_and_one_segments(grey_results, tmp_path):
    model = fewstain.load(grey_results, device="cpu")
    image = picture((44, 52))
    tifffile.imwrite(tmp_path / "a.tif", image)
    found = model.segment(image)
    assert (found.labels.shape, found.labels.dtype) == ((44, 52), np.int32)
    assert (found.probabilities.shape, found.probabilities.dtype) == ((3, 44, 52), np.float32)
    assert (found.uncertainty.shape, found.uncertainty.dtype) == ((44, 52), np.float32)
    assert found.probabilities.sum(0) == pytest.approx(1, abs=1e-5)
    assert 0 <= found.uncertainty.min() <= found.uncertainty.max() <= np.log(2)
    assert found.labels.max() > 0
    assert found.classes is None
    assert list(found.object_uncertainty) == list(range(1, found.labels.max() + 1))
    assert found.object_uncertainty[1] == pytest.approx(found.uncertainty[found.labels == 1].mean(), rel=1e-4)
    again = model.segment(tmp_path / "a.tif")
    assert (again.labels == found.labels).all()
    assert (model.segment(image[..., None]).uncertainty == found.uncertainty).all()


def test_classes_are_named_by_their_interiors(random_results):
    model = load_pixels(random_results(classes=("round", "long"), threshold=0.7), device="cpu")
    found = model.segment(picture((48, 48)))
    assert found.probabilities.shape[0] == 4
    assert found.labels.max() > 0
    assert found.classes is not None
    for label, name in found.classes.items():
        means = found.probabilities[2:, found.labels == label].mean(1)
        assert name == ("round", "long")[int(means.argmax())]


def test_only_the_chosen_channels_are_segmented(random_results):
    model = load_pixels(random_results(channels=(2, 0), file_channels=3, dtype="uint16"), device="cpu")
    image = picture((32, 32, 3), np.uint16)
    other = image.copy()
    other[..., 1] = 7
    assert (model.segment(image).probabilities == model.segment(other).probabilities).all()
    other[..., 2] = 7
    assert (model.segment(image).probabilities != model.segment(other).probabilities).any()


def test_tiles_and_flips_reach_the_network(grey_results):
    model = load_pixels(grey_results, device="cpu")
    image = picture((96, 80))
    whole = model.segment(image, SegmentSettings(flips=False))
    tiled = model.segment(image, SegmentSettings(tile=32, overlap=16, flips=False))
    flipped = model.segment(image, SegmentSettings(flips=True))
    assert 0 < np.abs(tiled.probabilities - whole.probabilities).mean() < 0.05
    assert (flipped.probabilities != whole.probabilities).any()


def test_a_decoder_edited_by_hand_changes_the_hash(copied):
    before = load_pixels(copied).record
    path = copied / "pixels" / "pixels.json"
    path.write_text(path.read_text().replace('"min_area": 4', '"min_area": 9'))
    after = load_pixels(copied).record
    assert after.decoder.decoders[0].min_area == 9
    assert after.model_hash != before.model_hash


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((16, 16, 3), np.uint8), "has 3 channels, but the model was made for images with 1 channel;"),
        (np.zeros((16, 16), np.uint16), "pixels are uint16, but the model was made for uint8"),
        (np.zeros((16,), np.uint8), r"shape \(16,\)"),
        (np.full((16, 16), np.nan), "NaN"),
    ],
)
def test_images_of_another_kind_are_refused(grey_results, image, message):
    with pytest.raises(UserError, match=message):
        load_pixels(grey_results, device="cpu").segment(image)


@pytest.mark.parametrize(
    ("part", "remedy"),
    [
        ("diffusion", "train-diffusion"),
        ("diffusion/unet/diffusion_pytorch_model.safetensors", "train-diffusion"),
        ("pixels", "fit-pixels"),
        (f"pixels/{ENSEMBLE_FILE}", "fit-pixels"),
        (".", "results/<dataset>"),
    ],
)
def test_missing_parts_name_the_remedy(copied, part, remedy):
    path = copied / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=remedy):
        load_pixels(copied)


def test_damaged_ensembles_are_refused(copied):
    path = copied / "pixels" / ENSEMBLE_FILE
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"PK" + whole):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"ensemble\.safetensors: damaged.*fit-pixels"):
            load_pixels(copied)


def test_ensembles_of_other_models_are_refused(copied, random_results):
    path = copied / "pixels" / ENSEMBLE_FILE
    shutil.copy(random_results(classes=("a", "b")) / "pixels" / ENSEMBLE_FILE, path)
    with pytest.raises(UserError, match="of another model"):
        load_pixels(copied)


def test_weights_of_the_same_shape_but_another_fit_are_refused(copied):
    path = copied / "pixels" / ENSEMBLE_FILE
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    with pytest.raises(UserError, match=r"not the weights that pixels\.json"):
        load_pixels(copied)


def test_an_ensemble_fitted_on_another_denoiser_is_refused(copied):
    path = copied / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    save_file({name: tensor * torch.tensor(1.5) for name, tensor in tensors.items()}, path, {"format": "pt"})
    with pytest.raises(UserError, match="not the denoiser"):
        load_pixels(copied)


def test_a_fit_on_features_of_another_version_is_refused(copied):
    path = copied / "pixels" / "pixels.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"features": values["features"] + 1, "versions": {"fewstain": "0.0.9"}}))
    with pytest.raises(UserError, match=r"pixels\.json: fitted on \d+ features by fewstain 0\.0\.9.*fit-pixels again"):
        load_pixels(copied)

import json

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import torch
from safetensors.numpy import load_file

from fewstain.cli import run as cli
from fewstain.dataset import open_dataset
from fewstain.diffusion.network import WEIGHTS, build_denoiser, load_denoiser
from fewstain.diffusion.state import Training
from fewstain.diffusion.translation.network import DEVIATION
from fewstain.diffusion.translation.painting import reflect_to_multiple, source_of, translate
from fewstain.diffusion.translation.record import read_translation, scales
from fewstain.diffusion.translation.sources import GREY, find_pairs
from fewstain.diffusion.translation.table import apply_table
from fewstain.diffusion.translation.training import fit_residual, train_translation
from fewstain.errors import UserError
from fewstain.evaluate.realism import realism
from fewstain.settings import DiffusionSettings, TranslationSettings

QUICK = TranslationSettings(
    unshuffle=2, channels=(8,), crop=16, batch_size=2, steps=6, warmup_steps=1, checkpoint_seconds=0, samples=0
)


def decibels(error):
    return -10 * np.log10(np.mean(np.square(error)) / 4)


def test_the_mean_of_samples_beats_any_table_where_the_surroundings_tell(colours):
    translator, residual, record = read_translation(colours / "trained")
    source_scale, target_scale = scales(record)
    by_mean, by_table = [], []
    for pair in find_pairs(open_dataset(colours / "new"), colours / "new" / "grey"):
        raw, truth = pair.read()
        source, target = source_of(raw, "new", record.source, source_scale), target_scale.apply(truth)
        painted = translate(translator, residual, source, samples=4, steps=10, seed=0)
        assert painted.shape == (4, 3, 32, 32)
        by_mean.append(painted.mean(axis=0) - target)
        by_table.append(apply_table(residual.tables.shared(), source) - target)
    assert decibels(by_mean) > decibels(by_table) + 2


def test_single_samples_are_more_like_real_images_than_what_any_table_gives(colours):
    """A table blends the two colours where grey does not tell them; a sample takes one of them."""
    translator, residual, record = read_translation(colours / "trained")
    source_scale, target_scale = scales(record)
    samples, by_table, real = [], [], []
    for pair in find_pairs(open_dataset(colours / "new"), colours / "new" / "grey"):
        raw, truth = pair.read()
        source = source_of(raw, "new", record.source, source_scale)
        samples.extend(translate(translator, residual, source, samples=4, steps=10, seed=0))
        by_table.append(apply_table(residual.tables.shared(), source))
        real.append(target_scale.apply(truth))
    painted, blended, truths = (torch.tensor(np.stack(each)) for each in (samples, by_table, real))
    assert realism(painted, truths).mmd < realism(blended, truths).mmd


def test_residuals_have_the_deviation_that_the_noise_is_made_for(colours):
    files = find_pairs(open_dataset(colours / "data"), colours / "grey")
    source_scale, target_scale, residual = fit_residual(files)
    planes = []
    for number, pair in enumerate(files):
        source, target = source_scale.apply(pair.read()[0]), target_scale.apply(pair.read()[1])
        seen = residual.seen(source, left_out=number)
        planes.append(residual.of(seen, target))
        np.testing.assert_allclose(residual.target(seen, planes[-1]), target, atol=1e-5)
    assert np.sqrt(np.mean(np.square(planes))) == pytest.approx(DEVIATION, rel=1e-4)


def test_a_sample_is_a_function_of_its_number_and_the_source_alone(colours):
    translator, residual, _record = read_translation(colours / "trained")
    source = np.random.default_rng(0).uniform(-1, 1, (1, 13, 18)).astype(np.float32)  # no multiple of 4
    two, one = (translate(translator, residual, source, samples=n, steps=2, seed=3) for n in (2, 1))
    np.testing.assert_allclose(two[:1], one, atol=1e-5)
    assert two.shape == (2, 3, 13, 18)
    assert not np.allclose(two[0], two[1], atol=1e-3)


def test_padding_reflects():
    planes = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    np.testing.assert_array_equal(reflect_to_multiple(planes, 4)[0, 0], [0, 1, 2, 1])
    np.testing.assert_array_equal(reflect_to_multiple(planes, 4)[0, :, 0], [0, 3, 0, 3])


def test_cut_off_it_goes_on_to_the_same_weights(colours, tmp_path, monkeypatch):
    def train(name):
        train_translation(open_dataset(colours / "data"), GREY, tmp_path / name, tmp_path / f"{name}_state", QUICK)
        return (tmp_path / name / "unet" / WEIGHTS).read_bytes()

    straight = train("straight")
    save = Training.save

    def cut_off(training, folder):
        save(training, folder)
        if training.step == 3:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", cut_off)
        with pytest.raises(RuntimeError, match="power cut"):
            train("cut")
    assert not (tmp_path / "cut").exists()
    assert train("cut") == straight


def test_what_is_written(colours):
    record = json.loads((colours / "trained" / "fewstain.json").read_text())
    assert (record["image_channels"], record["source_scale"]["channels"]) == (3, 1)
    assert [values.shape for values in load_file(colours / "trained" / "tables.safetensors").values()] == [
        (20, 256),
        (20, 12),
        (20, 256, 3),
    ]
    assert imageio.imread(colours / "trained" / "samples.png").shape == (2 * 16, 5 * 16, 3)
    assert sorted(path.name for path in (colours / "state").iterdir()) == ["pool.json", "state.safetensors"]


def test_a_translation_is_no_denoiser_and_a_denoiser_no_translation(colours, tmp_path):
    with pytest.raises(UserError, match=r"holds a translation, .* give a folder that train-diffusion made"):
        load_denoiser(colours / "trained")
    build_denoiser(DiffusionSettings(channels=(8,)), 3).save(tmp_path)
    with pytest.raises(UserError, match="takes no source image; give a folder that train-translation made"):
        read_translation(tmp_path)


def test_other_numbers_of_channels_are_told(colours):
    translator, residual, record = read_translation(colours / "trained")
    with pytest.raises(UserError, match="a source of 3 channels; this translation was trained on 1"):
        translate(translator, residual, np.zeros((3, 16, 16), np.float32), samples=1, steps=2, seed=0)
    scale = scales(record)[0]
    for pixels, told in (
        (
            np.zeros((4, 4, 3), np.uint8),
            "3 channels of uint8, but the translation was trained on sources of 1 of uint8",
        ),
        (np.zeros((4, 4, 1), np.uint16), "1 channels of uint16, but"),
    ):
        with pytest.raises(UserError, match=f"new.tif: {told}"):
            source_of(pixels, "new.tif", record.source, scale)
    rgb = np.full((4, 4, 3), [255, 0, 0], np.uint8)
    np.testing.assert_array_equal(source_of(rgb, "new.tif", GREY, scale), scale.apply(np.full((4, 4, 1), 76, np.uint8)))
    with pytest.raises(UserError, match=r"2 channels of uint8, but .* 1 of uint8, or RGB of it"):
        source_of(np.zeros((4, 4, 2), np.uint8), "new.tif", GREY, scale)


def test_pairs_that_do_not_fit_are_told(colours, tmp_path):
    dataset = open_dataset(colours / "data")
    with pytest.raises(UserError, match="absent: no such folder; give grey, or"):
        find_pairs(dataset, tmp_path / "absent")
    with pytest.raises(UserError, match=r"0.tif: no image of this name in"):
        find_pairs(dataset, tmp_path)
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "0.tif", np.zeros((32, 32), np.uint8))
    with pytest.raises(UserError, match="1 channels, but only RGB images can be made grey"):
        find_pairs(open_dataset(tmp_path), GREY)[0].read()
    tifffile.imwrite(tmp_path / "0.tif", np.zeros((31, 32), np.uint8))
    with pytest.raises(UserError, match=r"31 x 32 pixels, but .* has 32 x 32; .*align them first"):
        find_pairs(open_dataset(tmp_path), tmp_path)[0].read()
    tifffile.imwrite(tmp_path / "images" / "1.tif", np.zeros((32, 32, 3), np.uint8), photometric="rgb")
    for name in "01":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((32, 32), np.uint8))
    with pytest.raises(UserError, match="3 channels of uint8, but the first image has 1 of uint8"):
        fit_residual(find_pairs(open_dataset(tmp_path), tmp_path))


def test_the_verbs_train_and_translate(colours, tmp_path, capsys):
    words = [f"--set=translation.{key}" for key in ("steps=2", "crop=16", "channels=[16]", "batch_size=2", "samples=1")]
    out, new = tmp_path / "grey", colours / "new"
    paths = ["--out", str(out), "--state", str(tmp_path / "state")]
    assert cli.run(["train-translation", str(colours / "data"), "--from", "grey", *paths, *words]) == 0
    options = ["--out", str(tmp_path / "out"), "--samples", "3", "--steps", "2"]
    assert cli.run(["translate", str(out), str(new / "images" / "20.tif"), *options]) == 0  # made grey first
    once = tifffile.imread(tmp_path / "out" / "20.tif")
    assert (once.shape, once.dtype) == ((32, 32, 3), np.uint8)
    assert imageio.imread(tmp_path / "out" / "20.png").shape == (32, 5 * 32, 3)  # source, 3 samples, their mean
    tifffile.imwrite(tmp_path / "two.tif", np.zeros((2, 16, 16), np.uint8), metadata={"axes": "CYX"}, ome=True)
    assert cli.run(["translate", str(out), str(tmp_path / "two.tif"), *options]) == 2
    assert "two.tif: 2 channels of uint8, but the translation" in capsys.readouterr().err
    assert cli.run(["sample", str(out), "--out", str(tmp_path / "samples")]) == 2
    assert "holds a translation" in capsys.readouterr().err


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_what_is_painted_is_rgb_only_where_the_targets_are(colours, tmp_path, photometric):
    """Three fluorescence channels of 8 bits stay channels."""
    (tmp_path / "images").mkdir()
    for path in sorted((colours / "data" / "images").glob("*.tif"))[:2]:
        pixels = tifffile.imread(path)
        stored = pixels if photometric == "rgb" else np.moveaxis(pixels, -1, 0)
        axes = "YXS" if photometric == "rgb" else "CYX"
        tifffile.imwrite(
            tmp_path / "images" / path.name, stored, ome=True, photometric=photometric, metadata={"axes": axes}
        )
    dataset, trained, source = open_dataset(tmp_path), tmp_path / "out", colours / "grey" / "0.tif"
    train_translation(dataset, colours / "grey", trained, tmp_path / "state", QUICK)
    assert cli.run(["translate", str(trained), str(source), "--out", str(tmp_path / "painted"), "--steps", "2"]) == 0
    with tifffile.TiffFile(tmp_path / "painted" / "0.tif") as file:
        assert file.pages[0].photometric.name.lower() == photometric


def test_crops_must_fit_the_network(colours, tmp_path):
    settings = QUICK.model_copy(update={"crop": 17})
    with pytest.raises(UserError, match=r"translation.crop is 17; this network needs a multiple of 2"):
        train_translation(open_dataset(colours / "data"), GREY, tmp_path / "out", tmp_path / "state", settings)
    assert not list(tmp_path.iterdir())


def test_the_seed_makes_the_weights():
    from fewstain.diffusion.translation.network import build_translator

    first, again, other = (build_translator(QUICK, 3, 1, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)

import json
import shutil

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import binary_dilation
from skimage.feature import canny
from skimage.measure import label

from fewstain.cli import run as cli
from fewstain.dataset import open_dataset
from fewstain.diffusion.control.conditions import edge_planes
from fewstain.diffusion.control.painting import paint_conditions
from fewstain.diffusion.control.record import open_control
from fewstain.diffusion.control.training import find_layouts, train_control
from fewstain.diffusion.network import WEIGHTS
from fewstain.diffusion.pictures import open_denoiser
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.state import Training
from fewstain.errors import UserError
from fewstain.evaluate.scores import ScoreSum
from fewstain.layout import layout_planes
from fewstain.settings import ControlSettings
from fewstain.storage import sha256_file
from fewstain.toolbox import Condition

from .conftest import CONTROL

QUICK = ControlSettings(crop=16, batch_size=2, steps=6, warmup_steps=1, checkpoint_seconds=0, samples=1, sample_steps=2)


def conditions_of(layouts):
    return torch.from_numpy(np.stack([layout_planes(labels) for labels in layouts]))


def quality(images, layouts):
    """Panoptic quality of what a threshold finds in images (n, 1, H, W), neighbours that touch taken for one."""
    scores = ScoreSum()
    for image, labels in zip(images[:, 0].numpy(), layouts, strict=True):
        scores.add(label(labels > 0), label(image > 0))
    return scores.scores()["PQ"]


def test_thresholding_what_is_painted_gives_the_layout_back(stain, layouts):
    denoiser, _ = open_denoiser(stain / "base")
    control, _ = open_control(stain / "control", denoiser, stain / "base")
    assert quality(paint_conditions(denoiser, control, conditions_of(layouts), steps=10, seed=0), layouts) > 0.8
    assert quality(sample(denoiser, 4, layouts.shape[1:], steps=10, seed=0), layouts) < 0.3


def test_the_base_stays_as_it_is_and_the_control_names_it(stain, tmp_path):
    shutil.copytree(stain / "base", tmp_path / "base")
    before = {path: sha256_file(path) for path in (tmp_path / "base").rglob("*") if path.is_file()}
    train_control(
        tmp_path / "base",
        open_dataset(stain / "data"),
        tmp_path / "control",
        tmp_path / "state",
        QUICK,
        layouts=stain / "masks",
    )
    assert {path: sha256_file(path) for path in (tmp_path / "base").rglob("*") if path.is_file()} == before
    record = json.loads((tmp_path / "control" / "fewstain.json").read_text())
    assert record["base_sha256"] == sha256_file(tmp_path / "base" / "unet" / WEIGHTS)
    assert (record["condition"], record["image_channels"], record["dtype"], record["steps"]) == (
        "layout",
        1,
        "uint16",
        6,
    )
    names = {"controlnet", "fewstain.json", "loss.csv", "samples.png"}
    assert {path.name for path in (tmp_path / "control").iterdir()} == names
    assert imageio.imread(tmp_path / "control" / "samples.png").shape == (16, 48)  # condition, painted, real
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["pool.json", "state.safetensors"]


@pytest.mark.parametrize("condition", list(Condition))
def test_cut_off_it_goes_on_to_the_same_weights(stain, tmp_path, monkeypatch, condition):
    def train(name):
        masks = stain / "masks" if condition is Condition.layout else None
        train_control(
            stain / "base",
            open_dataset(stain / "data"),
            tmp_path / name,
            tmp_path / f"{name}_state",
            QUICK,
            condition=condition,
            layouts=masks,
        )
        return (tmp_path / name / "controlnet" / WEIGHTS).read_bytes()

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
    assert train("cut") == straight  # finished before: only written again


def test_a_state_of_another_training_is_told(stain, tmp_path):
    def train(**changes):
        train_control(
            stain / "base",
            open_dataset(stain / "data"),
            tmp_path / "control",
            tmp_path / "state",
            QUICK.model_copy(update={"steps": 2}),
            **{"layouts": stain / "masks"} | changes,
        )

    train()
    with pytest.raises(UserError, match="condition was layout, is edges"):
        train(condition=Condition.edges)
    with pytest.raises(UserError, match="seed was 0, is 1"):
        train(seed=1)


def test_a_control_of_another_base_is_refused(stain, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(stain / "base", tmp_path / "other")
    weights = tmp_path / "other" / "unet" / WEIGHTS
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)
    denoiser, _ = open_denoiser(stain / "base")
    with pytest.raises(UserError, match=r"a control of another denoiser.*Give the denoiser it was made from, then in"):
        open_control(stain / "control", denoiser, tmp_path / "other")
    shutil.copytree(stain / "control", tmp_path / "control")
    shutil.copy(weights, tmp_path / "control" / "controlnet" / WEIGHTS)
    with pytest.raises(UserError, match="damaged or not its own"):
        open_control(tmp_path / "control", denoiser, stain / "base")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layouts": None}, "data: no labels to learn layouts from; give a folder of masks with --layouts"),
        ({"layouts": "base"}, "base: no label images with the names of images in"),
        ({"settings": QUICK.model_copy(update={"crop": 17})}, "control.crop is 17; the denoiser .* multiple of 4"),
    ],
)
def test_wrong_wishes_are_told(stain, tmp_path, change, told):
    arguments = {"settings": QUICK, "layouts": "masks"} | change
    folder = arguments["layouts"] and stain / arguments["layouts"]
    with pytest.raises(UserError, match=told):
        train_control(
            stain / "base",
            open_dataset(stain / "data"),
            tmp_path / "control",
            tmp_path / "state",
            arguments["settings"],
            layouts=folder,
        )
    assert not (tmp_path / "control").exists()


def test_layouts_of_windows_lie_where_their_names_say(stain, tmp_path):
    dataset = open_dataset(stain / "data")
    tifffile.imwrite(tmp_path / "3__y8_x16.tif", np.ones((8, 8), np.uint16))
    tifffile.imwrite(tmp_path / "unknown.tif", np.ones((8, 8), np.uint16))
    (window,) = find_layouts(dataset, tmp_path)
    assert (window.image.name, window.y, window.x) == ("3.tif", 8, 16)
    tifffile.imwrite(tmp_path / "3__y8_x16.tif", np.ones((8, 17), np.uint16))
    with pytest.raises(UserError, match=r"8 x 17 pixels from row 8, column 16, but .*3.tif has 32 x 32"):
        train_control(stain / "base", dataset, tmp_path / "out", tmp_path / "state", QUICK, layouts=tmp_path)


def test_edges_are_where_the_image_changes():
    image = np.full((2, 16, 16), -1.0)
    image[:, :, 8:] = 1
    (edges,) = edge_planes(image)
    assert set(np.unique(edges)) == {0, 1}
    assert set(np.flatnonzero(edges[4:12].any(axis=0))) <= {7, 8}
    assert (edges[4:12].sum(axis=1) >= 1).all()


def test_the_verbs_train_a_control_and_paint(stain, layouts, tmp_path, capsys):
    base, out = str(stain / "base"), str(tmp_path / "control")
    words = ["--set", "control.steps=2", "--set", "control.crop=16", "--set", "control.samples=0"]
    masks = ["--layouts", str(stain / "masks")]
    train = ["train-control", base, str(stain / "data"), "--out", out, "--state", str(tmp_path / "state"), *words]
    assert cli.run([*train, *masks]) == 0
    tifffile.imwrite(tmp_path / "new.tif", layouts[0])
    tifffile.imwrite(tmp_path / "odd.tif", layouts[0][:, :-1])
    paint = ["paint", base, "--control", str(stain / "control"), "--out", str(tmp_path / "painted"), "--steps", "5"]
    assert cli.run([*paint, str(tmp_path / "new.tif")]) == 0
    painted = tifffile.imread(tmp_path / "painted" / "new.tif")
    assert (painted.shape, painted.dtype) == ((32, 32), np.uint16)
    assert painted[layouts[0] > 0].mean() > 2 * painted[layouts[0] == 0].mean()
    assert imageio.imread(tmp_path / "painted" / "new.png").shape == (32, 64)
    assert cli.run([*paint, str(tmp_path / "odd.tif")]) == 2
    assert "odd.tif: images of 32 x 31 pixels; this denoiser needs multiples of 4" in capsys.readouterr().err
    assert cli.run([*train, *masks, "--condition", "edges"]) == 2
    assert "--layouts: edges are those of the images themselves" in capsys.readouterr().err


def agreement(found, wanted):
    """Share of the edges found that lie within a pixel of one that was wanted, and the other way round: their F1."""
    near = [binary_dilation(each, np.ones((1, 3, 3))) for each in (found, wanted)]
    precision, recall = (found & near[1]).sum() / max(found.sum(), 1), (wanted & near[0]).sum() / wanted.sum()
    return 2 * precision * recall / max(precision + recall, 1e-9)


def edges_of(images):
    """Edges of images (n, 1, H, W), smoothed so far that grain has none."""
    return np.stack([canny(image[0].astype(float), sigma=2) for image in images.numpy()])


def test_a_control_of_edges_paints_images_with_these_edges(stain, layouts, tmp_path):
    dataset, out = open_dataset(stain / "data"), tmp_path / "edges"
    train_control(stain / "base", dataset, out, tmp_path / "state", CONTROL, condition=Condition.edges)
    denoiser, _ = open_denoiser(stain / "base")
    control, _ = open_control(out, denoiser, stain / "base")
    wanted = np.stack([edge_planes(np.where(labels > 0, 1.0, -1.0)[None]) for labels in layouts])
    painted = paint_conditions(denoiser, control, torch.from_numpy(wanted), steps=10, seed=0)
    without = sample(denoiser, len(layouts), layouts.shape[1:], steps=10, seed=0)
    followed, by_chance = (agreement(edges_of(images), wanted[:, 0] > 0) for images in (painted, without))
    assert followed > 0.6
    assert by_chance < 0.45


def test_a_control_of_edges_takes_images(stain, tmp_path):
    control = tmp_path / "edges"
    dataset = open_dataset(stain / "data")
    settings = QUICK.model_copy(update={"steps": 2, "samples": 0})
    train_control(stain / "base", dataset, control, tmp_path / "state", settings, condition=Condition.edges)
    words = ["--control", str(control), "--out", str(tmp_path / "out"), "--steps", "2"]
    assert cli.run(["paint", str(stain / "base"), str(dataset.images[0]), *words]) == 0
    assert tifffile.imread(tmp_path / "out" / "0.tif").shape == (32, 32)

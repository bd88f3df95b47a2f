import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from fewstain.dataset import Dataset
from fewstain.diffusion.network import load_denoiser
from fewstain.diffusion.record import read_record
from fewstain.diffusion.state import read_state
from fewstain.diffusion.training import train_diffusion
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings

TINY = DiffusionSettings(
    channels=(16, 16),
    crop=32,
    batch_size=2,
    steps=12,
    warmup_steps=2,
    checkpoint_seconds=0,
    samples=3,
    sample_steps=2,
)
DRIVER = """
import json, sys, torch
from pathlib import Path
from fewstain.dataset import open_dataset
from fewstain.diffusion.training import train_diffusion
from fewstain.settings import DiffusionSettings
torch.set_num_threads(2)
print("ready", flush=True)
folder, settings = Path(sys.argv[1]), DiffusionSettings(**json.loads(sys.argv[2]))
train_diffusion(open_dataset(folder / "data"), folder / "out", folder / "state", settings)
"""


@pytest.fixture(autouse=True)
def _one_precision(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")


def make_dataset(folder, sizes=((60, 50), (40, 70))):
    images = folder / "data" / "images"
    images.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number, size in enumerate(sizes):
        field = gaussian_filter(generator.random(size), 3)
        tifffile.imwrite(images / f"{number}.tif", (field * 60000).astype(np.uint16))
    return Dataset(folder / "data", tuple(sorted(images.iterdir())), (), ())


def start(folder, settings=TINY):
    """Start a training in a process of its own; returns when it is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, folder, settings.model_dump_json()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def weights(folder):
    return (folder / "out" / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()


def test_killed_at_any_moment_it_ends_with_the_same_weights(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    make_dataset(straight)
    make_dataset(killed)
    begin = time.monotonic()
    process = start(straight)
    begin = time.monotonic()
    assert process.communicate()[1] is not None
    assert process.returncode == 0
    duration = time.monotonic() - begin
    chance = random.Random(0)
    steps = []
    for kill in range(4):
        process = start(killed)
        time.sleep(chance.uniform(0.2, 0.9) * duration * (0.5 + kill / 6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        saved = read_state(killed / "state")  # raises if it were damaged
        steps.append(saved.step if saved else 0)
    process = start(killed)
    error = process.communicate()[1]
    assert process.returncode == 0, error
    assert steps == sorted(steps)
    assert weights(killed) == weights(straight)
    assert (killed / "out" / "loss.csv").read_bytes() == (straight / "out" / "loss.csv").read_bytes()
    assert (killed / "out" / "samples.png").read_bytes() == (straight / "out" / "samples.png").read_bytes()
    assert not [path for path in killed.rglob(".*")]


def test_ctrl_c_saves_and_exits_within_seconds(tmp_path):
    make_dataset(tmp_path)
    process = start(tmp_path, TINY.model_copy(update={"steps": 100_000, "checkpoint_seconds": 1000}))
    while not (tmp_path / "state" / "pool.json").exists():
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode != 0
    assert read_state(tmp_path / "state").step > 0
    assert not (tmp_path / "out").exists()


def test_loss_falls_on_a_tiny_pool(tmp_path):
    dataset = make_dataset(tmp_path)
    settings = TINY.model_copy(update={"steps": 80, "batch_size": 4, "learning_rate": 3e-3, "checkpoint_seconds": 60})
    train_diffusion(dataset, tmp_path / "out", tmp_path / "state", settings)
    losses = np.loadtxt(tmp_path / "out" / "loss.csv", delimiter=",", skiprows=1)[:, 1]
    assert len(losses) == 80
    assert losses[-20:].mean() < 0.6 * losses[:5].mean()


def test_what_is_written(tmp_path, capsys):
    dataset = make_dataset(tmp_path)
    train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY, seed=5)
    assert "training: 12/12, loss " in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "fewstain.json",
        "loss.csv",
        "samples.png",
        "scheduler",
        "stem.json",
        "unet",
    ]
    record = read_record(tmp_path / "out")
    assert (record.channels, record.image_channels, record.dtype) == ((0,), 1, "uint16")
    assert [image["name"] for image in record.pool] == ["0.tif", "1.tif"]
    assert (record.seed, record.steps, record.precision) == (5, 12, "bf16")
    assert DiffusionSettings(**record.settings) == TINY
    assert load_denoiser(tmp_path / "out").image_channels == 1
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["pool.json", "state.safetensors"]


def test_a_finished_training_only_writes_its_results_again(tmp_path, capsys):
    dataset = make_dataset(tmp_path)
    train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY)
    before = weights(tmp_path)
    (tmp_path / "out").rename(tmp_path / "moved")
    capsys.readouterr()
    train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY)
    assert "training:" not in capsys.readouterr().err
    assert weights(tmp_path) == before


def test_changes_are_told_and_restart_forgets(tmp_path):
    dataset = make_dataset(tmp_path)
    settings = TINY.model_copy(update={"steps": 2, "samples": 0})
    folders = (tmp_path / "out", tmp_path / "state")
    train_diffusion(dataset, *folders, settings)
    before = weights(tmp_path)
    with pytest.raises(UserError, match=r"diffusion\.learning_rate was 0\.001, is 0\.002"):
        train_diffusion(dataset, *folders, settings.model_copy(update={"learning_rate": 0.002}))
    fewer = Dataset(dataset.root, dataset.images[:1], (), ())
    with pytest.raises(UserError, match=r"1 removed \(1\.tif\).*delete the folder"):
        train_diffusion(fewer, *folders, settings)
    assert weights(tmp_path) == before
    train_diffusion(dataset, *folders, settings.model_copy(update={"checkpoint_seconds": 5.0}))  # no such change
    train_diffusion(fewer, *folders, settings, restart=True)
    assert [image["name"] for image in read_record(tmp_path / "out").pool] == ["0.tif"]


def test_a_diverging_loss_is_told_and_not_saved(tmp_path):
    dataset = make_dataset(tmp_path)
    with pytest.raises(UserError, match=r"no longer a number.*lower diffusion\.learning_rate"):
        train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY.model_copy(update={"learning_rate": 1e30}))
    assert not (tmp_path / "out").exists()


def test_a_crop_the_network_cannot_take_is_told(tmp_path):
    dataset = make_dataset(tmp_path)
    with pytest.raises(UserError, match=r"diffusion\.crop is 34; this network needs a multiple of 4"):
        train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY.model_copy(update={"crop": 34}))
    assert not (tmp_path / "state").exists()

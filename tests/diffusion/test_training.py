import multiprocessing
import os
import random
import shutil
import signal
import sys
import time

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from fewstain.dataset import Dataset, open_dataset
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
# A server with the packages loaded forks a process for each training: a real one to kill, without seconds of imports.
PROCESSES = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
PROCESSES.set_forkserver_preload(["fewstain.diffusion.training"])
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs signals and fork")


@pytest.fixture(autouse=True)
def _one_precision(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # of the server and its children; read when torch is loaded
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # two threads on one busy core would wait for each other


def make_dataset(folder, sizes=((60, 50), (40, 70))):
    images = folder / "data" / "images"
    images.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number, size in enumerate(sizes):
        field = gaussian_filter(generator.random(size), 3)
        tifffile.imwrite(images / f"{number}.tif", (field * 60000).astype(np.uint16))
    return Dataset(folder / "data", tuple(sorted(images.iterdir())), (), ())


def start(folder, settings=TINY):
    """Start a training in a process of its own, on two threads; returns at once."""
    process = PROCESSES.Process(
        target=train_diffusion, args=(open_dataset(folder / "data"), folder / "out", folder / "state", settings)
    )
    process.start()
    return process


def kill_after_a_step(process, state, seconds):
    """Send SIGKILL some time after the process has saved a state for the first time; a step takes about 0.03 s."""
    before = state.stat().st_mtime_ns if state.exists() else None
    while process.is_alive() and (not state.exists() or state.stat().st_mtime_ns == before):
        time.sleep(0.001)
    process.join(seconds)
    process.kill()
    process.join()


def weights(folder):
    return (folder / "out" / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()


@on_linux
def test_killed_at_any_moment_it_ends_with_the_same_weights(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    make_dataset(straight)
    make_dataset(killed)
    start(straight).join()  # also loads the server
    (straight / "out").rename(straight / "first")
    shutil.rmtree(straight / "state")
    process = start(straight)
    process.join()
    assert process.exitcode == 0
    chance = random.Random(0)
    steps = [0]
    for _ in range(5):
        process = start(killed)
        kill_after_a_step(process, killed / "state" / "state.safetensors", chance.uniform(0, 0.05))
        steps.append(read_state(killed / "state").step)  # raises if it is damaged
    assert steps == sorted(steps)
    assert len(set(steps)) >= 4  # it was killed in the midst of training, more than once
    process = start(killed)
    process.join()
    assert process.exitcode == 0
    for name in ("unet/diffusion_pytorch_model.safetensors", "loss.csv", "samples.png"):
        content = (straight / "out" / name).read_bytes()
        assert (straight / "first" / name).read_bytes() == content
        assert (killed / "out" / name).read_bytes() == content
    assert not list(killed.rglob(".*"))


@on_linux
def test_killed_while_starting_or_ending_it_leaves_nothing_half_written(tmp_path):
    make_dataset(tmp_path)
    settings = TINY.model_copy(update={"steps": 1})
    chance = random.Random(0)
    for _ in range(6):
        process = start(tmp_path, settings)
        process.join(chance.uniform(0, 1.0))
        process.kill()
        process.join()
        if (tmp_path / "out").exists():
            load_denoiser(tmp_path / "out")
            read_record(tmp_path / "out")
    process = start(tmp_path, settings)
    process.join()
    assert process.exitcode == 0
    assert not list(tmp_path.rglob(".*"))
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["pool.json", "state.safetensors"]


@on_linux
def test_ctrl_c_saves_and_exits_within_seconds(tmp_path):
    make_dataset(tmp_path)
    process = start(tmp_path, TINY.model_copy(update={"steps": 100_000, "checkpoint_seconds": 1000}))
    while not (tmp_path / "state" / "pool.json").exists():
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    process.join(10)
    assert process.exitcode not in (None, 0)
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
    with pytest.raises(UserError, match=r"no longer a number.*lower learning_rate"):
        train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY.model_copy(update={"learning_rate": 1e30}))
    assert not (tmp_path / "out").exists()


def test_a_crop_the_network_cannot_take_is_told(tmp_path):
    dataset = make_dataset(tmp_path)
    with pytest.raises(UserError, match=r"diffusion\.crop is 34; this network needs a multiple of 4"):
        train_diffusion(dataset, tmp_path / "out", tmp_path / "state", TINY.model_copy(update={"crop": 34}))
    assert not (tmp_path / "state").exists()

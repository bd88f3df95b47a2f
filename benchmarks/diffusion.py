"""How fast the denoiser is trained and its features are read, beside bare PyTorch loops over the same network.

    python benchmarks/diffusion.py [--steps 60] [--repeats 3]

Prints JSON: Mpixel/s of both, and ours as a fraction of the bare loop's. The bare training loop has its batch in memory
and only runs the network forward and backward and steps the same optimisers; ours also reads crops, draws noise, clips
gradients, averages weights and keeps its state. The bare extraction loop only runs the network on noised images; ours
also draws the noise and keeps the activations. The two take turns, and the fastest of each counts: others' load on the
machine only ever slows a run down.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from torch.nn import functional

from fewstain.dataset import Dataset
from fewstain.diffusion.loop import new_optimisers
from fewstain.diffusion.network import Denoiser, build_denoiser, load_denoiser
from fewstain.diffusion.precision import Precision, choose_precision, start_accelerator
from fewstain.diffusion.progress import device_name
from fewstain.diffusion.record import read_record
from fewstain.diffusion.training import train_diffusion
from fewstain.pixels.features import DiffusionFeatures
from fewstain.settings import DiffusionSettings

CHANNELS = 3
POOL_IMAGES, POOL_SIDE = 8, 512
EXTRACTION_BATCH, EXTRACTION_SIDE = 2, 256
TIMESTEPS = (20, 80, 160)


def make_pool(folder: Path) -> Dataset:
    """Images of noise: speed does not depend on what they show."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(POOL_IMAGES):
        pixels = random.integers(0, 256, (POOL_SIDE, POOL_SIDE, CHANNELS), np.uint8)
        tifffile.imwrite(folder / "images" / f"{number}.tif", pixels, photometric="rgb")
    return Dataset(folder, tuple(sorted((folder / "images").iterdir())), (), ())


def our_training(dataset: Dataset, folder: Path, settings: DiffusionSettings) -> float:
    """Mpixel/s of `train_diffusion`'s loop."""
    train_diffusion(dataset, folder / "out", folder / "state", settings)
    return read_record(folder / "out").images_per_second * settings.crop**2 / 1e6


def bare_training(settings: DiffusionSettings, precision: Precision, device: torch.device) -> float:
    """Mpixel/s of the least loop that trains the same network."""
    network = build_denoiser(settings, CHANNELS).to(device).train()
    if precision.channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimisers = new_optimisers(network, list(network.parameters()), settings)
    shape = (settings.batch_size, CHANNELS, settings.crop, settings.crop)
    noisy, noise = (precision.lay_out(torch.randn(shape, device=device)) for _ in range(2))
    timesteps = torch.randint(0, settings.train_timesteps, (settings.batch_size,), device=device)
    start = time.perf_counter()
    for _ in range(settings.steps):
        with torch.autocast(device.type, torch.bfloat16, enabled=precision.mixed == "bf16"):
            predicted = network(noisy, timesteps)
        loss = functional.mse_loss(predicted.float(), noise)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
    synchronise(device)
    return settings.steps * settings.batch_size * settings.crop**2 / (time.perf_counter() - start) / 1e6


def extraction(denoiser: Denoiser, device: torch.device, autocast: bool, runs: int) -> tuple[float, float]:
    """Mpixel/s, every image run at each of `TIMESTEPS`, of (`DiffusionFeatures.maps`, the network alone)."""
    features = DiffusionFeatures(denoiser, TIMESTEPS, autocast=autocast)
    images = torch.rand((EXTRACTION_BATCH, CHANNELS, EXTRACTION_SIDE, EXTRACTION_SIDE), device=device) * 2 - 1
    steps = [torch.full((EXTRACTION_BATCH,), timestep, device=device) for timestep in TIMESTEPS]

    def bare() -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            for timestep in steps:
                denoiser(images, timestep)

    best = [float("inf"), float("inf")]
    for _ in range(1 + runs):  # the first warms up
        for number, work in enumerate((lambda: features.maps(images), bare)):
            start = time.perf_counter()
            work()
            synchronise(device)
            best[number] = min(best[number], time.perf_counter() - start)
    pixels = EXTRACTION_BATCH * EXTRACTION_SIDE**2
    return pixels / best[0] / 1e6, pixels / best[1] / 1e6


def synchronise(device: torch.device) -> None:
    """Wait for the GPU, if there is one."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="training steps of each run")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    settings = DiffusionSettings(steps=arguments.steps, samples=0)
    print(json.dumps(measured(settings, arguments.repeats), indent=2))


def measured(settings: DiffusionSettings, repeats: int) -> dict[str, Any]:
    """Run ours and the bare loops in turn, and compare the fastest run of each."""
    precision = choose_precision()
    os.environ["ACCELERATE_MIXED_PRECISION"] = precision.mixed  # measured once, for both
    device = start_accelerator(precision).device
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dataset = make_pool(folder / "data")
        for repeat in range(repeats):
            bare.append(bare_training(settings, precision, device))
            ours.append(our_training(dataset, folder / str(repeat), settings))
        denoiser = load_denoiser(folder / "0" / "out").to(device)
        extracted, run_bare = extraction(denoiser, device, precision.mixed == "bf16", 4 * repeats)
    return {
        "training_fraction": round(max(ours) / max(bare), 3),
        "extraction_fraction": round(extracted / run_bare, 3),
        "training_mpixel_per_s": round(max(ours), 4),
        "bare_training_mpixel_per_s": round(max(bare), 4),
        "extraction_mpixel_per_s": round(extracted, 4),
        "bare_extraction_mpixel_per_s": round(run_bare, 4),
        "timesteps": TIMESTEPS,
        "network": settings.model_dump(include={"unshuffle", "channels", "layers_per_block", "crop", "batch_size"}),
        "precision": precision.mixed,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    main()

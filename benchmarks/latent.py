"""What a VAE keeps of images it never saw, how images painted in its latents compare, and what they cost.

    python benchmarks/latent.py LATENT_DIR DATASET [--pixels DIFFUSION_DIR] [--n 64] [--steps 30] [--pictures DIR]

LATENT_DIR is what `train-diffusion --vae` wrote, DATASET the data set with images/ and test/images/. Where it is only a
VAE, of `train-vae`, nothing is painted. Prints JSON:

- `reconstruction`: PSNR (dB, mean of the images') and SSIM of the test images and what the VAE makes of them, beside
  those of their means over blocks of as many pixels as a latent covers, blown up by cubic interpolation;
- `seams`: root mean square of the difference, on the scale of [0, 1], between a test image encoded and decoded whole
  and in windows of half its side;
- `sampling`: n images of the side of its training crops, and of twice that side, never trained on: seconds an image,
  and the Fréchet distance to crops of the pool of as many pixels (`fewstain.evaluate.realism`, random features);
  the same of the denoiser of pixels where one is given; and what other crops of the pool get. Half as many images at
  twice the side.

Numbers of one stain come from one run, one seed. `--pictures` keeps what was painted. Nothing is chosen by the test
images here. `python benchmarks/latent_table.py JSON…` writes the table of docs/diffusion.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.transform import resize
from torch import Tensor
from torch.nn import functional

from fewstain.dataset import open_dataset
from fewstain.diffusion.latent import vae as vae_module
from fewstain.diffusion.latent.denoiser import LatentDenoiser
from fewstain.diffusion.latent.reconstruction import psnr, ssim
from fewstain.diffusion.latent.vae import Vae
from fewstain.diffusion.latent.vae_training import open_vae
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.record import DenoiserRecord
from fewstain.diffusion.sampling import sample
from fewstain.evaluate.realism import realism

SHOWN = 4


def cut(planes: Tensor, factor: int) -> Tensor:
    """Leave out rows and columns at the end that make no whole latent."""
    height, width = (side // factor * factor for side in planes.shape[2:])
    return planes[..., :height, :width]


def blurred(images: Tensor, factor: int) -> Tensor:
    """As much smaller as latents are, and back: what any autoencoder should beat."""
    small = functional.avg_pool2d(images, factor).numpy()
    return torch.from_numpy(resize(small, images.shape, order=3, mode="edge")).float().clamp(-1, 1)


def reconstruction(vae: Vae, images: list[Tensor]) -> dict[str, Any]:
    """Compare test images with what comes back of them, and with a blur."""
    rows = []
    start = time.perf_counter()
    again = [vae.decode(vae.encode(image)) for image in images]
    seconds = time.perf_counter() - start
    for image, back in zip(images, again, strict=True):
        blur = blurred(image, vae.factor)
        rows.append((psnr(image, back), ssim(image, back), psnr(image, blur), ssim(image, blur)))
    means = np.mean(rows, axis=0).round(4).tolist()
    worst = float(np.min([row[0] for row in rows]).round(2))
    names = ("psnr", "ssim", "blur_psnr", "blur_ssim")
    mpixel = sum(image.shape[2] * image.shape[3] for image in images) / 1e6
    return dict(zip(names, means, strict=True)) | {
        "images": len(images),
        "worst_psnr": worst,
        "mpixel_per_s": round(mpixel / seconds, 3),
    }


def seams(vae: Vae, images: list[Tensor]) -> dict[str, Any]:
    """Encode and decode whole and in windows of half the longer side."""
    whole = [vae.decode(vae.encode(image)) for image in images]
    usual, differences = vae_module.TILE, []
    for image, once in zip(images, whole, strict=True):
        vae_module.TILE = max(image.shape[2:]) // (2 * vae.factor) * vae.factor
        parts = vae.decode(vae.encode(image))
        differences.append(float((parts - once).square().mean().sqrt() / 2))
    vae_module.TILE = usual
    return {"rms": round(float(np.mean(differences)), 5), "worst_rms": round(float(np.max(differences)), 5)}


def crops(images: list[Tensor], n: int, side: int, seed: int) -> Tensor:
    """Cut (n, C, side, side) crops at random places of images that have room for them, in turns."""
    random = np.random.default_rng(seed)
    able = [image[0] for image in images if min(image.shape[2:]) >= side]
    found = []
    for turn in range(n):
        image = able[turn % len(able)]
        y, x = (int(random.integers(0, extent - side + 1)) for extent in image.shape[1:])
        found.append(image[:, y : y + side, x : x + side])
    return torch.stack(found)


def painted(
    denoiser: Denoiser, pool: list[Tensor], n: int, side: int, steps: int, picture: Path | None
) -> dict[str, Any]:
    """Paint, and tell the time and the distance to real crops of that size."""
    start = time.perf_counter()
    images = sample(denoiser, n, (side, side), steps=steps, seed=0, batch_size=8)
    seconds = time.perf_counter() - start
    if picture is not None:
        write_mosaic(picture, images[: SHOWN**2], columns=SHOWN)
    distance = realism(images, crops(pool, n, side, seed=1)).frechet
    return {"side": side, "n": n, "seconds_per_image": round(seconds / n, 3), "frechet": round(distance, 2)}


def planes_of(paths: Sequence[Path], folder: Path, record: DenoiserRecord) -> list[Tensor]:
    return [read_picture(folder, record, path).planes for path in paths]


def kept(vae: Vae, folder: Path, record: DenoiserRecord, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what a VAE keeps of the test images."""
    unseen = planes_of([test.image for test in open_dataset(options.dataset).test], folder, record)
    unseen = [cut(image, vae.factor) for image in unseen]
    return {
        "stain": options.stain or options.dataset.resolve().name,
        "steps": options.steps,
        "train_steps": record.steps,
        "latent_channels": vae.latent_channels,
        "factor": vae.factor,
        "reconstruction": reconstruction(vae, unseen),
        "seams": seams(vae, unseen),
        "threads": torch.get_num_threads(),
        "device": record.device,
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all there is to measure of one stain."""
    if not (options.latent / "unet").is_dir():
        vae, vae_record = open_vae(options.latent)
        return kept(vae, options.latent, vae_record, options)
    denoiser, record = open_denoiser(options.latent, latent=True)
    if not isinstance(denoiser, LatentDenoiser):
        raise SystemExit(f"{options.latent}: a denoiser of pixels; give one that train-diffusion made with --vae")
    pool = planes_of(open_dataset(options.dataset).images, options.latent, record)
    side = int(record.settings["crop"])
    sides = [(side, options.n), (2 * side, options.n // 2)]
    sides = [(each, n) for each, n in sides if sum(min(image.shape[2:]) >= each for image in pool) > 1]
    result = kept(denoiser.vae, options.latent, record, options) | {
        "sampling": {"latent": [], "pixels": [], "real": []},
        "training_images_per_second": {"latent": round(record.images_per_second, 2)},
        "crop": {"latent": side},
    }
    kinds = {"latent": denoiser}
    if options.pixels is not None:
        kinds["pixels"], other = open_denoiser(options.pixels)
        result["training_images_per_second"]["pixels"] = round(other.images_per_second, 2)
        result["crop"]["pixels"] = int(other.settings["crop"])
    for each, n in sides:
        for name, painter in kinds.items():
            picture = options.pictures and options.pictures / f"{name}-{each}.png"
            result["sampling"][name].append(painted(painter, pool, n, each, options.steps, picture))
        others = realism(crops(pool, n, each, seed=2), crops(pool, n, each, seed=1)).frechet
        result["sampling"]["real"].append({"side": each, "n": n, "frechet": round(others, 2)})
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("latent", type=Path, help="folder of a denoiser of latents")
    parser.add_argument("dataset", type=Path, help="the data set, with test/images")
    parser.add_argument("--stain", help="name in the table, by default that of the data set's folder")
    parser.add_argument("--pixels", type=Path, help="folder of a denoiser of pixels of the same data set")
    parser.add_argument("--n", type=int, default=64, help="images painted")
    parser.add_argument("--steps", type=int, default=30, help="evaluations of the network for each image")
    parser.add_argument("--pictures", type=Path, help="folder for samples to look at")
    print(json.dumps(run(parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()

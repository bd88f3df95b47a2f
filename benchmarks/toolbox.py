"""What the diffusion toolbox is worth, in numbers: few steps, inversion, edits, grids of levels, adapters.

    python benchmarks/toolbox.py DIFFUSION_DIR IMAGE_DIR OTHER_DATASET --channels 0 --out DIR [--n 64]
    python benchmarks/toolbox_table.py DIR/toolbox.json     puts it into docs/diffusion.md

IMAGE_DIR holds real images of the denoiser's kind, OTHER_DATASET images of another stain to adapt to, of which
`--channels` are taken. Writes DIR/toolbox.json after each part, so that the same command goes on where it was stopped;
prints the JSON.

- `steps`: how far DDIM's images of few steps are from those of 200 steps from the same noise; root mean square of the
  difference, as a share of their standard deviation.
- `inversion`: PSNR of real crops that were inverted and painted again, by steps and rounds.
- `edits`: rough paintings edited at rising strength; `faithful` is the PSNR to the painting, `frechet` and `pixels` say
  how far from real images the result is.
- `grids`: Fréchet distance on levels of timesteps evenly apart, and on those of Karras et al.
- `shares`: parameters of adapters of preset cpu's network, RGB, as a share of its own, in percent.
- `adapters`: distance of samples to the other stain, before and after, by the learning rate.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from samplers import numbers, real_crops
from skimage.draw import ellipse
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from fewstain.dataset import open_dataset
from fewstain.diffusion.adaptation import adapt
from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.editing import edit
from fewstain.diffusion.inversion import invert
from fewstain.diffusion.levels import level_denoiser, trained_levels
from fewstain.diffusion.lora import adapter_parameters, add_adapter
from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.network import Denoiser, build_denoiser
from fewstain.diffusion.pictures import open_denoiser
from fewstain.diffusion.sampling import sample
from fewstain.evaluate.realism import realism
from fewstain.presets import PRESETS
from fewstain.settings import Preset
from fewstain.storage import read_json, sha256_file, write_json
from fewstain.toolbox import Target

STEPS, MANY = (5, 10, 20, 50), 200
INVERSIONS = ((20, 1), (20, 3), (50, 1), (50, 3))  # steps, rounds
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
EDIT_STEPS, SAMPLE_STEPS, ADAPT_STEPS = 20, 20, 300
GRIDS = (("euler", 10), ("euler", 20), ("dpm++", 10), ("dpm++", 20), ("heun", 9), ("heun", 19))
RATES = (0.001, 0.004, 0.01)


def few_steps(denoiser: Denoiser, n: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Compare images of few steps of DDIM with those of many."""
    many = sample(denoiser, n, size, steps=MANY, seed=0)
    rows = []
    for steps in STEPS:
        apart = (sample(denoiser, n, size, steps=steps, seed=0) - many).square().mean().sqrt() / many.std()
        rows.append({"steps": steps, "apart": float(apart)})
    return rows


def inversions(denoiser: Denoiser, real: Tensor) -> list[dict[str, Any]]:
    """Invert real crops and paint them again; the PSNR of each, mean and lowest."""
    rows = []
    for steps, rounds in INVERSIONS:
        noise = invert(denoiser, real, steps=steps, rounds=rounds)
        again = sample(denoiser, len(real), tuple(real.shape[2:]), steps=steps, seed=0, noise=noise)
        decibels = [psnr(a, b) for a, b in zip(again, real, strict=True)]
        rows.append({"steps": steps, "rounds": rounds, "psnr": float(np.mean(decibels)), "lowest": min(decibels)})
    return rows


def edits(denoiser: Denoiser, real: Tensor) -> list[dict[str, Any]]:
    """Edit rough paintings, as many as there are real crops, at rising strength."""
    rough = torch.stack([rough_painting(real, number) for number in range(len(real))])
    rows = []
    for strength in STRENGTHS:
        edited = edit(denoiser, rough, strength, steps=EDIT_STEPS, seed=0, method="ddpm")
        faithful = [psnr(a, b) for a, b in zip(edited, rough, strict=True)] if strength else None
        distances = asdict(realism(edited, real))
        rows.append({"strength": strength, "faithful": faithful and float(np.mean(faithful)), **distances})
    return rows


def rough_painting(real: Tensor, number: int) -> Tensor:
    """Flat ellipses on a flat ground, (C, H, W), in a dark and a bright level of the real images."""
    random = np.random.default_rng(number)
    ground, paint = (torch.quantile(real.transpose(0, 1).flatten(1)[:, :1_000_000], q, dim=1) for q in (0.3, 0.95))
    height, width = real.shape[2:]
    plane = ground[:, None, None].repeat(1, height, width)
    for _ in range(random.integers(1, 5)):
        y, x, down, right = random.random(4) * (height, width, height / 8, width / 8) + (0, 0, height / 12, width / 12)
        inside = ellipse(y, x, down, right, shape=(height, width), rotation=random.random() * math.pi)
        plane[:, inside[0], inside[1]] = paint[:, None]
    return plane


def grids(denoiser: Denoiser, real: Tensor) -> list[dict[str, Any]]:
    """Sample on both kinds of grid with as many evaluations."""
    rows = []
    noise = starting_noise(0, range(len(real)), tuple(real.shape[1:]))
    for method, steps in GRIDS:
        chosen = METHODS[method]
        uniform = chosen.grid(denoiser.scheduler, steps)
        karras = karras_levels(trained_levels(denoiser.scheduler), len(uniform) - 1, chosen.highest)
        row: dict[str, Any] = {"method": method, "evaluations": steps}
        for name, levels in (("uniform", uniform), ("karras", karras)):
            found = realism(paint_on(denoiser, method, noise, levels), real)
            row |= {name: found.frechet, f"{name}_pixels": found.pixels}
        rows.append(row)
    return rows


def karras_levels(trained: np.ndarray, steps: int, highest: float) -> list[float]:
    """Levels evenly apart in sigma^(1/7), and 0 (Karras et al., NeurIPS 2022, eq. 5)."""
    ends = np.array([min(trained[-1], highest), trained[0]]) ** (1 / 7)
    return [*(np.linspace(*ends, steps) ** 7).tolist(), 0.0]


@torch.inference_mode()
def paint_on(denoiser: Denoiser, method: str, noise: Tensor, levels: list[float]) -> Tensor:
    """Carry noise down a grid of levels."""
    denoise = level_denoiser(denoiser, denoiser.scheduler)
    start = math.sqrt(1 + levels[0] ** 2)
    batches = (batch.to(denoiser.device) * start for batch in noise.split(16))
    return torch.cat([METHODS[method].sampler(denoise, batch, levels).clamp(-1, 1).cpu() for batch in batches])


def adapters(options: argparse.Namespace, n: int) -> dict[str, Any]:
    """Adapt the denoiser to the other stain at each rate, and measure its samples before and after."""
    dataset, channels = open_dataset(options.other), tuple(options.channels)
    rows, real, floor = [], None, None
    for rate in RATES:
        out, base = options.out / f"adapter-{rate}", open_denoiser(options.diffusion)
        wishes = {"steps": ADAPT_STEPS, "learning_rate": rate, "channels": channels}
        if not out.is_dir():
            adapt(options.diffusion, dataset, out, options.out / f"state-{rate}", **wishes)
        adapted, record = open_denoiser(options.diffusion, out)
        if real is None:
            crops = real_crops(options.other / "images", out, record, 2 * n, 0)
            real, floor = crops[::2], asdict(realism(crops[1::2], crops[::2]))
            before = asdict(realism(paint(base[0], real), real))
        rows.append({"rate": rate, **asdict(realism(paint(adapted, real), real))})
    return {"before": before, "after": rows, "floor": floor}


def shares() -> list[dict[str, Any]]:
    """Count the parameters of adapters of rank 4."""
    rows = []
    for attention, target in (((), Target.all), ((2,), Target.attention), ((2,), Target.keys_values)):
        settings = PRESETS[Preset.cpu].diffusion.model_copy(update={"attention": attention})
        denoiser = build_denoiser(settings, 3)
        base = sum(parameter.numel() for parameter in denoiser.parameters())
        add_adapter(denoiser, 4, target, seed=0)
        adapter = sum(parameter.numel() for parameter in adapter_parameters(denoiser))
        rows.append({"attention": list(attention), "target": target.value, "percent": 100 * adapter / base})
    return rows


def paint(denoiser: Denoiser, real: Tensor) -> Tensor:
    """Paint as many images as there are real ones."""
    return sample(denoiser, len(real), tuple(real.shape[2:]), steps=SAMPLE_STEPS, seed=0)


def psnr(image: Tensor, truth: Tensor) -> float:
    return float(peak_signal_noise_ratio(truth.numpy(), image.numpy(), data_range=2))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure what is not measured yet, and keep it after each part."""
    denoiser, record = open_denoiser(options.diffusion)
    file = options.out / "toolbox.json"
    weights = sha256_file(options.diffusion / "unet" / "diffusion_pytorch_model.safetensors")
    counts = {"many": MANY, "edit_steps": EDIT_STEPS, "adapt_steps": ADAPT_STEPS}
    setting = {
        "n": options.n,
        **counts,
        "weights_sha256": weights,
        "images": str(options.images),
        "other": str(options.other),
    }
    result: dict[str, Any] = {"setting": setting}
    if file.is_file():
        result = read_json(file)
        if result["setting"] != setting:
            raise SystemExit(f"{file}: measured with {result['setting']}, not {setting}; choose another folder")
    crops = real_crops(options.images, options.diffusion, record, 2 * options.n, 0)
    real = crops[::2]
    parts: dict[str, Callable[[], Any]] = {
        "floor": lambda: asdict(realism(crops[1::2], real)),
        "steps": lambda: few_steps(denoiser, options.n, tuple(real.shape[2:])),
        "inversion": lambda: inversions(denoiser, real),
        "edits": lambda: edits(denoiser, real),
        "grids": lambda: grids(denoiser, real),
        "shares": shares,
        "adapters": lambda: adapters(options, options.n),
    }
    for name, part in parts.items():
        if name not in result:
            result[name] = part()
            write_json(file, result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("diffusion", type=Path, help="a trained denoiser's folder")
    parser.add_argument("images", type=Path, help="folder of real images of its kind")
    parser.add_argument("other", type=Path, help="dataset of another stain, to adapt to")
    parser.add_argument("--channels", type=numbers, required=True, help="of the other stain's images, as in 0,2")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/toolbox"))
    parser.add_argument("--n", type=int, default=64)
    print(json.dumps(run(parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()

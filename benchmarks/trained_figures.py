"""Pictures of docs/diffusion.md of what is trained beside or on a denoiser; diffusion_figures.py puts them there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fewstain.diffusion.conditions.attention import attention_maps
from fewstain.diffusion.conditions.network import Guided
from fewstain.diffusion.conditions.opening import cut_windows, open_conditional, read_like, word_tokens
from fewstain.diffusion.control.painting import paint_conditions
from fewstain.diffusion.control.record import open_control
from fewstain.diffusion.control.training import shown
from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.forward import diffuse
from fewstain.diffusion.latent.denoiser import LatentDenoiser
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.translation.painting import source_of, translate
from fewstain.diffusion.translation.record import read_translation, scales
from fewstain.images.read import read_image, read_labels
from fewstain.layout import layout_planes

Rows = list[tuple[str, Tensor]]  # images (n, C, H, W) and what stands before them

COLUMNS = 8
EVALUATIONS = 20
SCALES = (0, 1, 2, 4)
FOLLOWED = 2.0  # guidance scale of what is painted after images
ATTENDED_AT = 200
SAMPLES = 16


def adapted(base: Denoiser, diffusion: Path, adapter: Path, path: Path, size: tuple[int, int]) -> Rows:
    """Paint the same noise by a denoiser and by its adapter, beside a real image of the other stain."""
    other, record = open_denoiser(diffusion, adapter)
    image = read_picture(adapter, record, path).planes
    rows = [
        (name, sample(denoiser, COLUMNS, size, steps=EVALUATIONS, seed=0))
        for name, denoiser in (("base", base), ("adapted", other))
    ]
    height, width = (extent - side for extent, side in zip(image.shape[-2:], size, strict=True))
    columns = torch.linspace(0, width, COLUMNS // 2).int().tolist()
    places = [(y, x) for y in (0, height) for x in columns]
    real = torch.cat([image[..., y : y + size[0], x : x + size[1]] for y, x in places])
    return [*rows, ("real, other stain", real)]


def latent(folder: Path, path: Path) -> Rows:
    """Show parts of an image, their latents, what comes back of them, and images painted in latents at two sizes."""
    denoiser, record = open_denoiser(folder, latent=True)
    assert isinstance(denoiser, LatentDenoiser), f"{folder} holds a denoiser of pixels"
    image, side = read_picture(folder, record, path).planes, int(record.settings["crop"])
    parts = torch.cat([image[..., y : y + side, :side] for y in (0, image.shape[2] - side)])
    parts = torch.cat([parts, *(image[..., y : y + side, -side:] for y in (0, image.shape[2] - side))])
    latents = denoiser.encode(parts)
    shown = functional.interpolate(latents[:, :1] / 3, scale_factor=denoiser.factor)
    rows = [("image", parts), ("a channel of its latents / 3", shown), ("decoded", denoiser.decode(latents))]
    for times, n in ((1, COLUMNS), (2, COLUMNS // 2)):
        name = f"painted, {times * side}²" + (" as trained" if times == 1 else "")
        rows.append((name, sample(denoiser, n, (times * side, times * side), steps=50, seed=0)))
    return rows


def worded(folder: Path) -> Rows:
    """Paint the words of each data set from the same noise at rising guidance."""
    denoiser, record = open_conditional(folder)
    size = (int(record.settings["crop"]),) * 2
    rows = []
    for stain in record.stains:
        tokens = word_tokens(denoiser, folder, " ".join(stain.words))
        for scale in SCALES:
            images = sample(Guided(denoiser, tokens, scale), COLUMNS, size, steps=EVALUATIONS, seed=0)
            rows.append((f"{', '.join(stain.words)}\nguidance {scale:g}", images))
    return rows


def attended(folder: Path) -> Rows:
    """Show where painted images of each data set look, word by word, brightest where attention is highest."""
    denoiser, record = open_conditional(folder)
    size = (int(record.settings["crop"]),) * 2
    rows = []
    for stain in record.stains:
        tokens = word_tokens(denoiser, folder, " ".join(stain.words))
        images = sample(Guided(denoiser, tokens, 1.0), COLUMNS, size, steps=EVALUATIONS, seed=0)
        timesteps = torch.full((COLUMNS,), ATTENDED_AT)
        noised = diffuse(
            denoiser.scheduler, images, timesteps, starting_noise(0, range(COLUMNS), tuple(images.shape[1:]))
        )
        maps = attention_maps(denoiser, noised.to(denoiser.device), timesteps.to(denoiser.device), tokens)
        rows.append((", ".join(stain.words), images))
        for number, word in enumerate(stain.words):
            low, high = maps[:, number].amin(), maps[:, number].amax()
            bright = (maps[:, number : number + 1] - low) / (high - low) * 2 - 1
            rows.append((f"{word}\n{low:.2f} to {high:.2f}", bright.expand(images.shape)))
    return rows


def followed(folder: Path, paths: list[Path]) -> Rows:
    """Paint after four windows of each image; the windows come first in a row."""
    denoiser, record = open_conditional(folder)
    side = int(record.settings["crop"])
    rows = []
    for path in paths:
        windows = cut_windows(
            read_like(folder, record.image_channels, side, [path]), 4, side, np.random.default_rng(0)
        )[:4]
        with torch.no_grad():
            tokens = denoiser.encoder(windows[None].to(denoiser.device))
        n = COLUMNS - len(windows)
        painted = sample(Guided(denoiser, tokens, FOLLOWED), n, (side, side), steps=EVALUATIONS, seed=0)
        rows.append((f"{path.stem}:\n{len(windows)} shown, {n} painted", torch.cat([windows, painted])))
    return rows


def controlled(denoiser: Denoiser, diffusion: Path, folder: Path, layout: Path, side: int) -> Rows:
    """Paint parts of a layout, each from two noises."""
    control, _ = open_control(folder, denoiser, diffusion)
    planes = torch.from_numpy(layout_planes(read_labels(layout)))
    conditions = parts(planes, side, COLUMNS)
    rows = [("layout", shown(conditions, denoiser.image_channels))]
    for seed in (0, 1):
        painted = paint_conditions(denoiser, control, conditions, steps=EVALUATIONS, seed=seed)
        rows.append((f"painted, seed {seed}", painted))
    return rows


def translated(folder: Path, image: Path, side: int) -> Rows:
    """Colour parts of an image that was made grey."""
    translator, residual, record = read_translation(folder)
    source_scale, target_scale = scales(record)
    pixels = read_image(image).pixels
    source = source_of(pixels, image, record.source, source_scale)
    looked_up = residual.seen(source)[-translator.image_channels :]
    samples = translate(translator, residual, source, samples=SAMPLES, steps=10, seed=0)

    def cut(planes: np.ndarray) -> Tensor:
        return parts(torch.from_numpy(planes), side, COLUMNS)

    return [
        ("grey", cut(source).expand(-1, 3, -1, -1)),
        ("by its table", cut(looked_up)),
        ("one sample", cut(samples[0])),
        (f"mean of {SAMPLES}", cut(samples.mean(axis=0))),
        ("truth", cut(target_scale.apply(pixels))),
    ]


def parts(planes: Tensor, side: int, n: int) -> Tensor:
    """Cut (K, H, W) planes into n parts (n, K, side, side), evenly apart among all that there is room for."""
    cut = [
        planes[:, y : y + side, x : x + side]
        for y in range(0, planes.shape[1] - side + 1, side)
        for x in range(0, planes.shape[2] - side + 1, side)
    ]
    return torch.stack([cut[place] for place in np.linspace(0, len(cut) - 1, n).round().astype(int)])

"""The pictures of docs/diffusion.md, painted by a trained denoiser.

    python benchmarks/diffusion_figures.py DIFFUSION_DIR IMAGE [--adapter DIR --other IMAGE] [--latent DIR]
        [--words DIR] [--few-shot DIR --like IMAGE…] [--control DIR --layout LABELS] [--translation DIR --colours IMAGE]

`make docs-figures` trains these denoisers on the demo data first. IMAGE is a real one of the first one's kind; its
top-left corner is noised and inverted, all corners are encoded. An adapter paints beside parts of an image of its own
stain, a control of the denoiser parts of LABELS, a translation from grey parts of an RGB image. Without --latent and
the like, their pictures stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from skimage.draw import ellipse
from torch import Tensor
from torch.nn import functional

from fewstain.diffusion.conditions.attention import attention_maps
from fewstain.diffusion.conditions.network import Guided
from fewstain.diffusion.conditions.opening import cut_windows, open_conditional, read_like, word_tokens
from fewstain.diffusion.control.painting import paint_conditions
from fewstain.diffusion.control.record import open_control
from fewstain.diffusion.control.training import shown
from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.editing import edit
from fewstain.diffusion.forward import diffuse
from fewstain.diffusion.inversion import invert
from fewstain.diffusion.latent.denoiser import LatentDenoiser
from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.mosaic import mosaic
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.translation.painting import source_of, translate
from fewstain.diffusion.translation.record import read_translation, scales
from fewstain.diffusion.translation.table import apply_table
from fewstain.diffusion.variation import branch, interpolate, outcome_variance
from fewstain.images.read import read_image, read_labels
from fewstain.layout import layout_planes

COLUMNS = 8
EVALUATIONS = 20
NOISED_TO = (20, 50, 100, 200, 400, 600, 999)
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
ANCESTRAL_STEPS = 100
POINTS = (0, 40, 60, 80, 90, 95)
INVERSION_STEPS = 50
SCALES = (0, 1, 2, 4)
FOLLOWED = 2.0  # guidance scale of what is painted after images
ATTENDED_AT = 200
SAMPLES = 16


def save(path: Path, rows: list[tuple[str, Tensor]]) -> None:
    """Write rows of images, (n, C, H, W) each, every row with its name; fewer images in a row are drawn larger."""
    columns = [min(COLUMNS, len(images)) for _, images in rows]
    heights = [COLUMNS / n * images.shape[2] / images.shape[3] for n, (_, images) in zip(columns, rows, strict=True)]
    figure = Figure(figsize=(9, 1.02 * sum(heights)), dpi=100, layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, n, (name, images) in zip(panels, columns, rows, strict=True):
        axes.imshow(mosaic(images, columns=n), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set(xticks=[], yticks=[], frame_on=False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight")  # the names of rows are outside of the axes


def painting(channels: int, side: int) -> Tensor:
    """Draw three flat discs on a flat ground, as with a mouse; (C, side, side)."""
    plane = torch.full((side, side), -0.8)
    for y, x, height, width, grey in (
        (0.3, 0.3, 0.16, 0.2, 0.1),
        (0.65, 0.7, 0.2, 0.15, 0.4),
        (0.8, 0.2, 0.1, 0.12, -0.1),
    ):
        plane[ellipse(y * side, x * side, height * side, width * side, shape=(side, side))] = grey
    return plane.expand(channels, side, side)


def noised(denoiser: Denoiser, image: Tensor) -> list[tuple[str, Tensor]]:
    """Follow an image on its way to noise."""
    noise = starting_noise(0, [0], tuple(image.shape[1:]))
    steps = diffuse(denoiser.scheduler, image.expand(len(NOISED_TO), *image.shape[1:]), torch.tensor(NOISED_TO), noise)
    return [("t = 0, " + ", ".join(map(str, NOISED_TO)), torch.cat([image, steps]))]


def sampled(denoiser: Denoiser, size: tuple[int, int]) -> list[tuple[str, Tensor]]:
    """Paint the same noise by every method, and by DDPM with as many steps as there are."""
    longest = len(denoiser.scheduler.betas)
    rows = [
        (f"{method}, {EVALUATIONS}", sample(denoiser, COLUMNS, size, steps=EVALUATIONS, seed=0, method=method))
        for method in METHODS
    ]
    return [(f"ddpm, {longest}", sample(denoiser, COLUMNS, size, steps=longest, seed=0, method="ddpm")), *rows]


def inverted(denoiser: Denoiser, image: Tensor) -> list[tuple[str, Tensor]]:
    """Show parts of an image, the noise of each, and what is painted from it."""
    side = image.shape[-1] // 4
    parts = torch.cat([image[..., y : y + side, x : x + side] for y in (0, 2 * side) for x in range(0, 4 * side, side)])
    noise = invert(denoiser, parts, steps=INVERSION_STEPS)
    again = sample(denoiser, len(parts), (side, side), steps=INVERSION_STEPS, seed=0, noise=noise)
    return [("image", parts), ("its noise / 3", noise / 3), ("painted again", again)]


def branched(denoiser: Denoiser, size: tuple[int, int]) -> list[tuple[str, Tensor]]:
    """End one path of DDPM, and one of DDIM, from several points."""
    rows = []
    for method, points in (("ddpm", POINTS), ("ddim", POINTS[:1])):
        outcomes = branch(denoiser, size, points, COLUMNS, steps=ANCESTRAL_STEPS, seed=0, method=method)
        variances = outcome_variance(outcomes).tolist()
        for point, images, variance in zip(points, outcomes, variances, strict=True):
            rows.append((f"{method}, after {point} of {ANCESTRAL_STEPS}\nvariance {variance:.4f}", images))
    return rows


def edited(denoiser: Denoiser, size: tuple[int, int]) -> list[tuple[str, Tensor]]:
    """Edit one painting at rising strength."""
    rough = painting(denoiser.image_channels, size[0])[None]
    images = [edit(denoiser, rough, strength, steps=50, seed=0, method="ddpm") for strength in STRENGTHS]
    return [("strength " + ", ".join(f"{strength:g}" for strength in STRENGTHS), torch.cat(images))]


def adapted(
    base: Denoiser, diffusion: Path, adapter: Path, path: Path, size: tuple[int, int]
) -> list[tuple[str, Tensor]]:
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


def latent(folder: Path, path: Path) -> list[tuple[str, Tensor]]:
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


def worded(folder: Path) -> list[tuple[str, Tensor]]:
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


def attended(folder: Path) -> list[tuple[str, Tensor]]:
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


def followed(folder: Path, paths: list[Path]) -> list[tuple[str, Tensor]]:
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


def controlled(denoiser: Denoiser, diffusion: Path, folder: Path, layout: Path, side: int) -> list[tuple[str, Tensor]]:
    """Paint parts of a layout, each from two noises."""
    control, _ = open_control(folder, denoiser, diffusion)
    planes = torch.from_numpy(layout_planes(read_labels(layout)))
    conditions = parts(planes, side, COLUMNS)
    rows = [("layout", shown(conditions, denoiser.image_channels))]
    for seed in (0, 1):
        painted = paint_conditions(denoiser, control, conditions, steps=EVALUATIONS, seed=seed)
        rows.append((f"painted, seed {seed}", painted))
    return rows


def translated(folder: Path, image: Path, side: int) -> list[tuple[str, Tensor]]:
    """Colour parts of an image that was made grey."""
    translator, record = read_translation(folder)
    source_scale, target_scale = scales(record)
    pixels = read_image(image).pixels
    sources = parts(torch.from_numpy(source_of(pixels, image, record.source, source_scale)), side, COLUMNS)
    truth = parts(torch.from_numpy(target_scale.apply(pixels)), side, COLUMNS)
    tables = [apply_table(record.residual.table, source) for source in sources.numpy()]
    samples = np.stack(
        [
            translate(translator, record.residual, source, samples=SAMPLES, steps=10, seed=0)
            for source in sources.numpy()
        ]
    )
    return [
        ("grey", sources.expand(-1, 3, -1, -1)),
        ("by a table", torch.from_numpy(np.stack(tables))),
        ("one sample", torch.from_numpy(samples[:, 0])),
        (f"mean of {SAMPLES}", torch.from_numpy(samples.mean(axis=1))),
        ("truth", truth),
    ]


def parts(planes: Tensor, side: int, n: int) -> Tensor:
    """Cut (K, H, W) planes into n parts (n, K, side, side), evenly apart among all that there is room for."""
    cut = [
        planes[:, y : y + side, x : x + side]
        for y in range(0, planes.shape[1] - side + 1, side)
        for x in range(0, planes.shape[2] - side + 1, side)
    ]
    return torch.stack([cut[place] for place in np.linspace(0, len(cut) - 1, n).round().astype(int)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("diffusion", type=Path, help="a trained denoiser's folder")
    parser.add_argument("image", type=Path, help="a real image of its kind, 256 pixels or more a side")
    parser.add_argument("--adapter", type=Path, help="folder of an adapter of it to another stain")
    parser.add_argument("--other", type=Path, help="a real image of that stain")
    parser.add_argument("--latent", type=Path, help="folder of a denoiser of latents, of the same kind of images")
    parser.add_argument("--words", type=Path, help="a denoiser's folder, of train-words")
    parser.add_argument("--few-shot", type=Path, help="a denoiser's folder, of train-few-shot")
    parser.add_argument("--like", type=Path, nargs="*", default=[], help="images to show to it")
    parser.add_argument(
        "--only", nargs="*", default=[], help="pictures to paint, as in: words few-shot; all by default"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--control", type=Path, help="folder of a control of layouts, of that denoiser")
    parser.add_argument("--layout", type=Path, help="a label image for it")
    parser.add_argument("--translation", type=Path, help="folder of a translation from grey")
    parser.add_argument("--colours", type=Path, help="an RGB image for it")
    options = parser.parse_args()
    denoiser, record = open_denoiser(options.diffusion)
    side = int(record.settings["crop"])
    size = (side, side)
    image = read_picture(options.diffusion, record, options.image).planes[..., : 4 * side, : 4 * side]
    ends = starting_noise(0, range(2), (denoiser.image_channels, *size))
    figures: dict[str, Callable[[], list[tuple[str, Tensor]]]] = {
        "forward": lambda: noised(denoiser, image[..., :side, :side]),
        "samplers": lambda: sampled(denoiser, size),
        "inversion": lambda: inverted(denoiser, image),
        "branches": lambda: branched(denoiser, size),
        "path": lambda: [("", interpolate(denoiser, ends[0], ends[1], COLUMNS, steps=EVALUATIONS))],
        "edit": lambda: edited(denoiser, size),
    }
    if options.adapter:
        figures["adapter"] = lambda: adapted(denoiser, options.diffusion, options.adapter, options.other, size)
    if options.latent:
        figures["latent"] = lambda: latent(options.latent, options.image)
    if options.words:
        figures |= {"words": lambda: worded(options.words), "attention": lambda: attended(options.words)}
    if options.few_shot:
        figures |= {"few-shot": lambda: followed(options.few_shot, options.like)}
    if options.control:
        figures["control"] = lambda: controlled(denoiser, options.diffusion, options.control, options.layout, side)
    if options.translation:
        figures["translation"] = lambda: translated(options.translation, options.colours, side)
    for name, rows in figures.items():
        if not options.only or name in options.only:
            save(options.out / f"diffusion-{name}.png", rows())


if __name__ == "__main__":
    main()

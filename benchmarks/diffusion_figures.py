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

import torch
from matplotlib.figure import Figure
from skimage.draw import ellipse
from torch import Tensor
from trained_figures import (
    COLUMNS,
    EVALUATIONS,
    Rows,
    adapted,
    attended,
    controlled,
    followed,
    latent,
    translated,
    worded,
)

from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.editing import edit
from fewstain.diffusion.forward import diffuse
from fewstain.diffusion.inversion import invert
from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.mosaic import mosaic
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.variation import branch, interpolate, outcome_variance

NOISED_TO = (20, 50, 100, 200, 400, 600, 999)
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
ANCESTRAL_STEPS = 100
POINTS = (0, 40, 60, 80, 90, 95)
INVERSION_STEPS = 50


def save(path: Path, rows: Rows) -> None:
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


def noised(denoiser: Denoiser, image: Tensor) -> Rows:
    """Follow an image on its way to noise."""
    noise = starting_noise(0, [0], tuple(image.shape[1:]))
    steps = diffuse(denoiser.scheduler, image.expand(len(NOISED_TO), *image.shape[1:]), torch.tensor(NOISED_TO), noise)
    return [("t = 0, " + ", ".join(map(str, NOISED_TO)), torch.cat([image, steps]))]


def sampled(denoiser: Denoiser, size: tuple[int, int]) -> Rows:
    """Paint the same noise by every method, and by DDPM with as many steps as there are."""
    longest = len(denoiser.scheduler.betas)
    rows = [
        (f"{method}, {EVALUATIONS}", sample(denoiser, COLUMNS, size, steps=EVALUATIONS, seed=0, method=method))
        for method in METHODS
    ]
    return [(f"ddpm, {longest}", sample(denoiser, COLUMNS, size, steps=longest, seed=0, method="ddpm")), *rows]


def inverted(denoiser: Denoiser, image: Tensor) -> Rows:
    """Show parts of an image, the noise of each, and what is painted from it."""
    side = image.shape[-1] // 4
    parts = torch.cat([image[..., y : y + side, x : x + side] for y in (0, 2 * side) for x in range(0, 4 * side, side)])
    noise = invert(denoiser, parts, steps=INVERSION_STEPS)
    again = sample(denoiser, len(parts), (side, side), steps=INVERSION_STEPS, seed=0, noise=noise)
    return [("image", parts), ("its noise / 3", noise / 3), ("painted again", again)]


def branched(denoiser: Denoiser, size: tuple[int, int]) -> Rows:
    """End one path of DDPM, and one of DDIM, from several points."""
    rows = []
    for method, points in (("ddpm", POINTS), ("ddim", POINTS[:1])):
        outcomes = branch(denoiser, size, points, COLUMNS, steps=ANCESTRAL_STEPS, seed=0, method=method)
        variances = outcome_variance(outcomes).tolist()
        for point, images, variance in zip(points, outcomes, variances, strict=True):
            rows.append((f"{method}, after {point} of {ANCESTRAL_STEPS}\nvariance {variance:.4f}", images))
    return rows


def edited(denoiser: Denoiser, size: tuple[int, int]) -> Rows:
    """Edit one painting at rising strength."""
    rough = painting(denoiser.image_channels, size[0])[None]
    images = [edit(denoiser, rough, strength, steps=50, seed=0, method="ddpm") for strength in STRENGTHS]
    return [("strength " + ", ".join(f"{strength:g}" for strength in STRENGTHS), torch.cat(images))]


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
    figures: dict[str, Callable[[], Rows]] = {
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

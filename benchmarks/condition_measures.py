"""What conditions.py measures: stains told apart after words, and images near to those that were shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

from fewstain.diffusion.conditions.network import ConditionalDenoiser, Guided
from fewstain.diffusion.conditions.opening import cut_windows, open_conditional, open_guided, read_like
from fewstain.diffusion.conditions.record import ConditionalRecord
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.sampling import sample
from fewstain.evaluate.realism import distances, pixel_statistics, realism

DESCRIPTIONS = {
    "fluorescence": "Hoechst, cultured cells, nuclei",
    "histology": "H&E, tissue section, nuclei",
    "tissue-dapi": "DAPI, mouse tissue section, nuclei",
    "phase-contrast": "phase contrast, fibroblasts",
    "brightfield": "brightfield, large cells, nuclei",
}
SHOWN = 4  # windows in a set
CROPS_A_STAIN = 96  # real ones, of each half of the images
PICTURED = 8
COARSE = 4  # pixels a side that are averaged for the classifier that is to see no grain


def windows_of(path: Path, record: ConditionalRecord, seed: int = 0, n: int = 10_000) -> Tensor:
    """(n, C, S, S) windows of one image that share no pixel, or as many as it has room for; S is a training crop's."""
    side = int(record.settings["crop"])
    image = read_like(path.parent, record.image_channels, side, [path])
    return cut_windows(image, n, side, np.random.default_rng(seed))


def real_crops(paths: list[Path], record: ConditionalRecord, n: int) -> Tensor:
    """(n, C, S, S) windows of images in turn."""
    each = -(-n // len(paths))
    return torch.cat([windows_of(path, record, seed, each) for seed, path in enumerate(paths)])[:n]


def measure_words(folder: Path, stains: dict[str, list[Path]], options: argparse.Namespace) -> dict[str, Any]:
    """Ask the classifier which stain the words bring about."""
    denoiser, record = open_conditional(folder)
    side = int(record.settings["crop"])
    halves = {name: (paths[::2], paths[1::2]) for name, paths in stains.items()}
    learned, tried = (
        {name: real_crops(each[half], record, CROPS_A_STAIN) for name, each in halves.items()} for half in (0, 1)
    )
    told, told_coarse = classifier_of(learned, 1), classifier_of(learned, COARSE)

    def paint(words: str | None, scale: float, n: int) -> Tensor:
        guided, _ = open_guided(folder, words=words, guidance_scale=scale)
        return sample(guided, n, (side, side), steps=options.sample_steps, seed=0)

    rows, picture = [], []
    for scale in options.scales:
        for name in stains:
            painted = paint(DESCRIPTIONS[name], scale, options.n)
            distance = realism(painted, tried[name])
            rows.append(
                {
                    "stain": name,
                    "words": DESCRIPTIONS[name],
                    "guidance_scale": scale,
                    "told": float((told(painted) == name).mean()),
                    "told_coarse": float((told_coarse(painted) == name).mean()),
                    "frechet": distance.frechet,
                    "pixels": distance.pixels,
                }
            )
            if scale == options.pictured:
                picture += [tried[name][:PICTURED], painted[:PICTURED]]
    write_mosaic(options.out / "words.png", torch.cat(picture), 2 * PICTURED)
    unasked = paint(None, 0.0, options.n)
    return {
        "n": options.n,
        "sample_steps": options.sample_steps,
        "coarse": COARSE,
        "real": {name: float((told(crops) == name).mean()) for name, crops in tried.items()},
        "real_coarse": {name: float((told_coarse(crops) == name).mean()) for name, crops in tried.items()},
        "without_words": {name: float((told(unasked) == name).mean()) for name in stains},
        "without_words_coarse": {name: float((told_coarse(unasked) == name).mean()) for name in stains},
        "rows": rows,
        "training": facts(denoiser, record),
    }


def classifier_of(learned: dict[str, Tensor], factor: int) -> Callable[[Tensor], NDArray[np.str_]]:
    """Fit a classifier of stains to crops, made `factor` times smaller; it is given images of the crops' size."""

    def described(images: Tensor) -> NDArray[np.float64]:
        return pixel_statistics(functional.avg_pool2d(images, factor))

    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    names = np.repeat(list(learned), [len(crops) for crops in learned.values()])
    fitted.fit(np.concatenate([described(crops) for crops in learned.values()]), names)
    return lambda images: np.asarray(fitted.predict(described(images)))


def measure_few_shot(folder: Path, stains: dict[str, list[Path]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare what is painted after each image with that image and with others, at several guidance scales."""
    denoiser, record = open_conditional(folder)
    side = int(record.settings["crop"])
    cut = {name: [windows_of(path, record) for path in paths] for name, paths in stains.items()}
    cut = {name: [windows for windows in each if len(windows) >= 2 * SHOWN] for name, each in cut.items()}
    stain_of = np.repeat(list(cut), [len(each) for each in cut.values()])
    windows = [each for of_stain in cut.values() for each in of_stain]
    shown, others = [each[:SHOWN] for each in windows], [each[SHOWN : SHOWN + 12] for each in windows]
    rows = verdicts("real", [distances(each, others) for each in shown], stain_of)
    for scale in options.scales:
        painted = [paint_like(denoiser, each, scale, side, options) for each in shown]
        rows += verdicts(scale, [distances(images, others) for images in painted], stain_of)
        if scale == options.pictured:
            for name in cut:
                some = np.flatnonzero(stain_of == name)[:PICTURED]
                parts = [part for k in some for part in (shown[k], painted[k][:PICTURED])]
                write_mosaic(options.out / f"few-shot-{name}.png", torch.cat(parts), SHOWN + PICTURED)
    return rows


def paint_like(
    denoiser: ConditionalDenoiser, windows: Tensor, scale: float, side: int, options: argparse.Namespace
) -> Tensor:
    """Paint images like windows (S, C, side, side)."""
    with torch.no_grad():
        tokens = denoiser.encoder(windows[None].to(denoiser.device))
    return sample(Guided(denoiser, tokens, scale), options.n_like, (side, side), steps=options.sample_steps, seed=0)


def verdicts(scale: float | str, found: list[list[float]], stain_of: NDArray[np.str_]) -> list[dict[str, Any]]:
    """Say how often an image's own windows are nearer than another's: of any stain, and of the same stain.

    Parameters
    ----------
    scale
        Guidance scale, or "real".
    found
        (images, images): distance of what was painted after each image to the windows of each.
    stain_of
        Stain of each image.
    """
    table, random = np.array(found), np.random.default_rng(0)
    own = np.diag(table)
    rows = []
    for name in dict.fromkeys(stain_of.tolist()):
        of_stain = stain_of == name
        for among, rivals in (("all stains", np.ones_like(of_stain)), ("its stain", of_stain)):
            pairs = np.argwhere(of_stain[:, None] & rivals[None] & ~np.eye(len(own), dtype=np.bool_))
            if not len(pairs):
                continue
            drawn = np.array([random.choice(pairs[pairs[:, 0] == k]) for k in np.flatnonzero(of_stain)])
            rows.append(
                {
                    "guidance_scale": scale,
                    "stain": name,
                    "among": among,
                    "images": int(of_stain.sum()),
                    "nearer": share_nearer(own, table, drawn),
                    "nearer_all": share_nearer(own, table, pairs),
                    "mmd_own": float(np.median(own[of_stain])),
                    "mmd_other": float(np.median(table[*pairs.T])),
                }
            )
    return rows


def share_nearer(own: NDArray[np.float64], table: NDArray[np.float64], pairs: NDArray[np.int64]) -> float:
    """Share of pairs (n, 2) of images of which the first is nearer to what was painted after it."""
    return float((own[pairs[:, 0]] < table[*pairs.T]).mean())


def facts(denoiser: ConditionalDenoiser, record: ConditionalRecord) -> dict[str, Any]:
    """Return what the training took."""
    keys = ("channels", "unshuffle", "crop", "batch_size", "prediction", "token_width")
    return {
        "steps": record.steps,
        "parameters": sum(parameter.numel() for parameter in denoiser.parameters()),
        "seed": record.seed,
        "minutes": round(record.wall_seconds / 60, 1),
        "device": record.device,
        "settings": {key: record.settings[key] for key in keys},
    }

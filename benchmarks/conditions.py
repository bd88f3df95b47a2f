"""Whether a denoiser paints what words or a handful of images ask for.

    python benchmarks/conditions.py STAINS_DIR --out DIR [--set steps=1500] [--page docs/diffusion.md]

STAINS_DIR holds a folder for each stain with `images/` in it; nothing else of it is read, test images least of all.

Words: one denoiser is trained on all of `DESCRIPTIONS`. A classifier of pixel statistics, fitted to crops of one half
of each stain's images and tried on the other half, is asked which stain the painted images show, at several guidance
scales. Without words it says how often each stain is painted.

Few-shot: a denoiser is trained on three quarters of the images of `--few-shot`. Of each image of the last quarter,
four windows are shown to it, and what it paints is compared, by MMD in the features of a fixed random network, with the
other windows of that image and with those of one other image, drawn at random: `nearer` is the share of images whose
own windows are nearer, `nearer_all` that over all other images in turn. `real` is what the shown windows themselves get
in place of painted ones. The same is done with the images of `--held-out`, stains the denoiser has never seen.

Trainings keep their state in DIR, so that the same command goes on where it was stopped. Writes DIR/conditions.json and
two pictures, DIR/words.png and DIR/few-shot.png; prints the JSON. With --page, writes the tables of that page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from page import replace_tables
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from fewstain.cli.options import section_settings
from fewstain.dataset import list_files, open_dataset
from fewstain.description import WORDS_FILE
from fewstain.diffusion.conditions.network import ConditionalDenoiser, Guided
from fewstain.diffusion.conditions.opening import cut_windows, open_conditional, open_guided, read_like
from fewstain.diffusion.conditions.record import ConditionalRecord
from fewstain.diffusion.conditions.training import train_few_shot, train_words
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.sampling import sample
from fewstain.evaluate.realism import distances, pixel_statistics, realism
from fewstain.settings import CONDITIONAL_PRESETS, ConditionalSettings, Preset
from fewstain.storage import write_json

DESCRIPTIONS = {
    "fluorescence": "Hoechst, cultured cells, nuclei",
    "histology": "H&E, tissue section, nuclei",
    "tissue-dapi": "DAPI, mouse tissue section, nuclei",
    "phase-contrast": "phase contrast, fibroblasts",
    "brightfield": "brightfield, large cells, nuclei",
}
SHOWN = 4  # windows in a set
HELD_SHARE = 0.25
MOST_IMAGES = 40  # held out and measured, of one stain
CROPS_A_STAIN = 96  # real ones, of each half of the images
PICTURED = 8


def make_dataset(folder: Path, images: list[Path], words: str = "") -> Path:
    """Link images into a data set folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for path in images:
        link = folder / "images" / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    (folder / WORDS_FILE).write_text(words + "\n", encoding="utf-8")
    return folder


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
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    names = np.repeat(list(learned), [len(crops) for crops in learned.values()])
    classifier.fit(np.concatenate([pixel_statistics(crops) for crops in learned.values()]), names)

    def told(images: Tensor) -> np.ndarray:
        found: np.ndarray = classifier.predict(pixel_statistics(images))
        return found

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
                    "frechet": distance.frechet,
                    "pixels": distance.pixels,
                }
            )
            if scale == options.pictured:
                picture += [tried[name][:PICTURED], painted[:PICTURED]]
    write_mosaic(options.out / "words.png", torch.cat(picture), 2 * PICTURED)
    nothing = told(paint(None, 0.0, options.n))
    return {
        "real": {name: float((told(crops) == name).mean()) for name, crops in tried.items()},
        "without_words": {name: float((nothing == name).mean()) for name in stains},
        "rows": rows,
        "training": facts(denoiser, record),
    }


def measure_few_shot(
    folder: Path, paths: list[Path], options: argparse.Namespace, picture: str
) -> list[dict[str, Any]]:
    """Compare what is painted after each image with that image and with others, at several guidance scales."""
    denoiser, record = open_conditional(folder)
    side = int(record.settings["crop"])
    cut = [windows_of(path, record) for path in paths]
    cut = [windows for windows in cut if len(windows) >= 2 * SHOWN]
    shown, others = [windows[:SHOWN] for windows in cut], [windows[SHOWN : SHOWN + 12] for windows in cut]
    random = np.random.default_rng(0)
    other = [int((number + random.integers(1, len(cut))) % len(cut)) for number in range(len(cut))]
    rows = [verdict("real", [distances(windows, others) for windows in shown], other)]
    for scale in options.scales:
        painted = [paint_like(denoiser, windows, scale, side, options) for windows in shown]
        rows.append(verdict(scale, [distances(images, others) for images in painted], other))
        if scale == options.pictured:
            parts = [part for k in range(min(PICTURED, len(cut))) for part in (shown[k], painted[k][:PICTURED])]
            write_mosaic(options.out / picture, torch.cat(parts), SHOWN + PICTURED)
    return rows


def paint_like(
    denoiser: ConditionalDenoiser, windows: Tensor, scale: float, side: int, options: argparse.Namespace
) -> Tensor:
    """Paint images like windows (S, C, side, side)."""
    with torch.no_grad():
        tokens = denoiser.encoder(windows[None].to(denoiser.device))
    return sample(Guided(denoiser, tokens, scale), options.n_like, (side, side), steps=options.sample_steps, seed=0)


def verdict(scale: float | str, found: list[list[float]], other: list[int]) -> dict[str, Any]:
    """Say how often an image's own windows are nearer than another's; `found` is (images, images) of distances."""
    table = np.array(found)
    own = np.diag(table)
    rivals = ~np.eye(len(own), dtype=bool)
    return {
        "guidance_scale": scale,
        "images": len(own),
        "nearer": float((own < table[np.arange(len(own)), other]).mean()),
        "nearer_all": float((own[:, None] < table)[rivals].mean()),
        "mmd_own": float(np.median(own)),
        "mmd_other": float(np.median(table[rivals])),
    }


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


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train what is not trained, and measure."""
    changes = [f"conditions.{pair}" for pair in options.set]
    settings = section_settings(ConditionalSettings, "conditions", Preset.cpu, changes, CONDITIONAL_PRESETS[Preset.cpu])
    result: dict[str, Any] = {"sample_steps": options.sample_steps, "n": options.n, "n_like": options.n_like}
    work = options.out
    if options.words:
        stains = {name: list_files(options.stains / name / "images") for name in options.words}
        folders = [
            make_dataset(work / "words-data" / name, paths, DESCRIPTIONS[name]) for name, paths in stains.items()
        ]
        if not (work / "words").exists():
            train_words([open_dataset(each) for each in folders], work / "words", work / "words-state", settings)
        result["words"] = measure_words(work / "words", stains, options)
        write_json(work / "conditions.json", result)
    if options.few_shot:
        paths = list_files(options.stains / options.few_shot / "images")
        order = np.random.default_rng(0).permutation(len(paths))
        held = round(HELD_SHARE * len(paths))
        seen = make_dataset(work / "few-shot-data", [paths[k] for k in order[held:]])
        if not (work / "few-shot").exists():
            train_few_shot([open_dataset(seen)], work / "few-shot", work / "few-shot-state", settings)
        unseen = [paths[k] for k in order[:held]][:MOST_IMAGES]
        denoiser, record = open_conditional(work / "few-shot")
        result["few_shot"] = {"stain": options.few_shot, "training": facts(denoiser, record), "held_out": {}}
        for name, images in {
            options.few_shot: unseen,
            **{name: list_files(options.stains / name / "images")[:MOST_IMAGES] for name in options.held_out},
        }.items():
            rows = measure_few_shot(work / "few-shot", images, options, f"few-shot-{name}.png")
            result["few_shot"]["held_out"][name] = rows
            write_json(work / "conditions.json", result)
    write_json(work / "conditions.json", result)
    return result


def tables(result: dict[str, Any]) -> str:
    """Markdown of what was measured."""
    lines: list[str] = []
    if "words" in result:
        words = result["words"]
        lines += [
            f"Words: {training_line(words['training'])}, {result['n']} samples for each cell, {result['sample_steps']} "
            "steps of ddim. Share of samples that a classifier of pixel statistics takes for the stain asked for:",
            "",
            "| words | real crops | without words | "
            + " | ".join(f"guidance {scale:g}" for scale in scales_of(words["rows"]))
            + " |",
            "| --- " * (3 + len(scales_of(words["rows"]))) + "|",
        ]
        for stain in words["real"]:
            rows = [row for row in words["rows"] if row["stain"] == stain]
            cells = [percent(words["real"][stain]), percent(words["without_words"][stain])]
            lines.append(
                f"| {rows[0]['words']} | " + " | ".join([*cells, *(percent(row["told"]) for row in rows)]) + " |"
            )
        lines.append("")
    if "few_shot" in result:
        few = result["few_shot"]
        lines += [
            f"Few-shot: {training_line(few['training'])}, on three quarters of the images of {few['stain']}. Share of "
            f"images never trained on whose own windows are nearer (MMD) to the {result['n_like']} samples after "
            f"{SHOWN} other windows of it than those of another image are, one at random and every other in turn:",
            "",
            "| held out | images | guidance | nearer than one at random | than others | MMD to its own | to others |",
            "| --- " * 7 + "|",
        ]
        for stain, rows in few["held_out"].items():
            for row in rows:
                scale = row["guidance_scale"]
                shown = "the shown windows themselves" if scale == "real" else f"{scale:g}"
                lines.append(
                    f"| {stain} | {row['images']} | {shown} | {percent(row['nearer'])} | {percent(row['nearer_all'])} "
                    f"| {row['mmd_own']:.2f} | {row['mmd_other']:.2f} |"
                )
    return "\n".join(lines)


def scales_of(rows: list[dict[str, Any]]) -> list[float]:
    return list(dict.fromkeys(row["guidance_scale"] for row in rows))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def training_line(facts: dict[str, Any]) -> str:
    return f"{facts['parameters'] / 1e6:.1f} M parameters, {facts['steps']} steps, seed {facts['seed']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stains", type=Path, help="folder of stains' folders")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/conditions"))
    parser.add_argument("--words", type=names, default=list(DESCRIPTIONS), help="stains, as in a,b; empty for none")
    parser.add_argument("--few-shot", default="fluorescence", help="stain; empty for none")
    parser.add_argument("--held-out", type=names, default=["tissue-dapi", "phase-contrast"], help="stains never shown")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of preset cpu; repeatable")
    parser.add_argument("--scales", type=lambda text: [float(part) for part in names(text)], default=[1.0, 2.0, 4.0])
    parser.add_argument("--pictured", type=float, default=2.0, help="guidance scale of the pictures")
    parser.add_argument("--n", type=int, default=48, help="images painted for each stain and scale")
    parser.add_argument("--n-like", type=int, default=12, help="images painted after each image and scale")
    parser.add_argument("--sample-steps", type=int, default=20)
    parser.add_argument("--page", type=Path, help="page whose tables to write")
    options = parser.parse_args()
    result = run(options)
    if options.page:
        text = options.page.read_text(encoding="utf-8")
        options.page.write_text(replace_tables(text, tables(result), "conditions"), encoding="utf-8")
    print(json.dumps(result, indent=2))


def names(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


if __name__ == "__main__":
    main()

"""Whether a denoiser paints what words or a handful of images ask for.

    python benchmarks/conditions.py STAINS_DIR --out DIR [--set steps=1500] [--page docs/diffusion.md]

STAINS_DIR holds a folder for each stain with `images/` in it; nothing else of it is read, test images least of all.

Words: one denoiser is trained on all of `DESCRIPTIONS`. A classifier of pixel statistics, fitted to crops of one half
of each stain's images and tried on the other half, is asked which stain the painted images show, at several guidance
scales. Without words it says how often each stain is painted.

Few-shot: a denoiser is trained on three quarters of the images of each stain of `--few-shot`. Four windows of each
image of the last quarters are shown to it, and what it paints is compared, by MMD in the features of a fixed random
network, with the other windows of that image and with those of one other image, drawn at random: `nearer` is the
share of images whose own windows are nearer, `nearer_all` that over all other images in turn. Other images are first
those of all stains, then those of the same stain alone, which is harder. `real` is what the shown windows themselves
get in place of painted ones. The same is done with the images of `--held-out`, stains the denoiser has never seen.

Trainings keep their state in DIR, so that the same command goes on where it was stopped; of the two parts, one that is
not asked for stays as it was measured. Writes DIR/conditions.json and
two pictures, DIR/words.png and DIR/few-shot.png; prints the JSON. With --page, writes the tables of that page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from condition_measures import DESCRIPTIONS, facts, measure_few_shot, measure_words
from condition_tables import tables
from page import replace_tables

from fewstain.cli.options import section_settings
from fewstain.dataset import list_files, open_dataset
from fewstain.description import WORDS_FILE
from fewstain.diffusion.conditions.opening import open_conditional
from fewstain.diffusion.conditions.training import train_few_shot, train_words
from fewstain.presets import CONDITIONAL_PRESETS
from fewstain.settings import ConditionalSettings, Preset
from fewstain.storage import read_json, write_json

HELD_SHARE = 0.25
MOST_IMAGES = 40  # held out and measured, of one stain


def make_dataset(folder: Path, images: list[Path], words: str = "") -> Path:
    """Link images into a data set folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for path in images:
        link = folder / "images" / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    (folder / WORDS_FILE).write_text(words + "\n", encoding="utf-8")
    return folder


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train what is not trained, and measure."""
    changes = [f"conditions.{pair}" for pair in options.set]
    settings = section_settings(ConditionalSettings, "conditions", Preset.cpu, changes, CONDITIONAL_PRESETS[Preset.cpu])
    work = options.out
    before = work / "conditions.json"
    result: dict[str, Any] = read_json(before) if before.is_file() else {}
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
        unseen, datasets = {}, []
        for name in options.few_shot:
            paths = list_files(options.stains / name / "images")
            order = np.random.default_rng(0).permutation(len(paths))
            held = round(HELD_SHARE * len(paths))
            seen = make_dataset(work / "few-shot-data" / name, [paths[k] for k in order[held:]])
            datasets.append(open_dataset(seen))
            unseen[name] = [paths[k] for k in order[:held]][:MOST_IMAGES]
        if not (work / "few-shot").exists():
            train_few_shot(datasets, work / "few-shot", work / "few-shot-state", settings)
        unseen |= {name: list_files(options.stains / name / "images")[:MOST_IMAGES] for name in options.held_out}
        denoiser, record = open_conditional(work / "few-shot")
        result["few_shot"] = {
            "stains": options.few_shot,
            "held_out": options.held_out,
            "n_like": options.n_like,
            "sample_steps": options.sample_steps,
            "training": facts(denoiser, record),
            "rows": measure_few_shot(work / "few-shot", unseen, options),
        }
    write_json(work / "conditions.json", result)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stains", type=Path, help="folder of stains' folders")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/conditions"))
    parser.add_argument("--words", type=names, default=list(DESCRIPTIONS), help="stains, as in a,b; empty for none")
    parser.add_argument(
        "--few-shot", type=names, default=["fluorescence", "histology", "tissue-dapi"], help="stains; empty for none"
    )
    parser.add_argument("--held-out", type=names, default=["phase-contrast"], help="stains never shown")
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

"""What labels of suggested windows teach, beside labels of random ones; prints JSON.

    python benchmarks/suggest.py --stain-dir DIR/histology --diffusion RESULTS/diffusion --out DIR

Every seed draws half of the pool's images. Of their windows, side by side on a grid, n are drawn at random among those
that have an object in them, and n suggested: by their looks, and by what the denoiser sees in them. All windows with an
object in them show how much any choice of n could win. Each choice is labeled from the stain's full labels, the
ensemble fitted to it, and scored on `test/`, or with `--on pool` on the images of the pool that the seed did not draw,
by which the way of choosing was chosen. Trials that are in `--out` already are not run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from page import replace_tables

import fewstain
from fewstain.dataset import by_stem, list_files, open_dataset
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.read import LABEL_EXTENSIONS, read_image, read_labels, stem
from fewstain.pairs.method import Method
from fewstain.pixels.fit import fit_pixels
from fewstain.presets import PRESETS
from fewstain.settings import Preset
from fewstain.suggest import Suggestion, suggest_windows
from fewstain.suggest.windows import windows_of

RANDOM, LOOKS, DENOISER, ALL = "random", "by looks", "by the denoiser", "all"
ARMS = (RANDOM, LOOKS, DENOISER, ALL)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see docs/benchmark.md")
    parser.add_argument("--diffusion", type=Path, required=True, help="the denoiser's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished trials")
    parser.add_argument("-n", type=int, default=20, help="labeled windows")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--on", choices=("test", "pool"), default="test")
    parser.add_argument("--preset", type=Preset, default=Preset.cpu, choices=list(Preset), help="of the ensemble")
    parser.add_argument("--page", type=Path, help="page that takes the table, docs/napari.md")
    options = parser.parse_args(arguments)
    rows = [row for seed in range(options.seeds) for row in trials(options, seed)]
    result = {
        "stain": options.stain_dir.name,
        "n": options.n,
        "on": options.on,
        "preset": options.preset,
        "trials": rows,
    }
    print(json.dumps(result, indent=2))
    if options.page is not None:
        page = replace_tables(options.page.read_text(encoding="utf-8"), table(result), f"{result['stain']} suggested")
        options.page.write_text(page, encoding="utf-8")


def trials(options: argparse.Namespace, seed: int) -> list[dict[str, Any]]:
    """Run or read the trials of a seed."""
    images = list_files(options.stain_dir / "images")
    drawn = np.random.default_rng(seed).permutation(len(images))[: (len(images) + 1) // 2]
    pool, rest = [images[k] for k in sorted(drawn)], [images[k] for k in sorted(set(range(len(images))) - {*drawn})]
    rows = []
    for arm in options.arms:
        name = f"{options.stain_dir.name}-{arm.split()[-1]}-n{options.n}-seed{seed}-{options.on}-{options.preset}.json"
        file = options.out / name
        if not file.is_file():
            row = {"arm": arm, "seed": seed} | trial(options, arm, seed, pool, rest)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(row), encoding="utf-8")
        rows.append(json.loads(file.read_text(encoding="utf-8")))
    return rows


def trial(
    options: argparse.Namespace, arm: str, seed: int, pool: Sequence[Path], rest: Sequence[Path]
) -> dict[str, Any]:
    """Choose windows, label them, fit, and score."""
    labels = by_stem(list_files(options.stain_dir / "full-labels", LABEL_EXTENSIONS))
    if options.on == "test":
        rest = list_files(options.stain_dir / "test" / "images")
        truth = by_stem(list_files(options.stain_dir / "test" / "labels", LABEL_EXTENSIONS))
    else:
        truth = labels
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "results"
        results.mkdir()
        (results / "diffusion").symlink_to(options.diffusion.resolve(), target_is_directory=True)
        windows = chosen(arm, pool, labels, options.n, options.size, seed, results)
        objects = write_trial(Path(place) / "data", windows, labels)
        settings = PRESETS[options.preset].pixels
        fit_pixels(open_dataset(Path(place) / "data"), results / "diffusion", results / "pixels", settings, seed=seed)
        model = fewstain.load(results, method=Method.ensemble)
        scores = ScoreSum()
        for path in rest:
            scores.add(read_labels(truth[stem(path)]), model.segment(read_image(path).pixels).labels)
    found = scores.scores()
    return {"objects": objects, "windows": len(windows)} | {each: found[each] for each in ("AP50", "AP", "PQ")}


def chosen(
    arm: str, pool: Sequence[Path], labels: dict[str, Path], n: int, size: int, seed: int, results: Path
) -> list[Suggestion]:
    """Choose windows of the pool's images in one of the ways."""
    if arm in (LOOKS, DENOISER):
        return suggest_windows(pool, n, size, seed=seed, results=results if arm == DENOISER else None)
    found = []
    for path, _, windows in windows_of(pool, n, size, seed):
        true = read_labels(labels[stem(path)])
        found += [window for window in windows if window.cut(true).any()]
    return found if arm == ALL else [found[k] for k in np.random.default_rng(seed).permutation(len(found))[:n]]


def write_trial(root: Path, windows: Sequence[Suggestion], labels: dict[str, Path]) -> int:
    """Write the dataset that labels of these windows make; count its objects."""
    objects = 0
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for window in windows:
        link = root / "images" / window.image.name
        if not link.is_symlink():
            link.symlink_to(window.image.resolve())
        drawn = window.cut(read_labels(labels[stem(window.image)]))
        objects += len(np.unique(drawn[drawn > 0]))
        tifffile.imwrite(root / "labels" / f"{window.name}.tif", drawn.astype(np.uint16))
    return objects


def table(result: dict[str, Any]) -> str:
    """One line a way of choosing: mean and standard deviation over seeds."""
    where = "test/" if result["on"] == "test" else "images of the pool that were not drawn"
    lines = [
        f"{result['stain']}, {result['n']} windows; ensemble of preset {result['preset']}; scored on {where}.",
        "",
        "| windows | AP50, mean of seeds (standard deviation) | lead over random, seed by seed | objects | seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    by_arm = {
        arm: {row["seed"]: row for row in result["trials"] if row["arm"] == arm}
        for arm in ARMS
        if any(row["arm"] == arm for row in result["trials"])
    }
    for arm, rows in by_arm.items():
        scores = np.array([row["AP50"] for row in rows.values()])
        leads = [row["AP50"] - by_arm[RANDOM][seed]["AP50"] for seed, row in rows.items() if seed in by_arm[RANDOM]]
        lead = f"{np.mean(leads):+.3f} ({np.std(leads):.3f})" if arm != RANDOM and leads else "–"
        objects = np.mean([row["objects"] for row in rows.values()])
        lines.append(f"| {arm} | {scores.mean():.3f} ({scores.std():.3f}) | {lead} | {objects:.0f} | {len(rows)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""How near lookup tables alone come to the truth: one for all images, and one for each of those that look like it.

    python benchmarks/alike_tables.py DATASET_DIR [--page docs/diffusion.md]

No network takes part: it is what a translation from grey begins with (`fewstain.diffusion.translation.alike`). Scored
are the pool's RGB images, each by tables of the others, and the data set's test images, by tables of the pool. Prints
JSON; with `--page` writes the table of that page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from numpy.typing import NDArray
from page import replace_tables
from translation import score

from fewstain.dataset import Dataset, open_dataset
from fewstain.diffusion.translation.alike import Tables
from fewstain.diffusion.translation.scale import Scale
from fewstain.diffusion.translation.sources import GREY, PairedFiles, find_pairs
from fewstain.diffusion.translation.table import apply_table
from fewstain.diffusion.translation.training import fit_residual

Images = list[tuple[NDArray, NDArray]]  # source in [-1, 1], and the target as in its file


def scored(tables: Tables, scale: Scale, images: Images, *, own: bool) -> dict[str, dict[str, float]]:
    """Score one table and tables of images alike; `own` images are the tables', and have no say in their own.

    `scale` is that of the targets.
    """
    painted: dict[str, list[NDArray]] = {"one table": [], "a table of images alike": []}
    for number, (source, _) in enumerate(images):
        left_out = number if own else None
        others = [k for k in range(len(tables.counts)) if k != left_out]
        shared = Tables(tables.counts[others], tables.sums[others], tables.looks[others]).shared()
        for name, table in zip(painted, (shared, tables.table_for(source, left_out)), strict=True):
            painted[name].append(scale.restore(apply_table(table, source)))
    return {name: score(each, [truth for _, truth in images]) for name, each in painted.items()}


def run(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Score the pool and the test images."""
    dataset = open_dataset(folder)
    source_scale, target_scale, residual = fit_residual(find_pairs(dataset, GREY))

    def read(paths: tuple[Path, ...]) -> Images:
        pairs = find_pairs(Dataset(folder, paths, (), ()), GREY)
        return [(source_scale.apply(source), target) for source, target in map(PairedFiles.read, pairs)]

    return {
        "pool, each image left out": scored(residual.tables, target_scale, read(dataset.images), own=True),
        "test": scored(residual.tables, target_scale, read(tuple(test.image for test in dataset.test)), own=False),
    }


def tables(result: dict[str, dict[str, dict[str, float]]]) -> str:
    """Make the page's table of a result."""
    lines = ["| images | by | PSNR, dB | of all pixels, dB | MMD² |", "| --- | --- | --- | --- | --- |"]
    for images, rows in result.items():
        for name, row in rows.items():
            numbers = f"{row['psnr']:.2f} | {row['psnr_of_all_pixels']:.2f} | {row['mmd']:.4f}"
            lines.append(f"| {images} | {name} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a data set of RGB images")
    parser.add_argument("--page", type=Path, help="page whose table to write")
    options = parser.parse_args()
    result = run(options.dataset)
    print(json.dumps(result, indent=2))
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(replace_tables(page, tables(result), "alike"), encoding="utf-8")


if __name__ == "__main__":
    main()

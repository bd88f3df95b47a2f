"""Few-label trials of a benchmark stain, as dataset folders.

A stain folder holds `images/` (the pool), `full-labels/` (its instance labels), `test/images`, `test/labels` and
`few-labels.json`: {"crop": side in pixels, "seeds": {"0": [{"image", "y", "x"}, …], …}}; the first n windows of a seed
are its n-label trial.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import tifffile


def build_dataset(stain_dir: Path, out: Path, n_labels: int, seed: int) -> Path:
    """Make a dataset folder of one trial: the pool's images, `n_labels` labeled windows, the test images.

    Images and test files are linked, label windows are cut from the full labels and written as
    `labels/<image>__y<row>_x<column>.tif`. What was in `out` before is replaced.

    Parameters
    ----------
    stain_dir
        Folder of the stain, see above.
    out
        The dataset folder to make; must not exist, or be one that this function made.
    n_labels
        Windows to take, in the order of the list.
    seed
        Which of the lists.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ValueError
        When the stain has no such seed or fewer windows, or `out` holds something else.
    """
    stain_dir = stain_dir.resolve()
    few = json.loads((stain_dir / "few-labels.json").read_text())
    windows = few["seeds"].get(str(seed))
    if windows is None or not 1 <= n_labels <= len(windows):
        raise ValueError(f"{stain_dir.name} has no {n_labels} windows of seed {seed}; seeds: {', '.join(few['seeds'])}")
    _empty(out)
    for folder in ("images", "test/images", "test/labels"):
        (out / folder).mkdir(parents=True)
        for source in sorted((stain_dir / folder).glob("*.tif")):
            (out / folder / source.name).symlink_to(source)
    (out / "labels").mkdir()
    for window in windows[:n_labels]:
        y, x, side = window["y"], window["x"], few["crop"]
        full = tifffile.imread(stain_dir / "full-labels" / f"{window['image']}.tif")
        path = out / "labels" / f"{window['image']}__y{y}_x{x}.tif"
        tifffile.imwrite(path, full[y : y + side, x : x + side], compression="zlib")
    (out / "trial.json").write_text(json.dumps({"stain": stain_dir.name, "n_labels": n_labels, "seed": seed}))
    return out


def _empty(out: Path) -> None:
    """Remove an earlier trial; links are removed, never what they point to."""
    if not out.exists():
        return
    if any(out.iterdir()) and not (out / "trial.json").is_file():
        raise ValueError(f"{out} exists and is no trial: give another folder")
    shutil.rmtree(out)

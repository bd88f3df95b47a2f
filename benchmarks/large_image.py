"""Segment one huge image by what segments a dataset, and print as JSON how long it took and how much memory.

    python benchmarks/large_image.py results/demo data/demo/images/<image>.tif

The image is repeated and mirrored until it has the size asked for, so that objects and background are real ones.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from fewstain.diffusion.progress import peak_memory_bytes
from fewstain.images.read import read_image
from fewstain.images.write import write_image
from fewstain.pairs.opening import load
from fewstain.pixels.segment import segment_files
from fewstain.presets import PRESETS
from fewstain.settings import Preset


def mosaic(pixels: np.ndarray, side: int) -> np.ndarray:
    """Repeat (H, W, C) pixels, mirroring every other copy, to (side, side, C)."""
    mirrored = np.concatenate([pixels, pixels[::-1]])
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    repeats = [-(-side // length) for length in mirrored.shape[:2]]
    return np.tile(mirrored, (*repeats, 1))[:side, :side]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a dataset")
    parser.add_argument("image", type=Path, help="an image of the kind the model was made for")
    parser.add_argument("--side", type=int, default=10_000, help="pixels")
    parser.add_argument("--preset", type=Preset, default=Preset.cpu, choices=list(Preset))
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    model = load(arguments.results, arguments.device)
    with tempfile.TemporaryDirectory(dir=arguments.results) as folder:
        path = Path(folder) / "large.tif"
        write_image(path, mosaic(read_image(arguments.image).pixels, arguments.side))
        start = time.perf_counter()
        counts = segment_files(model, [path], Path(folder) / "out", PRESETS[arguments.preset].segment)
        seconds = time.perf_counter() - start
    print(
        json.dumps(
            {
                "peak_rss_bytes": peak_memory_bytes(),
                "seconds": round(seconds, 1),
                "n_objects": int(counts["objects"].iloc[0]),
                "side": arguments.side,
                "preset": arguments.preset,
                "device": arguments.device,
            }
        )
    )


if __name__ == "__main__":
    main()

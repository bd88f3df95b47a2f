"""Write the tables of docs/diffusion.md's section on latents from what latent.py printed.

    python benchmarks/latent_table.py RESULT.json… [--page docs/diffusion.md]

One result for each stain; what stands between the page's two markers is replaced.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from page import replace_tables
from speed_table import table

Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of docs/diffusion.md from results of latent.py.")
    parser.add_argument("results", type=Path, nargs="+", help="JSON files")
    parser.add_argument("--page", type=Path, default=Path("docs/diffusion.md"))
    options = parser.parse_args()
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    page = options.page.read_text(encoding="utf-8")
    options.page.write_text(replace_tables(page, tables(results), "latent"), encoding="utf-8")


def tables(results: list[Result]) -> str:
    """Two tables: what comes back of test images, and what is painted, where there is a denoiser."""
    able = [result for result in results if "sampling" in result]
    return table(kept(results)) + (f"\n\n{table(painted(able))}" if able else "")


def kept(results: list[Result]) -> list[tuple[str, ...]]:
    """Rows of what a VAE keeps of images it never saw."""
    rows = [("test images", "PSNR, dB", "worst", "SSIM", "of 4 × 4 means: PSNR, SSIM", "seams, of the full range")]
    for result in results:
        found = result["reconstruction"]
        blur = f"{found['blur_psnr']:.1f}, {found['blur_ssim']:.3f}"
        name = f"{result['stain']}, {found['images']}; {result['train_steps']} steps"
        seams = f"{100 * result['seams']['rms']:.2f} %"
        rows.append((name, f"{found['psnr']:.1f}", f"{found['worst_psnr']:.1f}", f"{found['ssim']:.3f}", blur, seams))
    return rows


def painted(results: list[Result]) -> list[tuple[str, ...]]:
    """Rows of what is painted in latents and in pixels."""
    rows = [("painted", "side, pixels", "seconds an image", "Fréchet distance", "of other real crops")]
    for result in results:
        real = {row["side"]: row["frechet"] for row in result["sampling"]["real"]}
        for kind in ("latent", "pixels"):
            for row in result["sampling"][kind]:
                trained = row["side"] == result["crop"][kind]
                name = f"{result['stain']}, {kind}, {result['steps']} steps"
                side = f"{row['side']}" + (" (trained)" if trained else "")
                distances = (f"{row['frechet']:.0f}", f"{real[row['side']]:.0f}")
                rows.append((name, side, f"{row['seconds_per_image']:.2f}", *distances))
    return rows


if __name__ == "__main__":
    main()
